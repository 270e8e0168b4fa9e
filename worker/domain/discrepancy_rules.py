"""Compares one payment as PortOne shows it with our records, and names the discrepancy. Pure.

Only payments in which money moved are compared: those that PortOne calls `paid`, and `cancelled` ones, which were paid
and refunded. Whatever PortOne's evidence does not settle is left to an operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.gateway import PaymentRecord
from worker.domain.states import OPEN_ATTEMPTS, AttemptStatus, ChargeStatus


class DiscrepancyKind(StrEnum):
    MISSING_HERE = "missing_here"  # paid there, unknown here, or proved absent: backfilled
    DECLINED_HERE = "declined_here"  # paid there, declined here (seen in September 2023): corrected
    REFUNDED_THERE = "refunded_there"  # refunded outside of Again: recorded on the charge
    PAID_TWICE = "paid_twice"  # more than one payment for one billing period, or one beside what was paid elsewhere
    NOT_OWED = "not_owed"  # paid there, void here
    NOT_IN_RECORDS = "not_in_records"  # a merchant_uid of ours, for a subscription or period that this database lacks
    OTHER_AMOUNT = "other_amount"
    NOT_THERE = "not_there"  # paid here, and PortOne shows no such payment
    UNRESOLVED = "unresolved"  # an attempt that the look-ups could not settle
    NOT_BEGUN = "not_begun"  # a first period is paid, and its subscription still has no billing key


class DiscrepancyStatus(StrEnum):
    OPEN = "open"  # waits for an operator
    REPAIRED = "repaired"  # on PortOne's evidence, without an operator
    RESOLVED = "resolved"  # an operator has decided
    GONE = "gone"  # PortOne and our records agree again


REPAIRABLE = frozenset({DiscrepancyKind.MISSING_HERE, DiscrepancyKind.DECLINED_HERE, DiscrepancyKind.REFUNDED_THERE})
"""Kinds that a comparison settles by itself, because PortOne's evidence leaves no choice."""


MEANINGS: Mapping[DiscrepancyKind, str] = {
    DiscrepancyKind.MISSING_HERE: "paid at PortOne, and missing here",
    DiscrepancyKind.DECLINED_HERE: "paid at PortOne, and declined here",
    DiscrepancyKind.REFUNDED_THERE: "refunded at PortOne, not by us",
    DiscrepancyKind.PAID_TWICE: "more than one payment for one period",
    DiscrepancyKind.NOT_OWED: "paid at PortOne, and void here",
    DiscrepancyKind.NOT_IN_RECORDS: "paid at PortOne, for a subscription or period that is not in our records",
    DiscrepancyKind.OTHER_AMOUNT: "paid at PortOne with another amount or currency",
    DiscrepancyKind.NOT_THERE: "paid here, and PortOne shows no such payment",
    DiscrepancyKind.UNRESOLVED: "the look-ups could not settle an attempt",
    DiscrepancyKind.NOT_BEGUN: "a first period is paid, and its subscription has no billing key: make a new link",
}
"""What each kind means, as an operator reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRecord:
    """What our records have about one of our merchant_uids; None for each part that they do not have."""

    subscription_id: int | None
    charge_id: int | None
    charge_status: ChargeStatus | None
    amount: int | None
    currency: str | None
    refunded: int
    attempt_id: int | None
    attempt_status: AttemptStatus | None
    imp_uid: str | None
    paid_by: str | None  # the merchant_uid of another attempt that has paid the same charge
    paid_elsewhere: bool = False  # an operator has said so of the charge: PortOne was not to see its money
    flagged: bool
    refunding: bool = False  # a refund of ours has no definite outcome yet, and is looked up by itself


class Agreement(StrEnum):
    """Why a payment is no discrepancy."""

    SETTLED = "settled"
    OPEN = "open"  # its attempt, or a refund of it, is still open: that is settled by itself


ComparisonResult = Agreement | DiscrepancyKind


def judge(record: PaymentRecord, local: LocalRecord) -> ComparisonResult:
    """Return whether a payment in which money moved agrees with our records of its merchant_uid, or how it differs."""
    if local.attempt_status in OPEN_ATTEMPTS:
        return Agreement.OPEN
    if record.odd is not None:
        return DiscrepancyKind.NOT_IN_RECORDS if local.subscription_id is None else DiscrepancyKind.OTHER_AMOUNT
    if record.imp_uid == local.imp_uid and local.attempt_status is AttemptStatus.PAID:
        return _judge_ours(record, local)
    if refunded(record) == record.amount and not _could_be_missing(local):
        return Agreement.SETTLED  # nothing of it was kept
    if local.subscription_id is None:
        return DiscrepancyKind.NOT_IN_RECORDS
    return _judge_unknown(record, local)


def _judge_unknown(record: PaymentRecord, local: LocalRecord) -> DiscrepancyKind:
    """Return the discrepancy of a payment for one of our subscriptions that our records do not have."""
    if local.attempt_status is AttemptStatus.PAID or local.paid_by is not None or local.paid_elsewhere:
        return DiscrepancyKind.PAID_TWICE
    if local.charge_status is ChargeStatus.VOID:
        return DiscrepancyKind.NOT_OWED
    if local.charge_id is not None and (record.amount, record.currency) != (local.amount, local.currency):
        return DiscrepancyKind.OTHER_AMOUNT
    declined = local.attempt_status is AttemptStatus.DECLINED
    return DiscrepancyKind.DECLINED_HERE if declined else DiscrepancyKind.MISSING_HERE


def _could_be_missing(local: LocalRecord) -> bool:
    """Return whether the period may be charged again, though it was paid (and refunded) at PortOne already."""
    if local.subscription_id is None or local.attempt_status is AttemptStatus.DECLINED:
        return False
    return local.charge_status in {None, ChargeStatus.DUE, ChargeStatus.PAST_DUE}


def _judge_ours(record: PaymentRecord, local: LocalRecord) -> ComparisonResult:
    if local.paid_elsewhere:  # what is refunded of this payment is no refund of the charge
        return Agreement.SETTLED if refunded(record) >= record.amount else DiscrepancyKind.PAID_TWICE
    if local.paid_by is not None and local.paid_by < record.merchant_uid and refunded(record) < record.amount:
        return DiscrepancyKind.PAID_TWICE  # reported at the later of the two
    if (record.amount, record.currency) != (local.amount, local.currency):
        return DiscrepancyKind.OTHER_AMOUNT
    if local.charge_status is ChargeStatus.VOID:
        return DiscrepancyKind.NOT_OWED
    if refunded(record) == local.refunded:
        return Agreement.SETTLED
    return Agreement.OPEN if local.refunding else DiscrepancyKind.REFUNDED_THERE  # or is it ours? That is looked up


def refunded(record: PaymentRecord) -> int:
    """Return how much of a payment was refunded, in its currency; all of it when PortOne calls it cancelled."""
    return record.amount if record.status == "cancelled" and not record.cancel_amount else record.cancel_amount
