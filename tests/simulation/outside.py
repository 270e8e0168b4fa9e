"""What happens to a world from outside: PortOne learns better, and an operator puts a backup back."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.backup import put_back
from tests.simulation.world import World
from worker.sandbox import payment_rows, payments


def correct(world: World, imp_uid: str) -> None:
    """Let PortOne notice that the money of a failed payment has moved."""
    ledger, at = world.sandbox.ledger, world.sandbox.now()
    payment = payment_rows.find(ledger, imp_uid)
    assert payment is not None
    payment_rows.change(ledger, payments.paid(payment, at=at), at=at)
    world.corrected[imp_uid] = world.time


def wrongly_failed(world: World) -> Sequence[str]:
    """List the payments that took the money and are recorded as failed."""
    sql = "SELECT imp_uid FROM payments WHERE charged > 0 AND status = 'failed' ORDER BY number"
    return [row["imp_uid"] for row in world.sandbox.ledger.execute(sql)]


def correct_all(world: World) -> None:
    """Let PortOne notice every such payment."""
    for imp_uid in wrongly_failed(world):
        correct(world, imp_uid)


def restore(world: World) -> None:
    """Put the backup in the database's place, whatever the workers are about."""
    put_back(world.engine)
    world.struck.append(f"{world.now():%m-%d %H:%M:%S} restored")
