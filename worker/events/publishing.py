"""Publishing: facts become events, in the order in which others read them, and are queued for every destination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import structlog

from worker.config import tracing
from worker.database.engine import Sessions
from worker.domain.events.facts import Fact, NewEvent, NotInCatalogue, event_of
from worker.events import delivery_queries
from worker.events.notice_keeping import NoticeKeeper
from worker.ledger import event_totals, outbox

log = structlog.get_logger()

BATCH = 500
"""Facts that one transaction takes out of the outbox."""


@dataclass(frozen=True, slots=True)
class Published:
    """How many events were written down, and how many facts have none because what they are about is gone."""

    events: int
    gone: int = 0

    def summary(self) -> dict[str, object]:
        return asdict(self)


def publish(
    sessions: Sessions, *, stopping: Callable[[], bool] = lambda: False, keeper: NoticeKeeper | None = None
) -> Published:
    """Write the events of all facts that are noted; where another process is doing that, nothing is left to do here.

    The notices that follow them are kept by `keeper`, in the same transaction.
    """
    events = gone = 0
    while not stopping():
        with tracing.span("publish"):
            taken, written = _publish_batch(sessions, keeper)
            tracing.note(events=written)
        events, gone = events + written, gone + taken - written
        if taken < BATCH:
            break
    return Published(events, gone)


def _publish_batch(sessions: Sessions, keeper: NoticeKeeper | None) -> tuple[int, int]:
    """Publish the oldest facts; return how many were taken out of the outbox, and how many are events now."""
    with sessions.begin() as session:
        if not outbox.write_alone(session):
            return 0, 0
        facts = outbox.take(session, BATCH)
        told = [(fact, event) for fact in facts if (event := _event_of(fact)) is not None]
        written = outbox.write(session, [event for _, event in told])
        delivery_queries.queue(session, written)
        event_totals.add(session, [fact for fact, _ in told])
        if keeper is not None:
            keeper.keep(session, told)
        return len(facts), len(written)


def _event_of(fact: Fact) -> NewEvent | None:
    """Return the event of a fact; None where what it is about was deleted, past the triggers that keep it.

    Nothing can be told of that any more, and it must not stand before all others for ever. Any other fact that has no
    event stops publishing where it is, so that none is lost and none overtakes it. Raises NotInCatalogue.
    """
    try:
        return event_of(fact)
    except NotInCatalogue:
        if not fact.gone:
            raise
        log.error(  # noqa: TRY400 - the log line says it all
            "a change of state has no event: its row is gone", type=fact.type.value, at=fact.at, gone=list(fact.gone)
        )
        return None
