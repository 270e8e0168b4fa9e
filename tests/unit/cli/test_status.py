"""What `again status` shows in red."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.cli.status import LATE, _seen

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "seconds", "is_late"),
    [
        ("again.relay", 20, False),  # its tick comes every second, and waits while every process is busy
        ("again.relay", 31, True),
        ("beat", 20, False),
        ("beat", 31, True),
        ("again.open_charges", 179, False),
        ("again.open_charges", 181, True),
    ],
)
def test_part_is_late_after_three_intervals_and_half_a_minute(name: str, seconds: int, is_late: bool):
    assert (_seen(name, NOW - timedelta(seconds=seconds), NOW).style == LATE) is is_late


def test_part_that_was_never_seen_is_late():
    assert _seen("beat", None, NOW).style == LATE
