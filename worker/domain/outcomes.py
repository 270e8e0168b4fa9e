"""Outcomes: what the gateway is known to have done. It answers with one of these values, never with an exception.

Paid        the money moved, and the answer is about our payment
Declined    asked and refused; the kind says what may follow
NotCharged  known not to have happened, so the same merchant_uid may be sent again
Unknown     it could be either; look it up before anything else happens to the period
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DeclineKind(StrEnum):
    SOFT = "soft"  # no balance, limit reached: retry on the dunning calendar
    HARD = "hard"  # lost, expired, closed: the billing key is dead
    CONFIG = "config"  # our or the merchant's fault: stop the channel, do not blame the customer
    TRANSIENT = "transient"  # maintenance: try again soon, without using up a dunning try
    UNMATCHED = "unmatched"  # a text no table knows: soft with a low cap, and reported


class About(StrEnum):
    """What a decline is about, as far as the rule says that decided it: finer than its kind."""

    BALANCE = "balance"  # not enough money in the account or the wallet
    LIMIT = "limit"  # of a card, an account, a day
    MONTH_QUOTA = "month_quota"  # the key was charged as often as its contract allows in a month
    ISSUER = "issuer"  # the card company refuses without a reason, or wants to be called
    SUSPENDED = "suspended"  # for a while
    DETAILS = "details"  # a number, a date or a password that may be a slip
    NOT_ACCEPTED = "not_accepted"  # this card is not taken here
    NOT_ALLOWED = "not_allowed"
    EXPIRED = "expired"
    LOST = "lost"  # or stolen, or forged
    REPLACED = "replaced"  # another card was issued
    OVERDUE = "overdue"  # with the issuer
    CLOSED = "closed"  # terminated, blocked, suspended for good
    UNKNOWN_KEY = "unknown_key"  # no such key, card or account
    MERCHANT = "merchant"  # its contract, registration or limit
    REQUEST = "request"  # how we have asked
    MAINTENANCE = "maintenance"
    BUSY = "busy"


class NotChargedReason(StrEnum):
    CONNECT_FAILED = "connect_failed"  # no connection, so not one byte was sent
    NO_TOKEN = "no_token"  # noqa: S105 - a reason, not a password; PortOne gave no access token
    UNAUTHORIZED = "unauthorized"  # 401 twice: PortOne did not process the request
    LEASE_OVER = "lease_over"  # the worker was too late to send it
    NOT_FOUND = "not_found"  # PortOne has no payment of this merchant_uid, and the quiet period has passed
    WINDOW_LEFT = "window_left"  # a payment window was left unpaid, and is too old to be paid now
    EARLIER_PAID = "earlier_paid"  # not sent: an earlier attempt for its period was paid after all
    EARLIER_UNCLEAR = "earlier_unclear"  # not sent: PortOne did not say whether one was


class UnknownReason(StrEnum):
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"  # after bytes may have left
    SERVER_ERROR = "server_error"  # 5xx, and every other HTTP status that is not an answer
    UNREADABLE = "unreadable"  # not JSON, not an envelope, too large, empty
    STATUS_NOT_KNOWN = "status_not_known"  # a payment status or code that we cannot read as yes or no
    DUPLICATE = "duplicate"  # "already paid", "duplicate" in any wording
    REFUSAL_NOT_KNOWN = "refusal_not_known"  # refused without a payment record, in words no table knows
    OTHER_PAYMENT = "other_payment"  # the answer is not about our merchant_uid, amount or currency
    IMPLAUSIBLE = "implausible"  # paid, at a time that cannot be
    GATEWAY_UNSURE = "gateway_unsure"  # the PG itself says that the outcome is open
    ABANDONED = "abandoned"  # started and never settled: its worker is gone
    IN_PROGRESS = "in_progress"  # PortOne has a record without a result yet
    NOT_FOUND_YET = "not_found_yet"  # nothing at PortOne, but the quiet period is not over
    WINDOW_OPEN = "window_open"  # unpaid so far, but its payment window may be open still
    LOOK_UP_FAILED = "look_up_failed"
    CANCELED = "canceled"  # paid and refunded outside of Again


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What PortOne answered, as far as it may be stored: no buyer, no card number, no customer_uid."""

    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    imp_uid: str | None = None
    pg_tid: str | None = None
    raw: Mapping[str, Any] | None = field(default=None, repr=False)


NO_ANSWER = Answer()


@dataclass(frozen=True, slots=True)
class Paid:
    paid_at: datetime
    answer: Answer


@dataclass(frozen=True, slots=True)
class Declined:
    """`on_merchants_word`: only a merchant's own rule knows the text, so earlier sends are accounted for first."""

    kind: DeclineKind
    answer: Answer
    about: About | None = None
    on_merchants_word: bool = False


@dataclass(frozen=True, slots=True)
class NotCharged:
    reason: NotChargedReason
    answer: Answer = NO_ANSWER


@dataclass(frozen=True, slots=True)
class Unknown:
    """`needs_human` flags the attempt at once: more look-ups will not make it clearer.

    `supposed` is the decline that a merchant's own rule takes a text for, of which PortOne has shown no record.
    """

    reason: UnknownReason
    answer: Answer = NO_ANSWER
    needs_human: bool = False
    supposed: DeclineKind | None = None


Outcome = Paid | Declined | NotCharged | Unknown
