"""Which addresses are PortOne's and which can be a sandbox's, so that neither is ever taken for the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

LIVE_URL = "https://api.iamport.kr"  # documented; TLS 1.2 and newer only

PORTONE_DOMAINS = ("iamport.kr", "portone.io")
"""PortOne's own. V1 answers at api.iamport.kr (documented) and at static-api.iamport.kr (seen in client code)."""


def live_problems(portone_url: str) -> Iterator[str]:
    """Yield what is wrong with AGAIN_PORTONE_URL when real money moves.

    Only PortOne's own hosts will do. A proxy that ends TLS in between would read the secret and every customer_uid, and
    could answer "paid" for anything; an outbound proxy passes TLS through instead, by route or by the hosts file.
    """
    if not portone_url.startswith("https://"):
        yield "AGAIN_PORTONE_URL must begin with https:// when AGAIN_PORTONE_KEY is set."
    elif not _is_plain(portone_url) or not is_portone(portone_url):
        yield (
            "AGAIN_PORTONE_URL must be PortOne's own address when AGAIN_PORTONE_KEY is set, such as "
            f"{LIVE_URL}: no other host may see the secret or report payments."
        )


def sandbox_problems(portone_url: str, sandbox_url: str | None, *, live: bool) -> Iterator[str]:
    """Yield what would mistake the sandbox for PortOne, or a forgotten key for the intention to use a sandbox."""
    if sandbox_url is not None and is_portone(sandbox_url):
        yield "AGAIN_SANDBOX_URL must not be an address of PortOne: the sandbox is where no money moves."
    if not live and portone_url.rstrip("/") != LIVE_URL:
        yield (
            "AGAIN_PORTONE_URL is set but AGAIN_PORTONE_KEY is not, and without a key Again uses the sandbox: "
            "set AGAIN_PORTONE_KEY and AGAIN_PORTONE_SECRET, or leave AGAIN_PORTONE_URL empty."
        )


def is_portone(url: str) -> bool:
    """Return whether an address names a host of PortOne's; False for text that is no address."""
    host = _host(url)
    return any(host == domain or host.endswith(f".{domain}") for domain in PORTONE_DOMAINS)


def _is_plain(url: str) -> bool:
    """Return whether an address holds nothing but a host, so that no two parsers can read two hosts from it."""
    return url.rstrip("/").lower() == f"https://{_host(url)}"


def _host(url: str) -> str:
    try:
        return (urlsplit(url.strip()).hostname or "").rstrip(".")
    except ValueError:
        return ""
