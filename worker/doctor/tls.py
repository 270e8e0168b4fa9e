"""Who could listen between us and our servers, or stand in for them: TLS, and whether certificates are verified."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection

from worker.config.broker_url import BrokerAddress

VERIFYING = "verify-full"
"""The value of PostgreSQL's sslmode that checks who answers; `require` and `verify-ca` take another host for it."""


def database_concern(connection: Connection) -> str:
    """Say what is wrong with how an open connection came about; empty when nothing is."""
    raw: Any = connection.connection.driver_connection
    return concern(
        raw.info.host, raw.info.hostaddr, encrypted=raw.pgconn.ssl_in_use, verified=_sslmode(raw) == VERIFYING
    )


def broker_concern(address: BrokerAddress) -> str:
    """Say what is wrong with an address of the broker; empty when nothing is."""
    return concern(address.host, "", encrypted=address.tls is not None, verified=address.verified)


def concern(host: str, hostaddr: str, *, encrypted: bool, verified: bool) -> str:
    """Decide: what stays on this machine needs no TLS; what leaves it needs TLS that verifies who answers."""
    if _is_here(hostaddr or host) or (encrypted and verified):
        return ""
    if encrypted:
        return f"at {host} is reached with TLS that does not verify who answers"
    return f"at {host} is reached over the network without TLS: whoever listens reads what travels"


def _is_here(host: str) -> bool:
    """Say whether a host is this machine: no host, a Unix socket's folder or a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host.startswith(("/", "@"))


def _sslmode(raw: Any) -> str:
    return str(raw.info.get_parameters().get("sslmode", "prefer"))
