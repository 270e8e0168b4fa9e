"""When a clock is set, no customer is charged twice, and none waits for the length of the change."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.simulation.engine import set_clocks
from tests.simulation.engine.faults import Fault, Kind
from tests.simulation.engine.set_clocks import LONG, TrustsItsOwnClock, tell_each, tell_every_setting
from tests.simulation.engine.verdict import Violation


def test_clock_set_at_any_point_charges_no_customer_twice(engine: Engine, thorough: bool):
    assert tell_every_setting(engine, thorough=thorough) > 40


def test_workers_that_trust_their_own_clocks_charge_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    set_clocks.notice_no_step(monkeypatch)
    with pytest.raises(Violation, match="paid 2 times"):
        tell_each(engine, Fault(Kind.SET_CLOCK, -LONG), worker_class=TrustsItsOwnClock)


def test_workers_that_miss_a_set_database_clock_charge_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    set_clocks.notice_no_step(monkeypatch)
    with pytest.raises(Violation, match="paid 2 times"):
        tell_each(engine, Fault(Kind.SET_DATABASE_CLOCK, LONG))
