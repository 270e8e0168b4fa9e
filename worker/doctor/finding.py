"""What a check is given and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from worker.runtime import Runtime


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works, but somebody should know
    BROKEN = "broken"
    SKIPPED = "skipped"  # cannot be found out while something before it is broken


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` says what to do, and is empty when nothing is to be done."""

    check: str
    health: Health
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks look at. Without an address of the database or the broker, the reason stands in its place."""

    runtime: Runtime
    broker_url: str = field(repr=False)  # it may hold a password
    no_database: str
    visibility_timeout: int
    task_time_limit: int

    @property
    def now(self) -> datetime:
        return self.runtime.clock()


def ok(check: str, finding: str) -> Finding:
    return Finding(check, Health.OK, finding)


def warning(check: str, finding: str, remedy: str) -> Finding:
    return Finding(check, Health.WARNING, finding, remedy)


def broken(check: str, finding: str, remedy: str) -> Finding:
    return Finding(check, Health.BROKEN, finding, remedy)
