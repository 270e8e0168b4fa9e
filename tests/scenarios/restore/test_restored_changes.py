"""A restored database has forgotten changes that were charged after the backup: what that leaves is seen."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.restore.test_restored import Backup, catch_up
from tests.scenarios.subscriptions.changing import go_to, periods
from worker.domain.changes import ChangeKind, Moment
from worker.subscriptions.holds import release


@pytest.fixture
def backup_file(tmp_path: Path) -> Path:
    return tmp_path / "last-night.dump"


CHANGES: dict[str, tuple[ChangeKind, dict[str, Any]]] = {
    "keep": (ChangeKind.CHANGE_PLAN, {"plan": "gold"}),
    "restart": (ChangeKind.CHANGE_PLAN, {"plan": "gold", "renewal": "restart"}),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_forgotten_charge_within_a_period_is_a_discrepancy_and_no_charge(
    changed: str, world: World, database_url: str, backup_file: Path
):
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    go_to(world, date(2026, 1, 20))
    backup = Backup(world, database_url, backup_file)
    kind, parameters = CHANGES[changed]
    world.change(kind, code, Moment.NOW, **parameters)
    world.tick()
    backup.restore()
    catch_up(world)
    assert periods(world, code) == [("2026-01-05", "2026-02-05", 9900, "paid")]
    assert world.discrepancies() == [("not_in_records", "open")]
    go_to(world, date(2026, 2, 6))
    world.sweep()
    # Until when the forgotten charge has paid, our records cannot tell: nothing more is charged before that is decided.
    assert periods(world, code)[1:] == [("2026-02-05", "2026-03-05", 9900, "due")]
    release(world.runtime.sessions, code, reason="the plan was changed once more", now=world.now)
    world.sweep()
    world.tick()
    assert periods(world, code)[1:] == [("2026-02-05", "2026-03-05", 9900, "paid")]
