"""Payments that are in our records and not in PortOne's lists: each is looked up once more, then reported."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.discrepancy_rules import MEANINGS, DiscrepancyKind, DiscrepancyStatus
from worker.domain.gateway import Found, Gateway, PaymentRecord
from worker.ledger import discrepancies
from worker.ledger.discrepancies import NewDiscrepancy, UnlistedPayment
from worker.reconciliation.compare import MONEY_MOVED, compare_page, own_payments
from worker.reconciliation.queries import SliceCounts

MAX_LOOK_UPS = 100
"""Largest number of payments that are looked up one by one for a time slice; the rest have their turn another day."""

MIN_MISSING_FOR_WRONG_ACCOUNT = 3
"""If PortOne shows none of at least this many payments, and no other of ours, it is another merchant account."""


class WrongAccount(RuntimeError):
    """PortOne shows none of our payments: the key belongs to another account, or the database to another key."""


async def look_up_unlisted(
    sessions: Sessions,
    gateway: Gateway,
    *,
    listed: Sequence[PaymentRecord],
    since: datetime,
    until: datetime,
    pause: float,
    prefix: str,
    now: datetime,
) -> SliceCounts:
    """Look up what was paid here from `since` to `until` and is not among the payments that PortOne has `listed`.

    Raises WrongAccount when PortOne shows nothing of what our records have.
    """
    unlisted = await asyncio.to_thread(_unlisted, sessions, listed, since, until)
    looked_up = []
    for payment in unlisted[:MAX_LOOK_UPS]:
        await asyncio.sleep(pause)
        found = await gateway.look_up(payment.merchant_uid)
        if isinstance(found, Found):
            looked_up.append((payment, found))
    shows_ours = any(found.records for _, found in looked_up) or any(own_payments(listed, prefix))
    if len(looked_up) >= MIN_MISSING_FOR_WRONG_ACCOUNT and not shows_ours:
        raise WrongAccount(
            f"PortOne shows none of {len(unlisted)} payments that our records have: is this its account? "
            "Check AGAIN_PORTONE_KEY and AGAIN_DATABASE_URL."
        )
    counts = SliceCounts()
    for payment, found in looked_up:
        counts += await asyncio.to_thread(_compare, sessions, payment, found, prefix, now)
    return counts


def _unlisted(
    sessions: Sessions, listed: Sequence[PaymentRecord], since: datetime, until: datetime
) -> Sequence[UnlistedPayment]:
    with sessions() as session:
        imp_uids = [record.imp_uid for record in listed]
        return discrepancies.payments_not_listed(session, since=since, until=until, listed=imp_uids)


def _compare(sessions: Sessions, payment: UnlistedPayment, found: Found, prefix: str, now: datetime) -> SliceCounts:
    moved = [record for record in found.records if record.status in MONEY_MOVED]
    if any(record.imp_uid == payment.imp_uid for record in moved):
        return compare_page(sessions, moved, prefix=prefix, now=now)  # it was listed late, or refunded since
    discrepancy = NewDiscrepancy(
        kind=DiscrepancyKind.NOT_THERE,
        status=DiscrepancyStatus.OPEN,
        reason=MEANINGS[DiscrepancyKind.NOT_THERE],
        merchant_uid=payment.merchant_uid,
        imp_uid=payment.imp_uid,
        charge_id=payment.charge_id,
        attempt_id=payment.attempt_id,
        evidence={
            "portone": [record.raw for record in found.records],
            "records": {"amount": payment.amount, "currency": payment.currency, "paid_at": payment.paid_at},
        },
    )
    with sessions.begin() as session:
        return SliceCounts(found=discrepancies.record(session, [discrepancy], now=now))
