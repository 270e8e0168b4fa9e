"""Are the customers' pages set up so that only PortOne's word about a webhook's sender counts? The check only reads."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

from worker.doctor.finding import Finding, Patient, ok, warning

NARROWEST_V4, NARROWEST_V6 = 8, 16
"""Bits that a network must fix at least: 10.0.0.0/8 is the widest that anybody has for themselves."""


def pages(patient: Patient) -> Finding:
    """Look for networks so wide that anybody is in them."""
    settings = patient.runtime.settings
    for name, values in (
        ("AGAIN_WEBHOOK_ADDRESSES", settings.webhook_addresses),
        ("AGAIN_TRUSTED_PROXIES", settings.trusted_proxies),
    ):
        if wide := list(_wide(values)):
            remedy = "name PortOne's addresses, and your own proxies', and no more"
            return warning("pages", f"{name} has {', '.join(wide)}, which lets anybody be believed", remedy)
    return ok("pages", "webhooks are taken from few addresses")


def _wide(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        network = ip_network(value)
        if network.prefixlen < (NARROWEST_V4 if isinstance(network, IPv4Network) else NARROWEST_V6):
            yield value
