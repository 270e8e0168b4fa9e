"""What an operator agrees to: everything that a step does, whatever the words for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.attempts import MERCHANT_UID, STARTED_AT, record
from worker.domain.gateway import Refund
from worker.domain.outcomes import Declined, DeclineKind, NotCharged, NotChargedReason, Paid
from worker.domain.states import ChargeStatus
from worker.review.case import Decision
from worker.review.step import Caution, ChargeEffect, Step

IMP_UID = "imps_000000000001"
NOT_FOUND = NotCharged(NotChargedReason.NOT_FOUND)
CHARGE = ChargeEffect(charge_id=17, becomes=ChargeStatus.DUE, owed=9900, currency="KRW", merchant_uid=MERCHANT_UID)
REFUND = Refund(imp_uid=IMP_UID, amount=9900, checksum=9900, tax_free=0, pg="kakaopay", reason="paid twice")
PAYMENT = record(imp_uid=IMP_UID)
PAID = Paid(STARTED_AT, replace(NOT_FOUND.answer, imp_uid=IMP_UID))
DECLINED = Declined(DeclineKind.SOFT, NOT_FOUND.answer)

STEP = Step(
    decision=Decision.REFUND,
    sentence="9,900 KRW is refunded.",
    moves_money=True,
    charge=CHARGE,
    outcome=PAID,
    payment=PAYMENT,
    refund=REFUND,
    cautions=frozenset({Caution.COUNTED, Caution.FINAL}),
)


def test_steps_that_differ_in_wording_have_the_same_fingerprint():
    reworded = replace(STEP, sentence="The customer gets 9,900 won back.", refund=replace(REFUND, reason="as asked"))
    assert reworded.fingerprint() == STEP.fingerprint()


CHANGES: list[dict[str, Any]] = [
    {"decision": Decision.ACCEPT},
    {"moves_money": False},
    {"charge": None},
    {"charge": replace(CHARGE, charge_id=18)},
    {"charge": replace(CHARGE, becomes=ChargeStatus.VOID)},
    {"charge": replace(CHARGE, becomes=None, status=ChargeStatus.DUE)},
    {"charge": replace(CHARGE, owed=9901)},
    {"charge": replace(CHARGE, currency="USD")},
    {"charge": replace(CHARGE, merchant_uid="another")},
    {"outcome": None},
    {"outcome": Paid(STARTED_AT + timedelta(seconds=1), PAID.answer)},
    {"outcome": Paid(STARTED_AT, replace(PAID.answer, imp_uid="another"))},
    {"outcome": DECLINED},
    {"outcome": Declined(DeclineKind.HARD, DECLINED.answer)},
    {"outcome": NOT_FOUND},
    {"outcome": NotCharged(NotChargedReason.WINDOW_LEFT)},
    {"payment": None},
    {"payment": replace(PAYMENT, imp_uid="another")},
    {"payment": replace(PAYMENT, status="cancelled")},
    {"payment": replace(PAYMENT, amount=9901)},
    {"payment": replace(PAYMENT, cancel_amount=1)},
    {"payment": replace(PAYMENT, currency="USD")},
    {"payment": replace(PAYMENT, paid_at=None)},
    {"refund": None},
    {"refund": replace(REFUND, imp_uid="another")},
    {"refund": replace(REFUND, checksum=9899)},
    {"refund": replace(REFUND, tax_free=1)},
    {"refund": replace(REFUND, vat_amount=900)},
    {"refund": replace(REFUND, pg="payco")},
    {"cautions": frozenset()},
    {"cautions": frozenset({Caution.COUNTED})},
]


@pytest.mark.parametrize("change", CHANGES, ids="-".join)
def test_step_that_does_something_else_has_another_fingerprint(change: dict[str, Any]):
    assert replace(STEP, **change).fingerprint() != STEP.fingerprint()


def test_fingerprints_of_all_changes_differ_from_each_other():
    fingerprints = [replace(STEP, **change).fingerprint() for change in CHANGES]
    assert len(set(fingerprints)) == len(CHANGES)
