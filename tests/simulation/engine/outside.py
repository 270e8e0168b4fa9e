"""What happens to a world from outside: PortOne learns better, and an operator puts a backup back."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.engine.backup import put_back
from tests.simulation.engine.world import World
from worker.charging.kill_switch import start_charging
from worker.sandbox.rules import payments
from worker.sandbox.store import payment_rows


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


LOOKS_EVERY_SECONDS = 60.0
"""So often a person looks whether charging has stopped after a restore, and whether it may go on."""


def let_a_person_start(world: World) -> None:
    """Let somebody look now and then: once a worker has noticed the restore and all is compared, charging is started.

    What people did since the backup is nobody's in these histories.
    """

    def look() -> None:
        standing = world.sql("SELECT FROM stops WHERE scope = 'all'")
        held = world.sql("SELECT FROM sweeps WHERE finished_at IS NULL AND holds_claims")
        if standing and not held:
            start_charging(world.sessions, "all", now=world.database_now())
            return
        world.after(LOOKS_EVERY_SECONDS, look)

    world.after(LOOKS_EVERY_SECONDS, look)


def restore(world: World) -> None:
    """Put the backup in the database's place, whatever the workers are about."""
    put_back(world.engine)
    let_a_person_start(world)
    world.struck.append(f"{world.now():%m-%d %H:%M:%S} restored")
