"""A process that dies while a change is asked for or applied: it is applied once, and never half."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.simulation.changes import breakages
from tests.simulation.changes.acts import ACTS, USUAL, Act
from tests.simulation.changes.one_change import tell_all
from tests.simulation.engine.faults import Fault, Kind
from tests.simulation.engine.verdict import Violation
from worker.changes.registry import KINDS

CRASH, LOST_DATABASE = Fault(Kind.CRASH), Fault(Kind.LOSE_DATABASE)
BY_NAME = {act.name: act for act in ACTS}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "act" in metafunc.fixturenames:
        acts = ACTS if metafunc.config.getoption("--thorough", default=False) else USUAL
        metafunc.parametrize("act", acts, ids=lambda act: act.name)


def test_crash_at_any_commit_applies_a_change_once_and_never_half(engine: Engine, act: Act):
    assert len(list(tell_all(engine, act, CRASH))) > 1


@pytest.mark.parametrize("name", ["credit now", "change_plan now"])
def test_connection_lost_at_any_commit_applies_a_change_once(engine: Engine, name: str):
    assert len(list(tell_all(engine, BY_NAME[name], LOST_DATABASE))) > 1


def test_every_kind_of_change_is_stopped():
    assert {act.kind for act in USUAL} == set(KINDS)


def test_change_applied_and_ended_in_two_transactions_is_applied_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    breakages.end_in_another_transaction(monkeypatch)
    with pytest.raises(Violation, match=r"credit later, crash at .* commit"):
        list(tell_all(engine, BY_NAME["credit later"], CRASH))
