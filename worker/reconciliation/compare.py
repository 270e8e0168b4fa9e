"""Payments found at PortOne against our records: adopt, correct, note; and what is paid here and not shown there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.discrepancy_rules import SENTENCES, Agrees, DiscrepancyKind, DiscrepancyStatus, judge, refunded
from worker.domain.gateway import Found, Gateway, PaymentRecord
from worker.domain.merchant_uid import MerchantUid, parse
from worker.ledger import discrepancies, found_payments, lookup_queue
from worker.ledger.discrepancies import Noted, UnseenPayment
from worker.reconciliation.backfill import Judged, adopt
from worker.reconciliation.queries import Counts

MONEY_MOVED = ("paid", "cancelled")
"""PortOne's words for payments in which money moved."""

ADOPTED = frozenset({DiscrepancyKind.MISSING_HERE, DiscrepancyKind.DECLINED_HERE})

MOST_LOOK_UPS = 100
"""So many payments that PortOne's lists do not show are asked about one by one in a window; the rest, the next day."""

TELLING = 3
"""So many payments of which PortOne shows none, and shows no other of ours, are no accident."""

log = structlog.get_logger()

Ours = tuple[PaymentRecord, MerchantUid]

UNWRITABLE = (DataError, IntegrityError, ArithmeticError, ValueError)
"""What a payment may be that nobody foresaw: beyond a column's range, against a rule of the tables, of no calendar."""


class NotItsAccount(RuntimeError):
    """PortOne shows none of our payments: the key belongs to another account, or the database to another key."""


def compare_page(sessions: Sessions, payments: Sequence[PaymentRecord], *, prefix: str, now: datetime) -> Counts:
    """Compare payments in which money moved with our records, and write down what differs, in one transaction.

    A payment that cannot be written keeps no other from it: they are then taken one by one, and it is named.
    """
    once = {record.imp_uid: record for record in payments}  # one that was cancelled between two lists stands in both
    ours = list(_ours(once.values(), prefix))
    counts = Counts(payments=len(once), not_ours=len(once) - len(ours))
    try:
        return counts + (_compare(sessions, ours, now) if ours else Counts())
    except UNWRITABLE:
        for each in ours:
            counts += _compare_alone(sessions, each, now)
        return counts


def _compare(sessions: Sessions, ours: Sequence[Ours], now: datetime) -> Counts:
    with sessions.begin() as session:
        judged = _judge(session, ours)
        # Whoever settles one of these just now is waited for, and what they have made of it is judged.
        differing = [local.charge_id for _, _, local, judgement in judged if isinstance(judgement, DiscrepancyKind)]
        if charges := [each for each in differing if each is not None]:
            discrepancies.lock(session, charges)
            judged = _judge(session, ours)
        repaired, found = _write(session, judged, now)
    return Counts(repaired=repaired, found=found)


def _compare_alone(sessions: Sessions, ours: Ours, now: datetime) -> Counts:
    try:
        return _compare(sessions, [ours], now)
    except UNWRITABLE as error:
        return _give_up(sessions, ours, error, now)


def _judge(session: Session, ours: Sequence[Ours]) -> list[Judged]:
    return [
        (record, parts, local, judge(record, local))
        for (record, parts), local in zip(ours, discrepancies.local_records(session, ours), strict=True)
    ]


def _give_up(sessions: Sessions, ours: Ours, error: Exception, now: datetime) -> Counts:
    """Leave to a person a payment that the tables do not take."""
    record, _ = ours
    log.error("payment cannot be compared", merchant_uid=record.merchant_uid, error=type(error).__name__)
    noted = Noted(
        kind=DiscrepancyKind.NOT_IN_RECORDS,
        status=DiscrepancyStatus.OPEN,
        said="paid at PortOne, in a way that our records cannot hold",
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        evidence={"portone": {"amount": str(record.amount), "currency": record.currency}, "records": None},
    )
    with sessions.begin() as session:
        return Counts(found=discrepancies.note(session, [noted], now=now))


