"""Events from outside: PortOne corrects a record, and an operator restores a backup."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.engine.backup import put_back
from tests.simulation.engine.world import World
from worker.charging.kill_switch import start_charging
from worker.sandbox.rules import payments
from worker.sandbox.store import payment_rows


def correct(world: World, imp_uid: str) -> None:
    """Make PortOne correct a failed payment whose money has moved."""
    ledger, at = world.sandbox.ledger, world.sandbox.now()
    payment = payment_rows.find(ledger, imp_uid)
    assert payment is not None
    payment_rows.change(ledger, payments.paid(payment, at=at), at=at)
    world.corrected[imp_uid] = world.time


def wrongly_failed(world: World) -> Sequence[str]:
    """Return the payments that took the money and are recorded as failed."""
    sql = "SELECT imp_uid FROM payments WHERE charged > 0 AND status = 'failed' ORDER BY number"
    return [row["imp_uid"] for row in world.sandbox.ledger.execute(sql)]


def correct_all(world: World) -> None:
    """Make PortOne correct every such payment."""
    for imp_uid in wrongly_failed(world):
        correct(world, imp_uid)


LOOKS_EVERY_SECONDS = 60.0
"""Seconds between an operator's looks whether charging is held after a restore, and may resume."""


def let_a_person_start(world: World) -> None:
    """Make an operator look from time to time, and resume once a worker has noticed the restore and all is reconciled.

    What operators did since the backup is lost in these histories.
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
    """Restore the backup, whatever the workers are doing."""
    put_back(world.engine)
    let_a_person_start(world)
    world.struck.append(f"{world.now():%m-%d %H:%M:%S} restored")
