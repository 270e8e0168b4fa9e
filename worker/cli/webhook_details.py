"""What `again webhook` shows of a destination: nothing that is secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from worker.cli import formats

if TYPE_CHECKING:
    from worker.events.destination_queries import Destination

KOREA = "Asia/Seoul"


def document(destination: Destination) -> Mapping[str, Any]:
    """Return what scripts read of a destination: everything but its secrets."""
    shown = asdict(destination)
    health = shown.pop("health")
    return {**shown, "target": target(destination), "secrets": len(shown["secrets"]), **health}


def target(destination: Destination) -> str:
    """Return where it leads; of a chat the host alone, for the rest is all that it takes to write there."""
    from worker.domain.events.destinations import DestinationKind

    if destination.kind is not DestinationKind.CHAT:
        return destination.target
    scheme, _, rest = destination.target.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/..."


def trouble(destination: Destination) -> str:
    """Return what is wrong with it, or what an operator has left half done; empty where nothing is."""
    if destination.status != "active":
        return f"{destination.status_reason}, {formats.local(destination.status_at, KOREA)}"
    if destination.health.failing_since is None:
        return "signed with two secrets" if len(destination.secrets) > 1 else ""
    return f"{destination.last_error}, since {formats.local(destination.health.failing_since, KOREA)}"
