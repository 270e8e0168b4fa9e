"""Time slices: payments that may show late are read again, and old ones are not read twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reconciliation.time_slices import (
    FEW_PAYMENTS,
    FIRST_WIDTH,
    MAX_PAYMENTS,
    MAX_WIDTH,
    MIN_WIDTH,
    OVERLAP,
    PAGE,
    TimeSlices,
    payments_per_slice,
)

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
QUIET = timedelta(minutes=30)
DAY = timedelta(days=1)


def slices(position: datetime, until: datetime = NOW, started_at: datetime = NOW, pause: float = 0.5) -> TimeSlices:
    return TimeSlices(position=position, until=until, started_at=started_at, quiet_period=QUIET, pause=pause)


@pytest.mark.parametrize(
    ("position", "started_at", "since"),
    [
        (NOW - DAY, NOW, NOW - DAY),  # old when the sweep began: what lies before was read completely
        (NOW, NOW, NOW - QUIET),  # read just now
        (NOW - timedelta(minutes=10), NOW, NOW - QUIET),  # of the last half an hour, some may have shown since
        (NOW, NOW - DAY, NOW - QUIET),  # when it was read is not known; at the latest just now
        (NOW - 2 * DAY, NOW - DAY, NOW - 2 * DAY),
    ],
)
def test_run_starts_where_payments_may_have_shown_since(position, started_at, since):
    assert slices(position, NOW + DAY, started_at).next(NOW).since == since - OVERLAP


def test_next_slice_starts_after_an_old_one_and_within_a_young_one():
    run = slices(NOW - 2 * DAY)
    first = run.next(NOW)
    run.advance(first, read_at=NOW, payments=FEW_PAYMENTS)
    second = run.next(NOW)
    assert (first.until, second.since, second.until) == (NOW - DAY, NOW - DAY - OVERLAP, NOW)
    run.advance(second, read_at=NOW, payments=FEW_PAYMENTS)
    assert run.next(NOW + timedelta(minutes=5)).since == NOW - QUIET - OVERLAP


def test_few_payments_widen_the_next_slice_and_too_many_narrow_it():
    run = slices(NOW - 300 * DAY)
    for _ in range(9):
        run.advance(run.next(NOW), read_at=NOW, payments=FEW_PAYMENTS - 1)
    assert run.next(NOW).until - run.position == MAX_WIDTH
    run.narrow()
    assert run.next(NOW).until - run.position == MAX_WIDTH / 4
    run.narrow(total=100 * MAX_PAYMENTS)
    assert run.next(NOW).until - run.position == MAX_WIDTH / 4 / 200, "half of what fits, at once"


def test_slice_of_minimum_width_is_read_without_limit():
    run = slices(NOW - DAY)
    assert run.next(NOW).limit == MAX_PAYMENTS
    for _ in range(9):
        run.narrow()
    narrowest = run.next(NOW)
    assert (narrowest.until - run.position, narrowest.limit) == (MIN_WIDTH, None)
    run.advance(narrowest, read_at=NOW, payments=FEW_PAYMENTS)
    assert run.next(NOW).limit is None, "it stays narrow while there are many"


def test_slice_that_ends_soon_is_narrowed_too():
    run = slices(NOW - DAY / 2)
    run.narrow()
    assert run.next(NOW).until - run.position == DAY / 8


@pytest.mark.parametrize(
    ("pause", "limit"),
    [
        (0.5, MAX_PAYMENTS),
        (0.0, MAX_PAYMENTS),
        (4.0, 10 * PAGE),  # ten pages in forty seconds
        (100.0, PAGE),  # never less than a page
    ],
)
def test_slow_worker_reads_fewer_payments_at_once(pause, limit):
    assert payments_per_slice(pause) == limit


steps = st.lists(
    st.tuples(st.integers(0, 7200), st.integers(0, 2 * MAX_PAYMENTS), st.booleans(), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(steps)
def test_payment_shown_within_a_quiet_period_is_always_read(steps):
    """A run may end after any time_slice, and another one go on from the position."""
    started_at, until = NOW, NOW + 2 * QUIET
    now, run = NOW, slices(NOW - DAY, until)
    complete_to = NOW - DAY  # of what was made before, all is read
    for seconds, payments, narrowed, died in steps:
        if run.position >= until:
            break
        if died:
            run = slices(run.position, until, started_at)
        if narrowed:
            run.narrow()
        time_slice = run.next(now)
        assert time_slice.since <= complete_to
        assert run.position < time_slice.until <= now or now <= run.position
        complete_to = max(complete_to, min(time_slice.until, now - QUIET))
        run.advance(time_slice, read_at=now, payments=payments)
        now += timedelta(seconds=seconds)
    assert FIRST_WIDTH == DAY
