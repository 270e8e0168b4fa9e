"""The pace of a PG's calls: over no span more than its rate and half a second's more, and none is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.open_hours import OpenHours
from worker.domain.channel_rules import (
    BURST_SECONDS,
    LOOK_SECONDS,
    MOST_CALLS_PER_SECOND,
    ChannelRules,
    closed,
    free_after,
    turn,
)
from worker.domain.errors import Refused

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)


def play(rate: int, claims: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Claim what is wanted, so many seconds after the one before; return when how much was let through."""
    free_at: datetime | None = None
    at, made = 0.0, []
    for after, wanted in claims:
        at += after
        now = NOW + timedelta(seconds=at)
        given_now = turn(ChannelRules(rate), wanted, free_at=free_at, in_flight=0, now=now)
        free_at = free_after(given_now.calls, rate, free_at=free_at, now=now)
        made.append((at, given_now.calls))
    return made


CLAIMS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), min_size=1, max_size=60)


@given(rate=st.integers(1, 300), claims=CLAIMS)
def test_no_span_has_more_calls_than_its_rate_and_half_a_second_more(rate: int, claims: list[tuple[float, int]]):
    made = play(rate, claims)
    for first in range(len(made)):
        for last in range(first, len(made)):
            span = made[last][0] - made[first][0]
            calls = sum(count for _, count in made[first : last + 1])
            assert calls <= rate * (span + BURST_SECONDS) + 1.001


@pytest.mark.parametrize("rate", [1, 3, 50, 997])
def test_workers_that_look_again_when_they_are_told_use_the_rate_up(rate: int):
    free_at: datetime | None = None
    now, calls = NOW, 0
    while now < NOW + timedelta(seconds=60):
        given_now = turn(ChannelRules(rate), 1000, free_at=free_at, in_flight=0, now=now)
        free_at = free_after(given_now.calls, rate, free_at=free_at, now=now)
        calls += given_now.calls
        now += timedelta(seconds=max(given_now.wait, LOOK_SECONDS))
    assert 60 * rate * 0.98 <= calls <= 60 * rate * 1.02 + 1


def test_calls_in_flight_of_all_workers_are_no_more_than_is_set():
    rules = ChannelRules(in_flight=10)
    assert turn(rules, 100, free_at=None, in_flight=7, now=NOW).calls == 3
    assert turn(rules, 100, free_at=None, in_flight=12, now=NOW).calls == 0
    assert turn(rules, 2, free_at=None, in_flight=0, now=NOW).calls == 2


def test_clock_that_was_set_back_lets_no_call_through_early_and_stops_none_long():
    ahead = NOW + timedelta(hours=5)
    assert turn(ChannelRules(50), 100, free_at=ahead, in_flight=0, now=NOW).calls == 0
    free_at = free_after(0, 50, free_at=ahead, now=NOW)
    assert turn(ChannelRules(50), 100, free_at=free_at, in_flight=0, now=NOW + timedelta(seconds=1)).calls > 0


def test_no_rule_lets_everything_through():
    assert turn(ChannelRules(), 500, free_at=None, in_flight=9_999, now=NOW).calls == 500
    assert closed({"kakaopay": ChannelRules()}, NOW) == []


def test_pg_is_closed_outside_of_its_hours():
    hours = ChannelRules(open_hours=OpenHours(hours="08:00-12:00"))  # NOW is noon in Seoul
    assert closed({"payco": hours, "kakaopay": ChannelRules(50)}, NOW) == ["payco"]
    assert closed({"payco": hours}, NOW - timedelta(minutes=1)) == []


@pytest.mark.parametrize("value", [0, -1, MOST_CALLS_PER_SECOND + 1])
def test_limit_that_is_none_is_refused(value: int):
    with pytest.raises(Refused, match="calls per second cannot be set"):
        ChannelRules(calls_per_second=value)
