"""Faults, and where they strike: every point at which a process can be stopped has a number and a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Crash(BaseException):
    """The process ends here: passes every `except Exception`, and rolls back the open transaction."""


class Kind(StrEnum):
    CRASH = "crash"
    FREEZE = "freeze"  # the process stands still, then goes on as if nothing had been
    SUSPEND = "suspend"  # the whole machine stands still, and its monotonic clock with it
    LOSE_DATABASE = "lose_database"  # the connection breaks at a commit; before or after it took effect
    REFUSE = "refuse"  # no connection to PortOne
    LOSE_REQUEST = "lose_request"  # it left, and never arrives
    SET_CLOCK = "set_clock"  # of the worker's machine, ahead or back
    SET_DATABASE_CLOCK = "set_database_clock"


STANDSTILLS = frozenset({Kind.FREEZE, Kind.SUSPEND})
SETTINGS = frozenset({Kind.SET_CLOCK, Kind.SET_DATABASE_CLOCK})


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}({self.seconds:g}s)" if self.seconds else self.kind.value


@dataclass(frozen=True, slots=True)
class Point:
    """One place in one history. `what` names it, such as `again: sent` or `claim_within_limits: before commit`."""

    number: int
    worker: str
    what: str

    @property
    def of_a_charge(self) -> bool:
        """Whether a request that may move money is unanswered here."""
        return self.what.startswith("again")

    def __str__(self) -> str:
        return f"{self.number} {self.worker} {self.what}"


BEFORE_COMMIT = "before commit"
AFTER_COMMIT = "after commit"
NOT_SENT = "not sent"
SENT = "sent"
ANSWER_UNDER_WAY = "answer under way"
ANSWERED = "answered"

Plan = Callable[[Point], Fault | None]
"""Returns the fault at a point."""


def nothing(point: Point) -> Fault | None:
    """Return no fault anywhere."""
    return None


def at(faults: Mapping[int, Fault]) -> Plan:
    """Return the faults of points by their numbers."""
    return lambda point: faults.get(point.number)


def first_time(what: str, fault: Fault) -> Plan:
    """Return one fault, where a named point is reached for the first time."""
    return nth_time(1, what, fault)


def nth_time(number: int, what: str, fault: Fault) -> Plan:
    reached: list[Point] = []

    def plan(point: Point) -> Fault | None:
        if point.what != what:
            return None
        reached.append(point)
        return fault if len(reached) == number else None

    return plan


def applies(kind: Kind, point: Point) -> bool:
    """Return whether a kind of fault has an effect at a point, and another one than at its neighbour."""
    if kind is Kind.LOSE_DATABASE:
        return point.what.endswith((BEFORE_COMMIT, AFTER_COMMIT))
    if kind in (Kind.REFUSE, Kind.LOSE_REQUEST):
        return point.what.endswith(NOT_SENT)
    if kind in STANDSTILLS | SETTINGS:
        return not point.what.endswith(BEFORE_COMMIT)
    return True
