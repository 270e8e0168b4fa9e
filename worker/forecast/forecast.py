"""The forecast: every charge of the days to come, in batches, as one consistent look at the database.

Charges that wait and periods that begin are worked out in one transaction that can write nothing. What changes decide
about is played afterwards, each subscription in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.blockers import Blocker
from worker.domain.channel_rules import opens_at
from worker.domain.errors import Refused
from worker.domain.forecast import Coming, Forecast, Mark
from worker.forecast import queries, summary_queries
from worker.forecast.asked import Asked
from worker.forecast.coming import Plans, Rules, coming_charges
from worker.forecast.gated import held_by_gate, without
from worker.forecast.playing import played
from worker.forecast.queries import ComingGroup, WaitingCharge
from worker.ledger import adjustments
from worker.ledger.channel_rules import channel_rules
from worker.ledger.due_subscriptions import START, Place
from worker.ledger.queues import queues_of_plans, waiting_queues

BATCH = 2000
"""Charges or subscriptions that are read at once."""

_READ_ONLY = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

log = structlog.get_logger()


def forecast(
    sessions: Sessions,
    asked: Asked,
    *,
    tell: Callable[[Coming], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda _played, _of: None,
) -> Forecast:
    """Return the forecast of some days. Writes nothing.

    `tell` is called with every charge of it, which is not kept, and `progress` with how many subscriptions are played.
    """
    made = Forecast(asked.days, asked.now)
    look = _Look(asked)
    with sessions() as session, session.begin():
        session.connection(execution_options=_READ_ONLY)
        plan_by_index(session)
        made.before = summary_queries.paid_on(session, asked.days.month_before)
        made.changes = summary_queries.changes_to_come(session, asked.parameters(session))
        for each in look.lines(session):
            made.add(each)
            tell(each)
    made.unreadable = look.unreadable
    for number, code in enumerate(look.planned):
        progress(number, len(look.planned))
        try:
            lines = [each for each in played(sessions, code, asked) if asked.has(each.at)]
        except (Refused, ValueError, LookupError, OSError) as error:
            made.unreadable += 1
            log.error("subscription cannot be billed", subscription=code, reason=str(error))  # noqa: TRY400
            continue
        for each in lines:
            made.add(each)
            tell(each)
    return made


@dataclass(slots=True)
class _Look:
    """One look at everything that comes. `planned` are the subscriptions that have to be played, found on the way."""

    asked: Asked
    planned: dict[str, None] = field(default_factory=dict)  # in the order in which they were found
    unreadable: int = 0
    rules: Rules = field(default_factory=dict)

    def lines(self, session: Session) -> Iterator[Coming]:
        parameters = self.asked.parameters(session)
        self.rules = channel_rules(session)
        for queue in (*waiting_queues(session), *queues_of_plans(session), None):
            yield from self._waiting(session, queue, parameters)
        yield from self._coming(session, parameters)
        self._changing(session, parameters)

    def _waiting(self, session: Session, queue: str | None, parameters: queries.Parameters) -> Iterator[Coming]:
        after: Place = START
        while rows := queries.waiting(session, queue, parameters, after=after, limit=BATCH):
            for row in rows:
                if row.is_planned:
                    self.planned[row.subscription] = None
                elif (each := _line(row, self.asked, self.rules)) is not None:
                    yield each
            after = (rows[-1].next_attempt_at, rows[-1].id)

    def _coming(self, session: Session, parameters: queries.Parameters) -> Iterator[Coming]:
        after: Place | None = START
        plans: Plans = {}
        while after is not None:
            groups, after = queries.coming(session, parameters, after=after, limit=BATCH)
            adjusted = [each.due.ids[0] for each in groups if each.due.is_adjusted and not each.is_planned]
            open_ = adjustments.open_of(session, adjusted) if adjusted else {}
            for group in self._told(session, groups):
                try:
                    found = coming_charges(group, open_, self.asked, plans, self.rules)
                except (ValueError, LookupError, OSError) as error:
                    self.unreadable += len(group.codes)
                    log.error("subscriptions cannot be billed", plan=group.due.code, reason=str(error))  # noqa: TRY400
                    continue
                if found is None:
                    self._plan(group.codes)
                else:
                    yield from found

    def _told(self, session: Session, groups: Sequence[ComingGroup]) -> Iterator[ComingGroup]:
        """Return the groups whose charges are told by their terms, and plan to play the others."""
        ordinary = [each for each in groups if not each.is_planned]
        held = held_by_gate(session, ordinary, self.asked)
        for group in groups:
            if group.is_planned:
                self._plan(group.codes)
                continue
            left, codes = without(group, held)
            self._plan(codes)
            if left is not None:
                yield left

    def _plan(self, codes: Iterable[str]) -> None:
        self.planned.update(dict.fromkeys(codes))

    def _changing(self, session: Session, parameters: queries.Parameters) -> None:
        after: Place | None = START
        while after is not None:
            codes, after = queries.changing(session, parameters, after=after, limit=BATCH)
            self._plan(codes)


def _line(row: WaitingCharge, asked: Asked, rules: Rules) -> Coming | None:
    """Return what becomes of a charge that waits; None where it is not tried in these days, or void before."""
    at = opens_at(rules, row.pg or "", max(row.next_attempt_at, asked.now))
    if not asked.has(at) or (row.canceled_at is not None and row.canceled_at <= at):
        return None
    return Coming(
        at=at,
        plan=row.plan,
        pg=row.pg or "",
        amount=row.amount,
        period_start=row.period_start,
        subscriptions=[row.subscription],
        marks=[Mark.RETRY] if row.is_retry else [],
        held=None if row.held is None else Blocker(row.held),
    )
