"""Names our transport to kombu, which imports it, and the client of the broker with it, when it first connects."""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES


def register_transport() -> None:
    """Let kombu take our transport for `redis://` and `rediss://`."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = "worker.messaging.transport:Transport"
