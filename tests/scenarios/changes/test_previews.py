"""Previews: what is shown is what happens, however far ahead it is."""

from __future__ import annotations

from datetime import date

import pytest
from structlog.testing import capture_logs

from tests.scenarios.conftest import World
from tests.scenarios.subscriptions.changing import go_to, periods
from worker.changes.outlook import outlook
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused


def test_change_months_ahead_comes_to_what_its_preview_said_whatever_catches_up(world: World):
    world.plan("latest", catch_up="latest")
    code = world.subscribe(plan="latest")
    world.tick()
    world.change(ChangeKind.CREDIT, code, amount=29_700)
    preview = world.preview(ChangeKind.CHANGE_PLAN, code, date(2026, 4, 10), quantity=2)
    world.change(ChangeKind.CHANGE_PLAN, code, date(2026, 4, 10), quantity=2)
    go_to(world, date(2026, 6, 7))
    charged = periods(world, code)
    assert [row[2] for row in charged[1:4]] == [0, 0, 0]  # the credit is used up by three periods before
    assert charged[4][2] == preview.effect.charged == 8250
    assert [row[2] for row in charged[5:]] == [each.amount for each in preview.periods[:2]] == [19_800, 19_800]
    world.assert_books_agree()


def test_preview_tells_no_log_that_a_change_was_applied(world: World):
    code = world.subscribe()
    world.tick()
    world.change(ChangeKind.CHANGE_PLAN, code, quantity=2)
    with capture_logs() as logs:
        world.preview(ChangeKind.CREDIT, code, date(2026, 3, 1), amount=1000)
    assert logs == []
    with capture_logs() as logs:
        go_to(world, date(2026, 2, 6))
    assert "change applied" in [each["event"] for each in logs]


@pytest.mark.parametrize("discounted", [False, True])
def test_change_too_many_periods_ahead_is_refused_with_nothing_changed(world: World, discounted: bool):
    world.plan("daily", cadence="day")
    code = world.subscribe(plan="daily")
    world.tick()
    if discounted:
        world.change(ChangeKind.DISCOUNT, code, percent=10)
    with pytest.raises(Refused, match=r"at most 400 periods ahead.* before 2036-01-04\. Give an earlier date"):
        world.change(ChangeKind.CANCEL, code, date(2036, 1, 4))
    assert len(periods(world, code)) == 1
    # 400 more begin from 6 January 2026 to 9 February 2027.
    assert world.preview(ChangeKind.CANCEL, code, date(2027, 2, 10)).periods == ()
    with pytest.raises(Refused, match="at most 400 periods"):
        world.preview(ChangeKind.CANCEL, code, date(2027, 2, 11))


def test_change_beyond_another_that_makes_periods_short_is_bounded_too(world: World):
    world.plan("daily", cadence="day", amount="1000")
    code = world.subscribe()
    world.tick()
    world.change(ChangeKind.CHANGE_PLAN, code, plan="daily")
    with pytest.raises(Refused, match="at most 400 periods ahead"):
        world.preview(ChangeKind.CANCEL, code, date(2028, 1, 4))
    assert world.preview(ChangeKind.CANCEL, code, date(2026, 3, 1)).periods == ()


def test_subscription_far_behind_is_shown_without_its_next_periods(world: World):
    world.plan("daily", cadence="day")
    code = world.subscribe(plan="daily")
    world.wait(days=500)
    assert outlook(world.runtime.sessions, code, policy=world.runtime.change_policy, now=world.now) == ()
