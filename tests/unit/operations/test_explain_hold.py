"""What people read of a hold: what it waits for, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.operations.explain_hold import explain_hold

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
QUIET = timedelta(minutes=30)


@dataclass(frozen=True)
class Held:
    started_at: datetime = NOW - timedelta(minutes=10)
    until: datetime = NOW + timedelta(minutes=20)
    position: datetime = NOW - timedelta(minutes=1)
    lease_until: datetime = NOW
    failure: str | None = None


@pytest.mark.parametrize(
    ("hold", "reason", "remedy"),
    [
        (Held(), "until 2026-11-30 12:20:00 KST, when nothing", "by itself"),
        (replace(Held(), until=NOW), "payments up to 2026-11-30 12:00:00 KST", "by itself"),
        (replace(Held(), failure="503"), "could not be read: 503", "PortOne's status"),
        (replace(Held(), lease_until=NOW - timedelta(minutes=2)), "no worker compares", "start a worker"),
    ],
)
def test_a_hold_in_order_says_what_it_waits_for(hold: Held, reason: str, remedy: str):
    waiting = explain_hold(hold, now=NOW, quiet_period=QUIET)
    assert not waiting.broken
    assert reason in waiting.reason
    assert remedy in waiting.remedy


@pytest.mark.parametrize(
    "hold",
    [
        replace(Held(), started_at=NOW + timedelta(hours=2), until=NOW + timedelta(hours=2, minutes=30)),
        replace(Held(), started_at=NOW + timedelta(minutes=5), until=NOW + timedelta(minutes=5)),
        replace(Held(), until=NOW + timedelta(hours=9)),
    ],
)
def test_hold_in_the_future_is_broken_and_can_be_released(hold: Held):
    waiting = explain_hold(hold, now=NOW, quiet_period=QUIET)
    assert waiting.broken
    assert "again sweep --release" in waiting.remedy


def test_a_hold_of_clocks_that_differ_by_seconds_is_in_order():
    hold = Held(started_at=NOW + timedelta(seconds=20), until=NOW + QUIET + timedelta(seconds=20))
    assert not explain_hold(hold, now=NOW, quiet_period=QUIET).broken
