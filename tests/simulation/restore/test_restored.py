"""A database restored from a backup: every crash on the way to the end of the hold, and answers to lost attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.simulation.engine.stories import RULES
from tests.simulation.engine.verdict import Violation
from tests.simulation.relay.breakages import number_events_by_chance
from tests.simulation.restore import restore_breakages
from tests.simulation.restore.restore_breakages import BlindWorker
from tests.simulation.restore.restored_period import Restored, tell_every_crash, tell_restored, tell_what_was_told
from tests.simulation.restore.stale_workers import (
    LANDS_LATER,
    backed_up_under_way,
    frozen_with,
    frozen_with_a_page,
    hidden,
)
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

LOST: dict[str, Callable[[], Restored]] = {
    "a decline": lambda: frozen_with(decline(), then=LANDS_LATER),
    "a decline of another customer": lambda: frozen_with(decline(), then=LANDS_LATER, other_customer=True),
    "a payment of another customer": lambda: replace(
        frozen_with(pay(), then=(decline(), pay()), other_customer=True), daily=True
    ),
    "a page": frozen_with_a_page,
    "the end of what was under way": backed_up_under_way,
    "a payment that shows late": lambda: hidden(pay(hidden_seconds=1200.0)),
    "a payment that lands and shows late": lambda: hidden(Behaviour(wait_seconds=600.0, hidden_seconds=900.0)),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_write_back_of_a_stale_worker_changes_nothing_else(engine: Engine, lost: Callable[[], Restored]):
    tell_restored(engine, replace(lost(), rules=RULES[0]))


def test_crash_of_the_statement_reconciliation_after_a_restore_is_harmless(engine: Engine, thorough: bool):
    assert tell_every_crash(engine, thorough=thorough) > 60


def test_host_is_told_of_a_fact_that_is_found_again_under_the_same_id(engine: Engine):
    assert tell_what_was_told(engine) > 5


def test_ids_that_are_not_made_of_facts_are_noticed_after_a_restore(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    number_events_by_chance(monkeypatch)
    with pytest.raises(Violation, match="is told under"):
        tell_restored(engine, Restored(rules=RULES[0], listens=True))


@pytest.mark.parametrize(
    ("broken", "history"),
    [
        (restore_breakages.backfill_known_attempts_only, Restored),
        (restore_breakages.end_the_hold_at_once, Restored),
        (restore_breakages.forget_which_send_was_answered, LOST["a decline"]),
        (restore_breakages.trust_attempt_ids, LOST["a decline of another customer"]),
        (restore_breakages.trust_sweep_ids, LOST["a page"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_product_charges_twice_after_a_restore(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[pytest.MonkeyPatch], None],
    history: Callable[[], Restored],
):
    broken(monkeypatch)
    with pytest.raises(Violation, match="paid 2 times"):
        tell_restored(engine, replace(history(), rules=RULES[0]))


def test_product_without_the_restore_guard_charges_twice_after_a_restore(engine: Engine):
    with pytest.raises(Violation, match="paid 2 times"):
        tell_restored(engine, Restored(rules=RULES[0], worker_class=BlindWorker))
