"""The dates on which tests run, and which tests run on each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SEOUL, NEW_YORK = "Asia/Seoul", "America/New_York"

GUARD = "tests/dates/test_clocks.py"
"""The tests that every clock is moved; without them a run proves nothing."""

COMMANDS = "tests/integration/cli"
TABLES = tuple(
    f"tests/integration/{room}" for room in ("database", "ledger", "subscriptions", "checkout", "operations")
)
REAL_TIME = ("tests/integration/web", "tests/integration/database/test_clock_users.py")
STORIES = (
    "tests/scenarios/charging/test_charging.py",
    "tests/scenarios/charging/test_charge_limits.py",
    "tests/scenarios/subscriptions/test_subscriptions.py",
)


@dataclass(frozen=True)
class Moment:
    """One run: its start by every clock of its processes, its time zone, and its tests."""

    name: str
    begins_at: datetime
    zone: str
    tests: tuple[str, ...]


def moments(today: datetime) -> tuple[Moment, ...]:
    """Return the runs. Every folder that reads a clock runs on at least two dates; together five minutes."""

    def at(zone: str, *moment: int) -> datetime:
        return datetime(*moment, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type, misc] # year, month, day, hour, ...

    return (
        Moment(
            "28 February 2027 in Seoul, over midnight into March",
            at(SEOUL, 2027, 2, 28, 23, 59, 30),
            SEOUL,
            (*TABLES, *REAL_TIME),
        ),
        Moment(
            "29 February 2028 in Seoul", at(SEOUL, 2028, 2, 29, 9, 0), SEOUL, ("tests/unit", "tests/project", *STORIES)
        ),
        Moment(
            "31 December in Seoul, over midnight into the new year",
            at(SEOUL, today.year, 12, 31, 23, 58, 45),
            SEOUL,
            (COMMANDS, "tests/unit/schedules"),
        ),
        Moment(
            "14 March 2027 in New York, over the hour that summer time leaves out",
            at(NEW_YORK, 2027, 3, 14, 1, 59, 30),
            NEW_YORK,
            ("tests/unit/schedules", *TABLES, "tests/scenarios/operations/test_invariant_check.py"),
        ),
        Moment(
            "a year from now",
            today.astimezone(UTC) + timedelta(days=365),
            "UTC",
            (
                *REAL_TIME,
                "tests/integration/sandbox",
                "tests/integration/portone",
                "tests/integration/doctor/test_tls.py",
            ),
        ),
    )
