"""The port to a payment gateway, and the values it answers with. `worker.portone.adapter` implements it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from worker.domain.outcomes import Answer, NotCharged, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """One call that may move money. `customer_uid` is as good as a card: it never shows in a repr."""

    customer_uid: str = field(repr=False)
    merchant_uid: str
    amount: int
    tax_free: int
    vat_amount: int | None
    currency: str
    name: str
    pg: str
    channel_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """One entry of a payment's `cancel_history` (documented): a refund by API or in PortOne's console.

    `reason` is kept as PortOne shows it, without what may not be stored; `cancellation_id` is PortOne's own.
    """

    amount: int
    canceled_at: datetime | None
    reason: str | None
    cancellation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """One payment as PortOne's look-ups show it; `status` is PortOne's word and may be one we do not know."""

    imp_uid: str
    merchant_uid: str
    status: str
    amount: int
    cancel_amount: int
    currency: str
    paid_at: datetime | None
    fail_reason: str | None
    pg_tid: str | None
    customer_uid: str | None = field(default=None, repr=False)  # as good as a card: compared, never stored from here
    odd: str | None = None  # why its amounts are impossible: they are clamped, and an operator decides
    cancellations: tuple[Cancellation, ...] = ()  # those that could be read; PortOne may show none of them
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """Every record PortOne has under one merchant_uid, newest first, or of a time slice; none is an answer too."""

    records: tuple[PaymentRecord, ...]
    skipped: int = 0  # payments of a time slice that could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A billing key as PortOne shows it. `card` is masked, and None for wallets."""

    customer_uid: str = field(repr=False)
    pg: str
    card: str | None
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A charge that PortOne will make by itself when its time has come."""

    customer_uid: str = field(repr=False)
    merchant_uid: str
    schedule_at: datetime
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class OpenSchedules:
    """The schedules that wait at PortOne, and how many could not be read. There may be more than were asked for."""

    schedules: tuple[Schedule, ...]
    unread: int
    is_complete: bool

    @property
    def count(self) -> int:
        return len(self.schedules) + self.unread


@dataclass(frozen=True, slots=True)
class StillScheduled:
    """PortOne is going to charge a key by itself, so it was not deleted."""

    count: int


@dataclass(frozen=True, slots=True)
class NoSuchKey:
    """PortOne has no billing key of this customer_uid."""


@dataclass(frozen=True, slots=True)
class LookUpFailed:
    """PortOne gave no usable answer, so nothing is known."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class ListChanged(LookUpFailed):
    """A list changed while it was read, so that payments may have slipped from page to page. A shorter one may not."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """A time slice holds more payments than were asked for; none of them was kept."""

    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund of one payment, whole or in part, in its currency.

    `checksum` is what is not refunded yet, as far as is known: PortOne rejects a refund if its own differs
    (documented), so the same refund, sent again, refunds nothing twice. `amount` is at most that. `pg` is PortOne's
    code of the PG that took the payment, or empty; it decides which fields are required. `reference` marks the refund
    in PortOne's history, which then tells it from those of the console.
    """

    imp_uid: str
    amount: int
    checksum: int
    tax_free: int  # the tax-free part of it; some PGs require it (documented for payco, kcp, kicc, nice)
    vat_amount: int | None = None  # the VAT of it; required where it was stated with the payment (documented)
    pg: str = ""
    reason: str
    reference: str = ""

    @property
    def is_of_the_rest(self) -> bool:
        """Whether nothing of the payment is kept after it."""
        return self.amount == self.checksum


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """PortOne or the PG has rejected a refund.

    The caller has to judge its text: it may be about a time-out behind the PG. One that was never `sent` (no
    connection, no token) has certainly refunded nothing.
    """

    answer: Answer
    sent: bool = True


LeaseCheck = Callable[[], bool]
"""Returns False once this worker's lease on the attempt has expired."""


def always() -> bool:
    return True


class Gateway(Protocol):
    async def ready(self) -> NotCharged | None:
        """Return why no charge can be made now (no connection, no token), or None."""

    async def charge(self, request: ChargeRequest, *, holds_lease: LeaseCheck = always) -> Outcome:
        """Send one charge. Never raises for anything the network or PortOne does.

        `holds_lease` is called right before the request leaves, when there is a connection: a process that was frozen
        until another may have looked its attempt up sends nothing.
        """

    async def look_up(self, merchant_uid: str) -> Found | LookUpFailed:
        """Read everything PortOne has under one merchant_uid."""

    async def payment(self, imp_uid: str) -> Found | LookUpFailed:
        """Read one payment by PortOne's own id; no record when there is none."""

    async def billing_key(self, customer_uid: str) -> StoredKey | NoSuchKey | LookUpFailed:
        """Read what PortOne has stored under a customer_uid."""

    async def delete_key(
        self, customer_uid: str, *, pg: str, reason: str, now: datetime
    ) -> NoSuchKey | StillScheduled | LookUpFailed:
        """Delete a billing key at PortOne, for good; NoSuchKey means that it is gone, by this or before.

        One by which PortOne is going to charge is not deleted: its schedules have to be looked at first (documented).
        """

    async def open_schedules(self, *, now: datetime, pause: float, most: int) -> OpenSchedules | LookUpFailed:
        """Read up to `most` of the charges that PortOne is going to make by itself, the nearest first.

        `pause` is the time in seconds to leave before each request.
        """

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        """Read every payment of a status within at most 90 days, oldest start first; all of it or nothing.

        `pause` is the time in seconds to leave before each page. When there are more than `most`, one page is read. A
        payment that cannot be read is counted and left out: the account may be shared, and most of these are not ours.
        """

    async def refund(self, refund: Refund) -> PaymentRecord | RefundRefused | LookUpFailed:
        """Refund a payment. After LookUpFailed the money may have moved; the checksum makes a repetition safe."""

    async def aclose(self) -> None:
        """Close every connection."""
