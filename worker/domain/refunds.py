"""Refunds: their statuses, and what PortOne's record of a payment says about one of them. Pure.

A payment's rest only ever shrinks, and PortOne refuses a refund whose checksum is not the rest (documented). So of all
refunds with one checksum at most one is carried out, however often they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.discrepancy_rules import refunded
from worker.domain.gateway import Cancellation, PaymentRecord, Refund

MAX_SENDS = 5
"""How often a refund is sent that PortOne's record shows as not carried out; each at least a quiet period apart."""


class RefundStatus(StrEnum):
    REQUESTED = "requested"  # committed; it is sent, or is about to be
    UNCLEAR = "unclear"  # it may have been carried out: it is looked up
    COMPLETED = "completed"  # PortOne shows it
    REFUSED = "refused"  # not carried out, and never will be


OPEN_REFUNDS = frozenset({RefundStatus.REQUESTED, RefundStatus.UNCLEAR})

REFUND_TRANSITIONS: Mapping[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.REQUESTED: frozenset(set(RefundStatus) - {RefundStatus.REQUESTED}),
    RefundStatus.UNCLEAR: frozenset(set(RefundStatus) - {RefundStatus.UNCLEAR}),
    RefundStatus.COMPLETED: frozenset(),
    RefundStatus.REFUSED: frozenset(),
}


class Seen(StrEnum):
    """What a payment's record says about one refund of it."""

    CARRIED_OUT = "carried_out"
    NOT_CARRIED_OUT = "not_carried_out"  # not yet: as much is left as it expects
    OVERTAKEN = "overtaken"  # another refund came first, so PortOne refuses this one for ever
    AMBIGUOUS = "ambiguous"  # the sums leave it open: an operator decides


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a record says about a refund, and the entry of PortOne's history that is this refund, where one is shown."""

    seen: Seen
    cancellation: Cancellation | None = None


def sighting_of(refund: Refund, record: PaymentRecord) -> Sighting:
    """Return what PortOne's record of a payment says about a refund of it."""
    if record.odd is not None:
        return Sighting(Seen.AMBIGUOUS)
    ours = _with_reference(refund, record)
    if ours is not None:
        return Sighting(Seen.CARRIED_OUT, ours)
    left = record.amount - refunded(record)
    if left == refund.checksum:
        return Sighting(Seen.NOT_CARRIED_OUT)
    if left > refund.checksum - refund.amount:
        # Less than ours was refunded since, so it was another one; more than there was cannot be left.
        return Sighting(Seen.OVERTAKEN if left < refund.checksum else Seen.AMBIGUOUS)
    return _by_sums(refund, record, left)


def _with_reference(refund: Refund, record: PaymentRecord) -> Cancellation | None:
    """Return the entry that has this refund's reference; that PortOne keeps reasons as they were sent is assumed."""
    if not refund.reference:
        return None
    return next((each for each in record.cancellations if refund.reference in (each.reason or "")), None)


def _by_sums(refund: Refund, record: PaymentRecord, left: int) -> Sighting:
    """Judge a refund that no entry names, when at least as much was refunded since as it asked for."""
    alike = [each for each in record.cancellations if each.amount == refund.amount]
    is_told_in_full = sum(each.amount for each in record.cancellations) == refunded(record)
    if is_told_in_full and record.cancellations and not alike:
        return Sighting(Seen.OVERTAKEN)
    if left == refund.checksum - refund.amount:
        # By us or in the console: this much was refunded, once, and ours can no longer be.
        return Sighting(Seen.CARRIED_OUT, alike[-1] if len(alike) == 1 else None)
    return Sighting(Seen.AMBIGUOUS)
