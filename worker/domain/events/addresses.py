"""Where webhooks may be sent: rules for the URL, and for the machine that its name leads to. Pure.

The URL is the operator's, but the machine that sends is inside: an address there must not be reached through a webhook.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

LONGEST_URL = 2000  # characters

_PRINTABLE = re.compile(r"[!-\[\]-~]+")  # ASCII without spaces and backslashes
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_NAT64 = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


def url_problem(url: str, allowed: Sequence[str]) -> str | None:
    """Return why events cannot be sent to a URL, as the rest of a sentence that begins with it; None if they can.

    `allowed` are the networks of AGAIN_WEBHOOK_ALLOWED_NETWORKS.
    """
    if not url or len(url) > LONGEST_URL:
        return f"has {len(url)} characters; give an https:// address of at most {LONGEST_URL}"
    if _PRINTABLE.fullmatch(url) is None:
        return "has spaces, backslashes or other than ASCII in it; write those as %.., and a name as xn--..."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "cannot be read; give https://, a host, and a path"
    problems = {
        "must begin with https://": parts.scheme not in {"https", "http"},
        "has a name or a password in it; webhooks are signed, so it needs none": "@" in parts.netloc,
        "has a fragment (#...), which no server is told": "#" in url,
        "has port 0, which there is not": port == 0,
    }
    found = next((problem for problem, applies in problems.items() if applies), None)
    return found or _host_problem(host, plain=parts.scheme == "http", allowed=allowed)


def _host_problem(host: str, *, plain: bool, allowed: Sequence[str]) -> str | None:
    if (address := literal(host)) is not None:
        return address_problem(address, plain=plain, allowed=allowed)
    labels = host.removesuffix(".").split(".")
    # A number in the last place makes it an address in an old spelling, such as 127.1 or 0x7f000001.
    if len(host) > 253 or any(_LABEL.fullmatch(label) is None for label in labels) or _NUMBER.fullmatch(labels[-1]):
        return "has no host that could be looked up"
    if plain and not allowed:
        return "must begin with https://; http:// is for networks of AGAIN_WEBHOOK_ALLOWED_NETWORKS only"
    return None


def literal(host: str) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def address_problem(address: Address, *, plain: bool, allowed: Sequence[str]) -> str | None:
    """Return why nothing is sent to a machine, as the rest of a sentence; None if it may be reached.

    In plain HTTP (`plain`) only allowed networks are. An IPv4 address may be wrapped in an IPv6 one: both count.
    """
    every = [address, *_wrapped(address)]
    if any(each in ip_network(network) for network in allowed for each in every):
        return None
    if (kind := next((kind for each in every if (kind := _kind(each)) is not None), None)) is not None:
        return f"leads to {address}, {kind} address; to allow it, set AGAIN_WEBHOOK_ALLOWED_NETWORKS"
    if plain:
        return f"leads to {address} in plain http://, which is for networks of AGAIN_WEBHOOK_ALLOWED_NETWORKS only"
    return None


def _kind(address: Address) -> str | None:
    """Return what kind of address no webhook may go to; None for one of the public internet."""
    kinds = {
        "an unspecified": address.is_unspecified,
        "a loopback": address.is_loopback,
        "a link-local": address.is_link_local,
        "a multicast": address.is_multicast,
        "a reserved": address.is_reserved and _wrapped(address) == (),
        "a private": address.is_private and _wrapped(address) == (),
        "a non-public": not address.is_global and _wrapped(address) == (),
    }
    return next((kind for kind, applies in kinds.items() if applies), None)


def _wrapped(address: Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses to which an IPv6 one may lead: mapped, by 6to4, by Teredo, by NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(address.packed[-4:]),)
    # The oldest form, ::1.2.3.4, which is no longer routed; ::1 and :: are themselves.
    if int(address) >> 32 == 0 and int(address) > 1:
        return (IPv4Address(address.packed[-4:]),)
    found = address.ipv4_mapped or address.sixtofour
    return () if found is None else (found,)
