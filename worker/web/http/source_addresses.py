"""The client's IP address: that of the connection, or what trusted proxies report. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from worker.config.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK = ("127.0.0.0/8", "::1")


@dataclass(frozen=True, slots=True)
class SourceAddresses:
    """Networks whose webhooks are taken, and networks of trusted proxies."""

    webhooks: tuple[Network, ...]
    proxies: tuple[Network, ...]

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return those of the settings; with the sandbox also this machine, from which its webhooks come."""
        webhooks = settings.webhook_addresses if settings.live else (*settings.webhook_addresses, *LOOPBACK)
        return cls(_networks(webhooks), _networks(settings.trusted_proxies))

    def client_address(self, peer: str | None, forwarded_for: Sequence[str]) -> Address | None:
        """Return the IP address that a request comes from; None when it is unknown.

        X-Forwarded-For is read from its end, where the nearest proxy wrote, and only as far as trusted proxies wrote
        it: an attacker may have written what stands before that.
        """
        address = _address(peer or "")
        for text in reversed([each for header in forwarded_for for each in header.split(",")]):
            if address is None or not _within(address, self.proxies):
                return address
            address = _address(text)
        return address

    def refusal_reason(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Return why the webhooks of a request are not taken, without quoting what the request says."""
        address, nearest = self.client_address(peer, forwarded_for), _address(peer or "")
        if nearest is None:
            return "the connection has no address, as on a Unix socket: let the pages listen on a port"
        if address is None:
            return f"what {nearest}, a trusted proxy, wrote into X-Forwarded-For is no address"
        if address == nearest and forwarded_for and not _within(nearest, self.proxies):
            return f"{nearest} sends X-Forwarded-For and is not among AGAIN_TRUSTED_PROXIES"
        return f"{address} is not among AGAIN_WEBHOOK_ADDRESSES"

    def may_send_webhooks(self, address: Address | None) -> bool:
        return address is not None and _within(address, self.webhooks)


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


# What proxies write: an address, in brackets if it is IPv6, with a port or without; a zone says nothing to others.
_WRITTEN = re.compile(r"(?P<v4>[0-9.]+)(:[0-9]{1,5})?|\[(?P<v6>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(%[^\]]*)?\](:[0-9]{1,5})?")


def _address(text: str) -> Address | None:
    """Return an address as a socket or a proxy writes it; None for any other text."""
    text = text.strip()
    written = _WRITTEN.fullmatch(text)
    bare = text.partition("%")[0] if ":" in text and written is None else text
    try:
        address = ip_address(bare if written is None else written["v4"] or written["v6"])
    except ValueError:
        return None
    # A socket for both families shows 1.2.3.4 as ::ffff:1.2.3.4.
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
