"""A walk through what comes in some days, from where the last one has stopped; what is due of it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import structlog
from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.ledger import notices
from worker.ledger.due_subscriptions import START, Place
from worker.ledger.notices import NewNotice
from worker.notices.ahead_queries import Part

CHUNK = 1000
"""Rows that one query reads."""

LOOKED = 20_000
"""Rows that one walk reads in one tick: 5 million monthly subscriptions take less than an hour."""

ADDED_AT_ONCE = 50
"""Notices of one transaction: what a worker that dies has worked out in vain."""

TOLD = 5_000
"""Notices after which a walk ends for this tick, whatever it has read: they take some seconds, and others wait."""

log = structlog.get_logger()


class Coming(Protocol):
    """Something that comes, of one subscription."""

    @property
    def code(self) -> str: ...


T = TypeVar("T", bound=Coming)
R = TypeVar("R")

Maker = Callable[[T, datetime], NewNotice | None]
"""Makes the notice of one row that was due at an instant, if there is anything to tell."""


@dataclass(frozen=True, slots=True)
class Walk(Generic[T]):
    """What is walked through: how it is read, which rows are told of now, and what makes the notices of some rows."""

    name: str
    read: Callable[[Session, Place, int], Part[T]]
    due_at: Callable[[T], datetime | None]
    maker: Callable[[Sequence[T]], Maker[T]]


def go_on(
    sessions: Sessions, walk: Walk[T], *, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> tuple[int, int]:
    """Go on with a walk, and begin it again where it has come to its end; return how much was looked at and told."""
    with sessions() as session:
        place = notices.walked_to(session, walk.name) or START
    looked = told = 0
    while looked < LOOKED and told < TOLD and not stopping():
        with sessions() as session:
            part = walk.read(session, place, CHUNK)
        told += _tell(sessions, walk, part.untold, now)
        looked += part.looked
        place = part.last if part.looked == CHUNK else START
        if place == START:
            break
    with sessions.begin() as session:
        notices.walk_on(session, walk.name, place)
    return looked, told


def _tell(sessions: Sessions, walk: Walk[T], rows: Sequence[T], now: datetime) -> int:
    due = list(_each(rows, walk.due_at))
    told = 0
    for first in range(0, len(due), ADDED_AT_ONCE):
        batch = dict(due[first : first + ADDED_AT_ONCE])
        make = walk.maker(list(batch))
        made = [notice for _, notice in _each(batch, lambda row: make(row, batch[row]))]  # noqa: B023 - used at once
        told += _added(sessions, made, now)
    return told


def _each(rows: Iterable[T], work: Callable[[T], R | None]) -> Iterator[tuple[T, R]]:
    """Work on each row on its own: one of which no notice can be made keeps it from no other."""
    for row in rows:
        try:
            result = work(row)
        except (ValueError, LookupError, OSError, Refused) as error:
            log.error("no notice can be made", subscription=row.code, reason=str(error))  # noqa: TRY400
            continue
        if result is not None:
            yield row, result


def _added(sessions: Sessions, made: Sequence[NewNotice], now: datetime) -> int:
    if not made:
        return 0
    with sessions.begin() as session:
        return notices.add(session, made, now=now)
