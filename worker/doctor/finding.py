"""What a health check is given and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from worker.runtime import Runtime


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works, but an operator should know
    BROKEN = "broken"
    SKIPPED = "skipped"  # cannot be checked while something it depends on is broken


class Code(StrEnum):
    """What a finding is about, where other code or a script acts on it."""

    NO_DATABASE = "no_database"  # none is configured, and nothing embedded exists
    DATABASE_UNREACHABLE = "database_unreachable"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` says what to do, and is empty when nothing is to be done."""

    check: str
    health: Health
    finding: str
    remedy: str = ""
    code: Code | None = None
    subjects: tuple[str, ...] = ()  # what it is about, where that may become more


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Input of the health checks. `no_database` holds the reason when no database is configured."""

    runtime: Runtime
    broker_url: str = field(repr=False)  # it may hold a password; empty when there is no broker
    no_database: str = ""
    full: Callable[[str], None] | None = None  # judge every row by the invariants, and tell here how far that has come

    ahead: timedelta = timedelta(0)  # of this machine's clock, by which a command goes: the sandbox's clock was turned

    @property
    def now(self) -> datetime:
        return self.runtime.clock() + self.ahead


def ok(check: str, finding: str) -> Finding:
    return Finding(check, Health.OK, finding)


def warning(check: str, finding: str, remedy: str, *, subjects: Iterable[str] = ()) -> Finding:
    return Finding(check, Health.WARNING, finding, remedy, subjects=tuple(subjects))


def broken(check: str, finding: str, remedy: str, *, code: Code | None = None, subjects: Iterable[str] = ()) -> Finding:
    return Finding(check, Health.BROKEN, finding, remedy, code, tuple(subjects))


def skipped(check: str, needs: str) -> Finding:
    return Finding(check, Health.SKIPPED, f"needs {needs}")
