"""What PortOne's record of a payment says about one refund of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.attempts import record
from worker.domain.gateway import Cancellation, PaymentRecord, Refund
from worker.domain.refunds import OPEN_REFUNDS, REFUND_TRANSITIONS, RefundStatus, Seen, sighting_of

REFUND = Refund(
    imp_uid="imps_000000000001", amount=3000, checksum=9900, tax_free=0, reason="asked for", reference="again-1"
)


def entry(amount: int, reason: str | None = None) -> Cancellation:
    return Cancellation(amount=amount, canceled_at=None, reason=reason, cancellation_id=f"c{amount}")


def payment(refunded: int, *entries: Cancellation, **changes: Any) -> PaymentRecord:
    return replace(record(), cancel_amount=refunded, cancellations=entries, **changes)


SIGHTINGS = [
    (payment(0), Seen.NOT_CARRIED_OUT),
    (payment(3000, entry(3000, "asked for (again-1)")), Seen.CARRIED_OUT),
    (payment(3000, entry(3000, "shortened")), Seen.CARRIED_OUT),  # PortOne keeps no reasons, or the console was faster
    (payment(3000), Seen.CARRIED_OUT),  # it shows no history
    (payment(5000, entry(3000, "(again-1)"), entry(2000, "console")), Seen.CARRIED_OUT),
    (payment(9900, entry(3000, "(again-1)"), entry(6900, "console"), status="cancelled"), Seen.CARRIED_OUT),
    (payment(1000, entry(1000, "console")), Seen.OVERTAKEN),
    (payment(3000, entry(1000), entry(2000)), Seen.OVERTAKEN),  # as much in sum, by others
    (payment(9900, entry(9900, "console"), status="cancelled"), Seen.OVERTAKEN),
    (payment(9900, status="cancelled"), Seen.AMBIGUOUS),
    (payment(5000, entry(3000, "shortened"), entry(2000)), Seen.AMBIGUOUS),
    (payment(0, odd="an impossible refund"), Seen.AMBIGUOUS),
    (replace(payment(0), amount=12_000), Seen.AMBIGUOUS),  # more is left than there was
]


@pytest.mark.parametrize(("shown", "seen"), SIGHTINGS)
def test_record_of_a_payment_tells_what_became_of_a_refund(shown: PaymentRecord, seen: Seen):
    assert sighting_of(REFUND, shown).seen is seen


def test_entry_with_the_reference_is_the_refund_whatever_else_was_refunded():
    shown = payment(7000, entry(1000, "console"), entry(3000, "asked for (again-1)"), entry(3000, "console"))
    found = sighting_of(REFUND, shown).cancellation
    assert found is not None
    assert found.reason == "asked for (again-1)"


def test_refund_without_a_reference_is_told_by_the_sums():
    assert sighting_of(replace(REFUND, reference=""), payment(3000, entry(3000))).seen is Seen.CARRIED_OUT


def test_settled_refunds_are_final_and_open_ones_are_not():
    assert {status for status in RefundStatus if REFUND_TRANSITIONS[status]} == OPEN_REFUNDS