async def compare_window(
    sessions: Sessions,
    gateway: Gateway,
    *,
    seen: Sequence[PaymentRecord],
    since: datetime,
    until: datetime,
    pause: float,
    prefix: str,
    now: datetime,
) -> Counts:
    """Ask PortOne once more about what was paid here in a window and is not among the payments `seen` there.

    Raises NotItsAccount when it shows nothing of what our records have.
    """
    unseen = await asyncio.to_thread(_unseen, sessions, seen, since, until)
    asked = []
    for row in unseen[:MOST_LOOK_UPS]:
        await asyncio.sleep(pause)
        found = await gateway.look_up(row.merchant_uid)
        if isinstance(found, Found):
            asked.append((row, found))
    shown = any(found.records for _, found in asked) or any(_ours(seen, prefix))
    if len(asked) >= TELLING and not shown:
        raise NotItsAccount(
            f"PortOne shows none of {len(unseen)} payments that our records have: is this its account? "
            "Check AGAIN_PORTONE_KEY and AGAIN_DATABASE_URL."
        )
    counts = Counts()
    for row, found in asked:
        counts += await asyncio.to_thread(_compare_unseen, sessions, row, found, prefix, now)
    return counts


def _unseen(
    sessions: Sessions, seen: Sequence[PaymentRecord], since: datetime, until: datetime
) -> Sequence[UnseenPayment]:
    with sessions() as session:
        imp_uids = [record.imp_uid for record in seen]
        return discrepancies.unseen(session, since=since, until=until, seen=imp_uids)


def _compare_unseen(sessions: Sessions, row: UnseenPayment, found: Found, prefix: str, now: datetime) -> Counts:
    moved = [record for record in found.records if record.status in MONEY_MOVED]
    if any(record.imp_uid == row.imp_uid for record in moved):
        return compare_page(sessions, moved, prefix=prefix, now=now)  # its list came late, or it was given back since
    noted = Noted(
        kind=DiscrepancyKind.NOT_THERE,
        status=DiscrepancyStatus.OPEN,
        said=SENTENCES[DiscrepancyKind.NOT_THERE],
        merchant_uid=row.merchant_uid,
        imp_uid=row.imp_uid,
        charge_id=row.charge_id,
        attempt_id=row.attempt_id,
        evidence={
            "portone": [record.raw for record in found.records],
            "records": {"amount": row.amount, "currency": row.currency, "paid_at": row.paid_at},
        },
    )
    with sessions.begin() as session:
        return Counts(found=discrepancies.note(session, [noted], now=now))


def _ours(payments: Iterable[PaymentRecord], prefix: str) -> Iterator[Ours]:
    for record in payments:
        parts = parse(record.merchant_uid)
        if parts is not None and parts.prefix == prefix:
            yield record, parts


def _write(session: Session, judged: Sequence[Judged], now: datetime) -> tuple[int, int]:
    """Write down what differs; returns how much was repaired, and how much is new and waits for a person."""
    agree = [record.merchant_uid for record, _, _, judgement in judged if judgement is Agrees.SETTLED]
    healed = [DiscrepancyKind.NOT_THERE, DiscrepancyKind.DECLINED_HERE, DiscrepancyKind.MISSING_HERE]
    discrepancies.gone(session, agree, healed, reason="PortOne and our records agree", now=now)
    unsettled = [
        local.attempt_id for _, _, local, judgement in judged if judgement is Agrees.OPEN and not local.flagged
    ]
    lookup_queue.hasten(session, [each for each in unsettled if each is not None], now=now)
    differing = [each for each in judged if isinstance(each[3], DiscrepancyKind)]
    missing = [each for each in differing if each[3] in ADOPTED]
    adopted, noted = adopt(session, missing, now=now)
    refunds = {
        local.charge_id: refunded(record)
        for record, _, local, judgement in differing
        if judgement is DiscrepancyKind.REFUNDED_THERE and local.charge_id is not None
    }
    found_payments.note_refunds(session, refunds)
    rest = [each for each in differing if each[3] not in ADOPTED]
    noted += [
        discrepancies.of_payment(DiscrepancyKind(judgement), record, local, parts)
        for record, parts, local, judgement in rest
    ]
    found = discrepancies.note(session, noted, now=now)
    # A late answer may have named it first, and promised that this sweep adopts it.
    named = [each.merchant_uid for each in noted if each.kind not in ADOPTED and each.status is DiscrepancyStatus.OPEN]
    discrepancies.gone(session, named, ADOPTED, reason="the sweep has found that it is something else", now=now)
    for each in noted:
        log.warning("discrepancy", kind=each.kind.value, merchant_uid=each.merchant_uid, charge_id=each.charge_id)
    return adopted + len(refunds), found
