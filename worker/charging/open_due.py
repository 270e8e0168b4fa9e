"""Opening charges: one for every due period, in bulk, however many beats and workers do it at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import structlog

from schedules.periods import Opening
from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.ledger import consent_gate, ending
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import HoldPolicy
from worker.ledger.due_subscriptions import START, DueSubscriptions, Place, due_subscriptions
from worker.ledger.opening import open_decided, opening_by

CHUNK = 2000
"""Subscriptions per transaction: large enough for bulk to pay, small enough that a crash repeats little."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Opened:
    """What one tick opened; `subscriptions` counts visits, so a subscription far behind may count twice."""

    subscriptions: int = 0
    opened: int = 0
    void: int = 0
    paid: int = 0  # with nothing to charge
    ended: int = 0  # canceled subscriptions whose paid time is over
    released: int = 0  # by the consent gate: what they lacked is there

    def summary(self) -> dict[str, object]:
        return asdict(self)


def open_due_charges(sessions: Sessions, *, now: datetime, limit: int, hold_policy: HoldPolicy | None = None) -> Opened:
    """Open a charge per due period of every due subscription, at most `limit` per subscription and tick.

    A period that already has its charge is left alone, so doubled ticks and crashes between chunks change nothing.
    Nothing is opened while charging is held, as by `hold_policy` when the database may have forgotten payments: a
    period that was paid must not become void because it looks missed. Raises WrongDatabase.
    """
    total = Opened(ended=_end_canceled(sessions, now, hold_policy), released=_judge_held(sessions, now))
    after: Place | None = START
    while after is not None:
        chunk, after = _open_chunk(sessions, after, now, limit, hold_policy)
        total = replace(
            total,
            subscriptions=total.subscriptions + chunk.subscriptions,
            opened=total.opened + chunk.opened,
            void=total.void + chunk.void,
            paid=total.paid + chunk.paid,
        )
    if total.subscriptions:
        log.info("charges opened", subscriptions=total.subscriptions, opened=total.opened, void=total.void)
    return total


def _end_canceled(sessions: Sessions, now: datetime, hold_policy: HoldPolicy | None) -> int:
    """End canceled subscriptions whose paid time is over; return how many.

    Not while the database may have forgotten a payment, which would end one too soon.
    """
    ended = 0
    while True:
        with sessions.begin() as session:
            if hold_policy is not None and not charging_is_allowed(session, hold_policy, now=now):
                return ended
            looked_at, over = ending.end_canceled(session, now=now, limit=CHUNK)
        ended += over
        if looked_at < CHUNK:
            return ended


def _judge_held(sessions: Sessions, now: datetime) -> int:
    """Look again at what the consent gate has held for a while; return how many charges it releases."""
    with sessions.begin() as session:
        _, released = consent_gate.judge_held(session, now=now, limit=CHUNK)
    if released:
        log.info("charges released by the consent gate", charges=released)
    return released


def _open_chunk(
    sessions: Sessions, after: Place, now: datetime, limit: int, hold_policy: HoldPolicy | None
) -> tuple[Opened, Place | None]:
    """Open the charges of the next subscriptions in order; also return where to go on, or None at the end.

    Paging goes by position, so that subscriptions which cannot be billed are passed once and block no others.
    """
    with sessions.begin() as session:
        if hold_policy is not None and not charging_is_allowed(session, hold_policy, now=now):
            return Opened(), None
        due = due_subscriptions(session, after=after, now=now, limit=CHUNK)
        decided = list(_decided(due.groups, now, limit))
        created = open_decided(session, decided, now=now)
    subscriptions = sum(len(group.ids) for group, _ in decided)
    opened = Opened(subscriptions, len(created.due), created.void, created.paid)
    return opened, due.last if due.size == CHUNK else None


def _decided(
    groups: Sequence[DueSubscriptions], now: datetime, limit: int
) -> Iterator[tuple[DueSubscriptions, Opening]]:
    """Decide each group on its own: subscriptions that cannot be billed must not block the others."""
    plans: dict[str, Plan] = {}
    for group in groups:
        try:
            if (plan := plans.get(group.code)) is None:
                plan = plans[group.code] = plan_of(group)
            opening = opening_by(plan, group, now=now, cap=limit)
        except (ValueError, LookupError, OSError) as error:
            log.error(  # noqa: TRY400
                "subscription cannot be billed",
                subscriptions=len(group.ids),
                subscription_id=group.ids[0],
                plan=group.code,
                reason=str(error),
            )
            continue
        yield group, opening
