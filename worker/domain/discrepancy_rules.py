"""What PortOne shows against what our books say, one payment at a time: a pure judgement.

Only payments in which money moved are judged: those that PortOne calls `paid`, and `cancelled` ones, which were paid
and given back. Everything it cannot settle from PortOne's evidence is left to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.gateway import PaymentRecord
from worker.domain.states import OPEN_ATTEMPTS, AttemptStatus, ChargeStatus


class DifferenceKind(StrEnum):
    MISSING_HERE = "missing_here"  # paid there, never heard of here, or proved absent: adopted
    DECLINED_HERE = "declined_here"  # paid there, declined here (seen in September 2023): corrected
    REFUNDED_THERE = "refunded_there"  # given back outside of us: noted on the charge
    PAID_TWICE = "paid_twice"  # more than one payment for one billing period
    NOT_OWED = "not_owed"  # paid there, void here
    NOT_IN_BOOKS = "not_in_books"  # a merchant_uid of ours, for a subscription or period that these books do not have
    OTHER_AMOUNT = "other_amount"
    NOT_THERE = "not_there"  # paid here, and PortOne shows no such payment
    UNRESOLVED = "unresolved"  # an attempt that the look-ups could not settle
    NOT_BEGUN = "not_begun"  # a first period is paid, and its subscription still has no billing key


class DifferenceStatus(StrEnum):
    OPEN = "open"  # waits for a person
    REPAIRED = "repaired"  # on PortOne's evidence, by the sweep
    RESOLVED = "resolved"  # a person has decided
    GONE = "gone"  # PortOne and the books agree again


REPAIRABLE = frozenset({DifferenceKind.MISSING_HERE, DifferenceKind.DECLINED_HERE, DifferenceKind.REFUNDED_THERE})
"""What the sweep settles by itself, for PortOne's evidence leaves no choice."""


SENTENCES: Mapping[DifferenceKind, str] = {
    DifferenceKind.MISSING_HERE: "paid at PortOne, and missing here",
    DifferenceKind.DECLINED_HERE: "paid at PortOne, and declined here",
    DifferenceKind.REFUNDED_THERE: "given back at PortOne, not by us",
    DifferenceKind.PAID_TWICE: "more than one payment for one period",
    DifferenceKind.NOT_OWED: "paid at PortOne, and void here",
    DifferenceKind.NOT_IN_BOOKS: "paid at PortOne, for a subscription or period that is not in the books",
    DifferenceKind.OTHER_AMOUNT: "paid at PortOne with another amount or currency",
    DifferenceKind.NOT_THERE: "paid here, and PortOne shows no such payment",
    DifferenceKind.UNRESOLVED: "the look-ups could not settle an attempt",
    DifferenceKind.NOT_BEGUN: "a first period is paid, and its subscription has no billing key: make a new link",
}
"""What each kind says to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What we have about one merchant_uid of ours; each None where we have nothing."""

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
    flagged: bool


class Agrees(StrEnum):
    """Why a payment is no difference."""

    SETTLED = "settled"
    OPEN = "open"  # its attempt is open still: the look-ups settle it


Judgement = Agrees | DifferenceKind


def judge(record: PaymentRecord, books: Books) -> Judgement:
    """Compare a payment in which money moved with what our books say about its merchant_uid."""
    if books.attempt_status in OPEN_ATTEMPTS:
        return Agrees.OPEN
    if record.odd is not None:
        return DifferenceKind.NOT_IN_BOOKS if books.subscription_id is None else DifferenceKind.OTHER_AMOUNT
    if record.imp_uid == books.imp_uid and books.attempt_status is AttemptStatus.PAID:
        return _judge_ours(record, books)
    if given_back(record) == record.amount and not _could_be_missing(books):
        return Agrees.SETTLED  # nothing of it is left to tell
    if books.subscription_id is None:
        return DifferenceKind.NOT_IN_BOOKS
    return _judge_unknown(record, books)


def _judge_unknown(record: PaymentRecord, books: Books) -> DifferenceKind:
    """Name what is wrong with a payment of a subscription of ours that our books do not have."""
    if books.attempt_status is AttemptStatus.PAID or books.paid_by is not None:
        return DifferenceKind.PAID_TWICE
    if books.charge_status is ChargeStatus.VOID:
        return DifferenceKind.NOT_OWED
    if books.charge_id is not None and (record.amount, record.currency) != (books.amount, books.currency):
        return DifferenceKind.OTHER_AMOUNT
    declined = books.attempt_status is AttemptStatus.DECLINED
    return DifferenceKind.DECLINED_HERE if declined else DifferenceKind.MISSING_HERE


def _could_be_missing(books: Books) -> bool:
    """Say whether the period may be charged again, though it was paid (and given back) there already."""
    if books.subscription_id is None or books.attempt_status is AttemptStatus.DECLINED:
        return False
    return books.charge_status in {None, ChargeStatus.DUE, ChargeStatus.PAST_DUE}


def _judge_ours(record: PaymentRecord, books: Books) -> Judgement:
    if books.paid_by is not None and books.paid_by < record.merchant_uid and given_back(record) < record.amount:
        return DifferenceKind.PAID_TWICE  # named at the later of the two
    if (record.amount, record.currency) != (books.amount, books.currency):
        return DifferenceKind.OTHER_AMOUNT
    if books.charge_status is ChargeStatus.VOID:
        return DifferenceKind.NOT_OWED
    return Agrees.SETTLED if given_back(record) == books.refunded else DifferenceKind.REFUNDED_THERE


def given_back(record: PaymentRecord) -> int:
    """Say how much of a payment was given back, in its currency; all of it when PortOne calls it cancelled."""
    return record.amount if record.status == "cancelled" and not record.cancel_amount else record.cancel_amount
