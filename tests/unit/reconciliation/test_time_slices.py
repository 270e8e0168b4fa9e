"""Which stretch a sweep reads next: nothing that may show late is missed, and nothing old is read twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reconciliation.time_slices import FEW, MANY, NARROWEST, PAGE, SLACK, WIDEST, WINDOW, Windows, most_at_once

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
QUIET = timedelta(minutes=30)
DAY = timedelta(days=1)


def windows(position: datetime, until: datetime = NOW, begun_at: datetime = NOW, pause: float = 0.5) -> Windows:
    return Windows(position=position, until=until, begun_at=begun_at, quiet_period=QUIET, pause=pause)


@pytest.mark.parametrize(
    ("position", "begun_at", "since"),
    [
        (NOW - DAY, NOW, NOW - DAY),  # old when the sweep began: whoever read what lies before, read all of it
        (NOW, NOW, NOW - QUIET),  # read just now
        (NOW - timedelta(minutes=10), NOW, NOW - QUIET),  # of the last half an hour, some may have shown since
        (NOW, NOW - DAY, NOW - QUIET),  # nobody knows when it was read; at the latest just now
        (NOW - 2 * DAY, NOW - DAY, NOW - 2 * DAY),
    ],
)
def test_a_run_begins_where_something_may_have_shown_since(position, begun_at, since):
    assert windows(position, NOW + DAY, begun_at).following(NOW).since == since - SLACK


def test_the_next_window_begins_behind_an_old_one_and_within_a_young_one():
    run = windows(NOW - 2 * DAY)
    first = run.following(NOW)
    run.passed(first, read_at=NOW, payments=FEW)
    second = run.following(NOW)
    assert (first.until, second.since, second.until) == (NOW - DAY, NOW - DAY - SLACK, NOW)
    run.passed(second, read_at=NOW, payments=FEW)
    assert run.following(NOW + timedelta(minutes=5)).since == NOW - QUIET - SLACK


def test_few_payments_make_the_next_window_wider_and_too_many_narrow_this_one():
    run = windows(NOW - 300 * DAY)
    for _ in range(9):
        run.passed(run.following(NOW), read_at=NOW, payments=FEW - 1)
    assert run.following(NOW).until - run.position == WIDEST
    run.narrow()
    assert run.following(NOW).until - run.position == WIDEST / 4
    run.narrow(total=100 * MANY)
    assert run.following(NOW).until - run.position == WIDEST / 4 / 200, "half of what fits, at once"


def test_at_the_narrowest_everything_is_read():
    run = windows(NOW - DAY)
    assert run.following(NOW).most == MANY
    for _ in range(9):
        run.narrow()
    narrowest = run.following(NOW)
    assert (narrowest.until - run.position, narrowest.most) == (NARROWEST, None)
    run.passed(narrowest, read_at=NOW, payments=FEW)
    assert run.following(NOW).most is None, "it stays narrow while there are many"


def test_a_window_that_ends_soon_is_narrowed_all_the_same():
    run = windows(NOW - DAY / 2)
    run.narrow()
    assert run.following(NOW).until - run.position == DAY / 8


@pytest.mark.parametrize(
    ("pause", "most"),
    [
        (0.5, MANY),
        (0.0, MANY),
        (4.0, 10 * PAGE),  # ten pages in forty seconds
        (100.0, PAGE),  # never less than a page
    ],
)
def test_who_asks_slowly_reads_less_at_once(pause, most):
    assert most_at_once(pause) == most


steps = st.lists(
    st.tuples(st.integers(0, 7200), st.integers(0, 2 * MANY), st.booleans(), st.booleans()), min_size=1, max_size=40
)


@given(steps)
def test_whatever_shows_within_a_quiet_period_is_read_or_lies_ahead(steps):
    """A run may end after any window, and another one go on from the position."""
    begun_at, until = NOW, NOW + 2 * QUIET
    now, run = NOW, windows(NOW - DAY, until)
    complete_to = NOW - DAY  # of what was made before, all is read
    for seconds, payments, narrowed, died in steps:
        if run.position >= until:
            break
        if died:
            run = windows(run.position, until, begun_at)
        if narrowed:
            run.narrow()
        window = run.following(now)
        assert window.since <= complete_to
        assert run.position < window.until <= now or now <= run.position
        complete_to = max(complete_to, min(window.until, now - QUIET))
        run.passed(window, read_at=now, payments=payments)
        now += timedelta(seconds=seconds)
    assert WINDOW == DAY
