"""What charging and reconciliation ask of a payment gateway; `worker.portone` answers."""

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
    odd: str | None = None  # why its numbers cannot be: they are cut to what can, and a person decides
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """Every record PortOne has under one merchant_uid, newest first, or of a window; none is an answer too."""

    records: tuple[PaymentRecord, ...]
    skipped: int = 0  # of a window: so many payments more, which could not be read


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
    """PortOne gave no usable answer, so nothing was learnt."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class ListChanged(LookUpFailed):
    """A list changed while it was read, so that payments may have slipped from page to page. A shorter one may not."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """A window holds more payments than were asked for; none of them was kept."""

    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Giving back the rest of one payment. `checksum` is that rest: if PortOne's books differ, it refuses.

    `pg` is PortOne's code of the PG that took it, or empty: what it wants to be told goes by that.
    """

    imp_uid: str
    checksum: int
    tax_free: int  # so much of it is free of tax; some PGs insist on it (documented for payco, kcp, kicc, nice)
    vat_amount: int | None = None  # and so much is VAT; to be said where it was said with the payment (documented)
    pg: str = ""
    reason: str


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """PortOne or the PG has refused to give the money back.

    How far the refusal goes is for who asked to read: its words may be of a time-out behind the PG. One that was never
    `sent` (no connection, no token) has certainly given nothing back.
    """

    answer: Answer
    sent: bool = True


LeaseCheck = Callable[[], bool]
"""Says whether the attempt to be sent still belongs to this worker."""


def always() -> bool:
    return True


class Gateway(Protocol):
    async def ready(self) -> NotCharged | None:
        """Say why no charge can be made just now (no connection, no token), or None."""

    async def charge(self, request: ChargeRequest, *, holds_lease: LeaseCheck = always) -> Outcome:
        """Send one charge. Never raises for anything the network or PortOne does.

        `holds_lease` is asked right before the request leaves, when there is a connection: a process that slept until
        somebody else may have looked its attempt up sends nothing.
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
        """Delete a billing key at PortOne, for good; NoSuchKey says that it is gone, by this or before.

        One by which PortOne is going to charge is not deleted: its schedules have to be looked at first (documented).
        """

    async def open_schedules(self, *, now: datetime, pause: float, most: int) -> OpenSchedules | LookUpFailed:
        """Read up to `most` of the charges that PortOne is going to make by itself, the nearest first.

        `pause` is the time in seconds to leave before each request.
        """

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        """Read every payment of a status in a window of at most 90 days, oldest start first; all of it or nothing.

        `pause` is the time in seconds to leave before each page. When there are more than `most`, one page is read. A
        payment that cannot be read is counted and left out: the account may be shared, and most such are a stranger's.
        """

    async def refund(self, refund: Refund) -> PaymentRecord | RefundRefused | LookUpFailed:
        """Give a payment back. After LookUpFailed the money may have moved; the checksum makes a repetition safe."""

    async def aclose(self) -> None:
        """Close every connection."""
