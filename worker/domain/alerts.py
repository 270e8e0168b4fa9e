"""What operators are told of troubles: each once, with its end, and never a flood. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

GONE_FOR = timedelta(minutes=10)
"""How long a trouble has to be gone before its end is told: one that comes back sooner has not ended."""

BACK_FOR = timedelta(minutes=10)
"""How long the workers have to be back, after none was there, before troubles are told that may pass by then."""

TOLD_EVERY = timedelta(minutes=10)
"""How long after a message about a trouble the next one comes at the earliest, when there is more of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a check of `again doctor` finds now: what is wrong, and what to do about it."""

    check: str
    subjects: frozenset[str]  # what it is about, such as the PGs that are stopped
    finding: str
    remedy: str
    may_pass: bool = False  # once the workers have worked for a while; no operator has to decide anything


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingAlert:
    """An alert that is open, as it was told last."""

    id: int
    check: str
    subjects: frozenset[str]  # everything that it was about since it was opened
    told_at: datetime
    gone_at: datetime | None  # since when its trouble is not found any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of alerts."""

    opened: tuple[Trouble, ...] = ()
    grown: tuple[tuple[StandingAlert, Trouble], ...] = ()  # there is more of it, and that is told
    returned: tuple[int, ...] = ()  # it was gone for a while, and was not
    gone: tuple[int, ...] = ()  # it is not found any more, which is told once that has lasted
    closed: tuple[int, ...] = ()


def decide(
    troubles: Iterable[Trouble], standing: Iterable[StandingAlert], *, now: datetime, back_at: datetime | None = None
) -> Decided:
    """Return what becomes of alerts, given every trouble that there is now.

    `back_at` is when a worker was back after none had been there. What that left behind is not told before there was
    time for it to pass; an alert that is open stays so meanwhile.
    """
    just_back = back_at is not None and now - back_at < BACK_FOR
    found: Mapping[str, Trouble] = {trouble.check: trouble for trouble in troubles}
    telling = {check: trouble for check, trouble in found.items() if not (just_back and trouble.may_pass)}
    alerts: Mapping[str, StandingAlert] = {alert.check: alert for alert in standing}
    gone = [alert for alert in alerts.values() if alert.check not in found]
    return Decided(
        opened=tuple(trouble for check, trouble in telling.items() if check not in alerts),
        grown=tuple(
            (alert, telling[check])
            for check, alert in alerts.items()
            if check in telling and telling[check].subjects - alert.subjects and now - alert.told_at >= TOLD_EVERY
        ),
        returned=tuple(alert.id for check, alert in alerts.items() if check in found and alert.gone_at is not None),
        gone=tuple(alert.id for alert in gone if alert.gone_at is None),
        closed=tuple(alert.id for alert in gone if alert.gone_at is not None and now - alert.gone_at >= GONE_FOR),
    )
