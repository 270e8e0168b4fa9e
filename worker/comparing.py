"""Payments found at PortOne against the books: adopt, correct, note; and what is paid here and not shown there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session

from schedules.periods import next_start, period_starting
from worker.database import adoptions, differences, lookups
from worker.database.adoptions import Adoption
from worker.database.differences import Noted
from worker.database.plans import plan_of
from worker.database.session import Sessions
from worker.database.settlements import subscriptions_paid
from worker.database.sweeps import Counts
from worker.differences import (
    REPAIRABLE,
    Agrees,
    Books,
    DifferenceKind,
    DifferenceStatus,
    Judgement,
    given_back,
    judge,
)
from worker.gateway import Found, Gateway, PaymentRecord
from worker.merchant_uid import MerchantUid, parse

SENTENCES = {
    DifferenceKind.MISSING_HERE: "paid at PortOne and missing here: adopted",
    DifferenceKind.DECLINED_HERE: "paid at PortOne and declined here: corrected",
    DifferenceKind.REFUNDED_THERE: "given back at PortOne: noted",
    DifferenceKind.PAID_TWICE: "the period is paid by another payment already",
    DifferenceKind.NOT_OWED: "paid at PortOne, and void here",
    DifferenceKind.NOT_IN_BOOKS: "paid at PortOne under our prefix, for a subscription or period we do not have",
    DifferenceKind.OTHER_AMOUNT: "paid at PortOne with another amount or currency",
    DifferenceKind.NOT_THERE: "paid here, and PortOne shows no such payment",
}

MONEY_MOVED = ("paid", "cancelled")
"""PortOne's words for payments in which money moved."""

MOST_LOOK_UPS = 100
"""So many payments that PortOne's lists do not show are asked about one by one in a window; the rest, the next day."""

log = structlog.get_logger()

Ours = tuple[PaymentRecord, MerchantUid]
Judged = tuple[PaymentRecord, MerchantUid, Books, Judgement]


def compare_page(sessions: Sessions, payments: Sequence[PaymentRecord], *, prefix: str, now: datetime) -> Counts:
    """Compare payments in which money moved with the books, and write down what differs, in one transaction."""
    ours = list(_ours(payments, prefix))
    strangers = len(payments) - len(ours)
    if not ours:
        return Counts(payments=len(payments), strangers=strangers)
    with sessions.begin() as session:
        judged = [
            (record, parts, books, judge(record, books))
            for (record, parts), books in zip(ours, differences.books_of(session, ours), strict=True)
        ]
        repaired, found = _write(session, judged, now)
    return Counts(payments=len(payments), strangers=strangers, repaired=repaired, found=found)


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
    """Ask PortOne once more about what was paid here in a window and is not among the payments `seen` there."""
    unseen = await asyncio.to_thread(_unseen, sessions, seen, since, until)
    if len(unseen) > MOST_LOOK_UPS:
        log.error("many payments of ours are not shown at PortOne: is this its account?", payments=len(unseen))
    counts = Counts()
    for row in unseen[:MOST_LOOK_UPS]:
        await asyncio.sleep(pause)
        found = await gateway.look_up(row.merchant_uid)
        if isinstance(found, Found):
            counts += await asyncio.to_thread(_compare_unseen, sessions, row, found, prefix, now)
    return counts


def _unseen(sessions: Sessions, seen: Sequence[PaymentRecord], since: datetime, until: datetime) -> Sequence[Row[Any]]:
    with sessions() as session:
        imp_uids = [record.imp_uid for record in seen]
        return differences.unseen(session, since=since, until=until, seen=imp_uids)


def _compare_unseen(sessions: Sessions, row: Row[Any], found: Found, prefix: str, now: datetime) -> Counts:
    moved = [record for record in found.records if record.status in MONEY_MOVED]
    if any(record.imp_uid == row.imp_uid for record in moved):
        return compare_page(sessions, moved, prefix=prefix, now=now)  # its list came late, or it was given back since
    noted = Noted(
        kind=DifferenceKind.NOT_THERE,
        status=DifferenceStatus.OPEN,
        said=SENTENCES[DifferenceKind.NOT_THERE],
        merchant_uid=row.merchant_uid,
        imp_uid=row.imp_uid,
        charge_id=row.charge_id,
        attempt_id=row.attempt_id,
        evidence={
            "portone": [record.raw for record in found.records],
            "books": {"amount": row.amount, "currency": row.currency, "paid_at": row.paid_at},
        },
    )
    with sessions.begin() as session:
        return Counts(found=differences.note(session, [noted], now=now))


def _ours(payments: Sequence[PaymentRecord], prefix: str) -> Iterator[Ours]:
    for record in payments:
        parts = parse(record.merchant_uid)
        if parts is not None and parts.prefix == prefix:
            yield record, parts


