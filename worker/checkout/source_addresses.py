"""Who is really asking: the address of the connection, or what trusted proxies say about it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from worker.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK = ("127.0.0.0/8", "::1")


@dataclass(frozen=True, slots=True)
class Sources:
    """Whose webhooks are taken, and whose word about others counts."""

    webhooks: tuple[Network, ...]
    proxies: tuple[Network, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read the settings. The sandbox's webhooks come from this machine, so they are let in when it is used."""
        webhooks = settings.webhook_addresses if settings.live else (*settings.webhook_addresses, *LOOPBACK)
        return cls(_networks(webhooks), _networks(settings.trusted_proxies))

    def client(self, peer: str | None, forwarded_for: Sequence[str]) -> Address | None:
        """Say where a request comes from; None when that cannot be told.

        X-Forwarded-For is read from its end, where the nearest proxy wrote, and only as long as trusted proxies wrote
        it: whatever stands before that, anybody may have made up.
        """
        address = _address(peer or "")
        for text in reversed([each for header in forwarded_for for each in header.split(",")]):
            if address is None or not _within(address, self.proxies):
                return address
            address = _address(text)
        return address

    def may_send_webhooks(self, address: Address | None) -> bool:
        return address is not None and _within(address, self.webhooks)


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # A socket for both families shows 1.2.3.4 as ::ffff:1.2.3.4.
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
