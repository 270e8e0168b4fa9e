"""When what was not delivered is sent again, and when a destination is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.events.retries import (
    DOWN_AFTER,
    GIVEN_UP_AFTER,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    SHORTEST_WAIT,
    Health,
    after,
    next_wait,
)

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def test_waits_rise_from_seconds_to_hours_over_three_days():
    now, waits = NOW, []
    while now - NOW < GIVEN_UP_AFTER:
        waits.append(next_wait(NOW, now))
        now += waits[-1]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (SHORTEST_WAIT, LONGEST_WAIT)
    assert 20 < len(waits) < 60


def test_failure_that_lies_ahead_of_a_clock_set_back_waits_the_shortest():
    assert next_wait(NOW + timedelta(days=1), NOW) == SHORTEST_WAIT


def test_few_failures_pause_nothing():
    health = after(Health(), delivered=0, failed=DOWN_AFTER - 1, now=NOW)
    assert (health.is_down, health.next_try_at, health.failing_since) == (False, None, NOW)


def test_destination_that_takes_nothing_is_down_and_tried_within_minutes():
    health = Health()
    now = NOW
    for _ in range(40):
        health = after(health, delivered=0, failed=DOWN_AFTER, now=now)
        assert health.is_down
        assert health.next_try_at is not None
        assert SHORTEST_WAIT <= health.next_try_at - now <= LONGEST_PAUSE
        now = health.next_try_at
    assert health.failing_since == NOW


def test_destination_that_takes_anything_is_well():
    down = after(Health(), delivered=0, failed=100, now=NOW)
    assert after(down, delivered=1, failed=50, now=NOW) == Health()


@pytest.mark.parametrize(
    ("failures", "after_start", "given_up"),
    [
        (DOWN_AFTER, GIVEN_UP_AFTER, True),
        (DOWN_AFTER, GIVEN_UP_AFTER - timedelta(seconds=1), False),
        (1, GIVEN_UP_AFTER * 2, False),  # too few tries: it was not the destination that was away for so long
    ],
)
def test_destination_is_given_up_after_three_days_of_failures(failures: int, after_start: timedelta, given_up: bool):
    health = after(Health(), delivered=0, failed=failures, now=NOW)
    assert health.given_up(NOW + after_start) is given_up


def test_nothing_that_came_of_calls_changes_nothing():
    health = Health(failures=3, failing_since=NOW)
    assert after(health, delivered=0, failed=0, now=NOW + timedelta(days=1)) == health
