"""A walk through what comes in some days, from where the last one has stopped; what is due of it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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

CHUNK = 1000
"""Rows that one query reads."""

LOOKED = 20_000
"""Rows that one walk reads in one tick: 5 million monthly subscriptions take half an hour, and a tick a second."""

ADDED_AT_ONCE = 50
"""Notices of one transaction: what a worker that dies has worked out in vain."""

log = structlog.get_logger()


class Coming(Protocol):
    """Something that comes, of one subscription."""

    @property
    def code(self) -> str: ...

    @property
    def place(self) -> Place: ...


T = TypeVar("T", bound=Coming)


@dataclass(frozen=True, slots=True)
class Walk(Generic[T]):
    """What is walked through: how it is read, and what is told of one row, if anything."""

    name: str
    read: Callable[[Session, Place, int], Sequence[T]]
    told_of: Callable[[T], NewNotice | None]


def go_on(
    sessions: Sessions, walk: Walk[T], *, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> tuple[int, int]:
    """Go on with a walk, and begin it again where it has come to its end; return how much was looked at and told."""
    with sessions() as session:
        place = notices.walked_to(session, walk.name) or START
    looked = told = 0
    while looked < LOOKED and not stopping():
        with sessions() as session:
            rows = walk.read(session, place, CHUNK)
        told += _tell(sessions, walk, rows, now)
        looked += len(rows)
        place = rows[-1].place if len(rows) == CHUNK else START
        if place == START:
            break
    with sessions.begin() as session:
        notices.walk_on(session, walk.name, place)
    return looked, told


def _tell(sessions: Sessions, walk: Walk[T], rows: Sequence[T], now: datetime) -> int:
    told, waiting = 0, list[NewNotice]()
    for notice in _made(walk, rows):
        waiting.append(notice)
        if len(waiting) == ADDED_AT_ONCE:
            told += _added(sessions, waiting, now)
            waiting.clear()
    return told + _added(sessions, waiting, now)


def _made(walk: Walk[T], rows: Sequence[T]) -> Iterable[NewNotice]:
    """Make each notice on its own: a subscription of which none can be made keeps it from no other."""
    for row in rows:
        try:
            notice = walk.told_of(row)
        except (ValueError, LookupError, OSError, Refused) as error:
            log.error("no notice can be made", subscription=row.code, reason=str(error))  # noqa: TRY400
            continue
        if notice is not None:
            yield notice


def _added(sessions: Sessions, made: Sequence[NewNotice], now: datetime) -> int:
    if not made:
        return 0
    with sessions.begin() as session:
        return notices.add(session, made, now=now)
