"""A link has PortOne asked so often and no oftener, and what is remembered of links has an end."""

from __future__ import annotations

import pytest

from worker.web.http import rate_limit
from worker.web.http.rate_limit import BURST, SECONDS_PER_LOOKUP, RateLimit


class Seconds:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_look_ups_after_the_burst_are_allowed_every_two_seconds():
    clock = Seconds()
    asked = RateLimit(monotonic=clock)
    assert [asked.allow("a") for _ in range(BURST + 2)] == [True] * BURST + [False, False]
    clock.now += SECONDS_PER_LOOKUP
    assert [asked.allow("a"), asked.allow("a")] == [True, False]
    assert asked.allow("b")  # another link has its own


def test_long_pause_refills_the_bucket_to_the_burst_and_no_further():
    clock = Seconds()
    asked = RateLimit(monotonic=clock)
    asked.allow("a")
    clock.now += 86_400
    assert sum(asked.allow("a") for _ in range(2 * BURST)) == BURST


def test_refused_look_up_costs_no_token():
    clock = Seconds()
    asked = RateLimit(monotonic=clock)
    for _ in range(1000):
        asked.allow("a")
    clock.now += SECONDS_PER_LOOKUP
    assert asked.allow("a")


def test_least_recently_used_link_is_forgotten_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limit, "MAX_LINKS", 2)
    asked = RateLimit(monotonic=Seconds())
    for code in "abacad":
        asked.allow(code)
    assert list(asked._buckets) == ["a", "d"]
