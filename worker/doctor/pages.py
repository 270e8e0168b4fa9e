"""Check of the checkout pages' settings: webhooks and forwarded addresses are accepted from few machines only."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

from worker.doctor.finding import CheckContext, Finding, ok, warning

NARROWEST_V4, NARROWEST_V6 = 8, 16
"""Minimum prefix lengths, in bits: 10.0.0.0/8 is the widest private network."""


def pages(context: CheckContext) -> Finding:
    """Warn of networks so wide that an attacker is in them."""
    settings = context.runtime.settings
    for name, values in (
        ("AGAIN_WEBHOOK_ADDRESSES", settings.webhook_addresses),
        ("AGAIN_TRUSTED_PROXIES", settings.trusted_proxies),
    ):
        if wide := list(_wide(values)):
            remedy = "name only PortOne's addresses and those of your own proxies"
            return warning(
                "pages",
                f"{name} has {', '.join(wide)}, so that any machine can send webhooks or claim an address",
                remedy,
            )
    return ok("pages", "webhooks are accepted from few addresses")


def _wide(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        network = ip_network(value)
        if network.prefixlen < (NARROWEST_V4 if isinstance(network, IPv4Network) else NARROWEST_V6):
            yield value
