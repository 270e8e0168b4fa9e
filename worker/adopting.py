"""Adopting payments that PortOne has and the books do not, or hold for declined: one per billing period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session

from schedules.periods import next_start, period_starting
from worker.database import adoptions, differences
from worker.database.adoptions import Adoption
from worker.database.differences import Noted
from worker.database.plans import plan_of
from worker.database.settlements import settle_subscriptions
from worker.differences import SENTENCES, Books, DifferenceKind, Judgement, given_back
from worker.gateway import PaymentRecord
from worker.merchant_uid import MerchantUid

Judged = tuple[PaymentRecord, MerchantUid, Books, Judgement]
"""A payment of ours, its merchant_uid's parts, what the books say about it, and what follows."""

log = structlog.get_logger()


def adopt(session: Session, wanted: Sequence[Judged], *, now: datetime) -> tuple[int, list[Noted]]:
    """Adopt what is missing or declined here, one payment per period; the others of a period were paid twice."""
    if not wanted:
        return 0, []
    rows = adoptions.subscriptions(session, (parts.subscription_code for _, parts, _, _ in wanted))
    planned: dict[tuple[str, datetime], Adoption] = {}
    noted: list[Noted] = []
    for each in sorted(wanted, key=_paid_first):
        record, parts, books, _ = each
        period = (parts.subscription_code, parts.period_start)
        if period in planned:
            noted.append(differences.of_payment(DifferenceKind.PAID_TWICE, record, books, parts))
        elif (adoption := _adoption(each, rows.get(parts.subscription_code), now)) is None:
            noted.append(differences.of_payment(DifferenceKind.NOT_IN_BOOKS, record, books, parts))
        elif adoption.as_planned:
            planned[period] = adoption
        else:
            noted.append(_of_other_amount(session, adoption, books, now))
    written = adoptions.adopt(session, list(planned.values()), now=now)
    adopted = {adoption.record.imp_uid for adoption in planned.values()}
    for record, parts, books, judgement in wanted:
        if record.imp_uid in adopted:
            # One that was not written met somebody who is settling it; until the next sweep its charge is left alone.
            row = written.get(record.merchant_uid)
            noted.append(differences.of_payment(DifferenceKind(judgement), record, books, parts, row))
    adoptions.revive_keys(session, [row.id for row in written.values()], now=now)
    paid = [each.subscription_id for each in planned.values() if each.record.merchant_uid in written]
    settle_subscriptions(session, paid, reason="paid", now=now)
    return len(written), noted


def _paid_first(each: Judged) -> tuple[bool, datetime, int]:
    """Order payments so that the one that was kept, and then the oldest, is the period's."""
    record, parts, _, _ = each
    return given_back(record) == record.amount, record.paid_at or datetime.max.replace(tzinfo=UTC), parts.number


def _of_other_amount(session: Session, adoption: Adoption, books: Books, now: datetime) -> Noted:
    """Leave to a person a period that was paid with another amount; its charge is opened, so that nobody charges it."""
    charge_id = adoptions.open_unpaid(session, adoption, now=now)
    known = replace(books, charge_id=charge_id)
    return differences.of_payment(DifferenceKind.OTHER_AMOUNT, adoption.record, known, adoption.parts)


def _adoption(each: Judged, row: Row[Any] | None, now: datetime) -> Adoption | None:
    """Plan an adoption; None when no period of the subscription can be paid by it."""
    record, parts, books, judgement = each
    if row is None or record.paid_at is None:
        return None
    try:
        plan = plan_of(row)
        period = period_starting(plan, row.anchor_on, parts.period_start)
        is_ours = next_start(plan, row.anchor_on, parts.period_start - timedelta(seconds=1)) == parts.period_start
    except (ValueError, LookupError, OSError, ArithmeticError) as error:
        log.error("payment cannot be adopted", merchant_uid=record.merchant_uid, reason=str(error))  # noqa: TRY400
        return None
    if books.charge_id is None and (not is_ours or period.start > now):
        return None  # no period of this subscription begins there, or none has begun yet
    as_planned = books.charge_id is not None or (record.amount, record.currency) == (row.amount, row.currency)
    terms = {
        "order_name": row.name,
        "plan_amount": row.amount,
        "plan_currency": row.currency,
        "tax_free": row.tax_free,
        "vat_amount": row.vat_amount,
    }
    reason = SENTENCES[DifferenceKind(judgement)]
    return Adoption(record, parts, row.id, period, terms, reason, as_planned)