def _write(session: Session, judged: Sequence[Judged], now: datetime) -> tuple[int, int]:
    """Write down what differs; returns how much was repaired, and how much is new and waits for a person."""
    agree = [record.merchant_uid for record, _, _, judgement in judged if judgement is Agrees.SETTLED]
    healed = [DifferenceKind.NOT_THERE, DifferenceKind.DECLINED_HERE, DifferenceKind.MISSING_HERE]
    differences.gone(session, agree, healed, reason="PortOne and the books agree", now=now)
    unsettled = [
        books.attempt_id for _, _, books, judgement in judged if judgement is Agrees.OPEN and not books.flagged
    ]
    lookups.hasten(session, [each for each in unsettled if each is not None], now=now)
    differing = [each for each in judged if isinstance(each[3], DifferenceKind)]
    adopted, noted = _adopt(session, differing, now)
    refunded = {
        books.charge_id: given_back(record)
        for record, _, books, judgement in differing
        if judgement is DifferenceKind.REFUNDED_THERE and books.charge_id is not None
    }
    adoptions.note_refunds(session, refunded)
    rest = [each for each in differing if each[3] not in {DifferenceKind.MISSING_HERE, DifferenceKind.DECLINED_HERE}]
    noted += [_noted(*each) for each in rest]
    found = differences.note(session, noted, now=now)
    for each in noted:
        log.warning("difference", kind=each.kind.value, merchant_uid=each.merchant_uid, charge_id=each.charge_id)
    return adopted + len(refunded), found


def _adopt(session: Session, differing: Sequence[Judged], now: datetime) -> tuple[int, list[Noted]]:
    """Adopt what is missing or declined here, one payment per period; the others of a period were paid twice."""
    wanted = [each for each in differing if each[3] in {DifferenceKind.MISSING_HERE, DifferenceKind.DECLINED_HERE}]
    if not wanted:
        return 0, []
    rows = adoptions.subscriptions(session, (parts.subscription_code for _, parts, _, _ in wanted))
    planned: dict[tuple[str, datetime], Adoption] = {}
    noted: list[Noted] = []
    for each in sorted(wanted, key=_paid_first):
        record, parts, books, _ = each
        period = (parts.subscription_code, parts.period_start)
        if period in planned:
            noted.append(_noted(record, parts, books, DifferenceKind.PAID_TWICE))
        elif (adoption := _adoption(each, rows.get(parts.subscription_code))) is None:
            noted.append(_noted(record, parts, books, DifferenceKind.NOT_IN_BOOKS))
        else:
            planned[period] = adoption
    written = adoptions.adopt(session, list(planned.values()), now=now)
    for record, parts, books, judgement in wanted:
        if (row := written.get(record.merchant_uid)) is not None:
            noted.append(_noted(record, parts, books, judgement, row))
    paid = [each.subscription_id for each in planned.values() if each.record.merchant_uid in written]
    subscriptions_paid(session, paid, now=now)
    return len(written), noted


def _paid_first(each: Judged) -> tuple[bool, datetime, int]:
    """Order payments so that the one that was kept, and then the oldest, is the period's."""
    record, parts, _, _ = each
    return given_back(record) == record.amount, record.paid_at or datetime.max.replace(tzinfo=UTC), parts.number


def _adoption(each: Judged, row: Row[Any] | None) -> Adoption | None:
    """Plan an adoption; None when no period of the subscription can be paid by it."""
    record, parts, books, judgement = each
    if row is None or record.paid_at is None:
        return None
    try:
        plan = plan_of(row)
        period = period_starting(plan, row.anchor_on, parts.period_start)
        is_ours = next_start(plan, row.anchor_on, parts.period_start - timedelta(seconds=1)) == parts.period_start
    except (ValueError, LookupError, OSError) as error:
        log.error("payment cannot be adopted", merchant_uid=record.merchant_uid, reason=str(error))  # noqa: TRY400
        return None
    if books.charge_id is None and not is_ours:
        return None  # no period of this subscription begins there
    as_planned = (record.amount, record.currency) == (row.amount, row.currency)
    terms = {
        "order_name": row.name,
        "tax_free": row.tax_free if as_planned else 0,
        "vat_amount": row.vat_amount if as_planned else None,
    }
    reason = SENTENCES[DifferenceKind(judgement)]
    return Adoption(record, parts, row.id, period, terms, reason)


def _noted(
    record: PaymentRecord,
    parts: MerchantUid,
    books: Books,
    judgement: Judgement,
    written: Row[Any] | None = None,
) -> Noted:
    kind = DifferenceKind(judgement)
    return Noted(
        kind=kind,
        status=DifferenceStatus.REPAIRED if kind in REPAIRABLE else DifferenceStatus.OPEN,
        said=SENTENCES[kind],
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        charge_id=books.charge_id if written is None else written.charge_id,
        attempt_id=books.attempt_id if written is None else written.id,
        evidence={
            "portone": record.raw,
            "books": {**asdict(books), "subscription": parts.subscription_code, "period_start": parts.period_start},
        },
    )
