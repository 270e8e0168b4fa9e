"""Whether connections to the database and the broker are encrypted, with verified certificates."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection

from worker.config.broker_url import BrokerAddress

VERIFYING = "verify-full"
"""PostgreSQL's sslmode that verifies the host; `require` and `verify-ca` accept another host's certificate."""


def database_concern(connection: Connection) -> str:
    """Return what is insecure about an open connection; empty when nothing is."""
    raw: Any = connection.connection.driver_connection
    return concern(
        raw.info.host, raw.info.hostaddr, encrypted=raw.pgconn.ssl_in_use, verified=_sslmode(raw) == VERIFYING
    )


def broker_concern(address: BrokerAddress) -> str:
    """Return what is insecure about a broker's address; empty when nothing is."""
    return concern(address.host, "", encrypted=address.tls is not None, verified=address.verified)


def concern(host: str, hostaddr: str, *, encrypted: bool, verified: bool) -> str:
    """Return what is insecure: connections within this machine need no TLS, others need TLS that verifies the host."""
    if _is_here(hostaddr or host) or (encrypted and verified):
        return ""
    if encrypted:
        return f"at {host} is reached with TLS that does not verify the server"
    return f"at {host} is reached over the network without TLS, so that others can read along"


def _is_here(host: str) -> bool:
    """Return whether a host is this machine: no host, a Unix socket's folder or a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host.startswith(("/", "@"))


def _sslmode(raw: Any) -> str:
    return str(raw.info.get_parameters().get("sslmode", "prefer"))
