"""What was told is corrected where it costs the customer more, or earlier."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from schedules.plans import SEOUL
from worker.domain.notices.corrections import Told

ON = datetime(2026, 3, 15, 10, tzinfo=SEOUL)
A_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "is_worse"),
    [
        (Told(9_900, ON), False),
        (Told(9_901, ON), True),
        (Told(9_899, ON), False),
        (Told(9_900, ON + A_DAY), False),
        (Told(9_900, ON - A_DAY), True),
        (Told(9_901, ON + A_DAY), True),
        (Told(1, ON - A_DAY), True),
    ],
)
def test_more_or_earlier_is_worse_and_less_or_later_is_not(now: Told, is_worse: bool):
    assert now.is_worse_than(Told(9_900, ON)) is is_worse
