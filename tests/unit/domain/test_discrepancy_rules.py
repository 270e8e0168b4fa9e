"""The discrepancy of a payment at PortOne, given our record of its merchant_uid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.attempts import record
from worker.domain.discrepancy_rules import (
    REPAIRABLE,
    Agreement,
    ComparisonResult,
    DiscrepancyKind,
    LocalRecord,
    judge,
    refunded,
)
from worker.domain.states import AttemptStatus, ChargeStatus

IMP_UID = "imps_000000000001"  # the payment's, in tests.support.attempts

PAID = LocalRecord(
    subscription_id=1,
    charge_id=2,
    charge_status=ChargeStatus.PAID,
    amount=9900,
    currency="KRW",
    refunded=0,
    attempt_id=3,
    attempt_status=AttemptStatus.PAID,
    imp_uid=IMP_UID,
    paid_by=None,
    flagged=False,
)
NO_ATTEMPT: dict[str, Any] = {"attempt_id": None, "attempt_status": None, "imp_uid": None}
DECLINED: dict[str, Any] = {"attempt_status": AttemptStatus.DECLINED, "imp_uid": "imps_of_the_decline"}
PAST_DUE: dict[str, Any] = {"charge_status": ChargeStatus.PAST_DUE}
NO_CHARGE: dict[str, Any] = {**NO_ATTEMPT, "charge_id": None, "charge_status": None, "amount": None, "currency": None}
BY_ANOTHER: dict[str, Any] = {"paid_by": "another"}
ELSEWHERE: dict[str, Any] = {"paid_elsewhere": True}


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ({}, Agreement.SETTLED),
        # an open attempt is settled by a look-up
        ({"attempt_status": AttemptStatus.STARTED, "charge_status": ChargeStatus.CHARGING}, Agreement.OPEN),
        ({"attempt_status": AttemptStatus.UNKNOWN, "charge_status": ChargeStatus.CHARGING}, Agreement.OPEN),
        # missing here: the attempt, the charge, both
        ({**NO_ATTEMPT, "charge_status": ChargeStatus.DUE}, DiscrepancyKind.MISSING_HERE),
        ({**NO_ATTEMPT, **PAST_DUE}, DiscrepancyKind.MISSING_HERE),
        ({**NO_ATTEMPT, "charge_status": ChargeStatus.UNCOLLECTIBLE}, DiscrepancyKind.MISSING_HERE),
        (NO_CHARGE, DiscrepancyKind.MISSING_HERE),
        ({**PAST_DUE, "attempt_status": AttemptStatus.NOT_CHARGED, "imp_uid": None}, DiscrepancyKind.MISSING_HERE),
        # declined here
        ({**DECLINED, **PAST_DUE}, DiscrepancyKind.DECLINED_HERE),
        ({**DECLINED, "charge_status": ChargeStatus.UNCOLLECTIBLE}, DiscrepancyKind.DECLINED_HERE),
        # a late answer has made the charge paid, and left the declined attempt to the sweep
        (DECLINED, DiscrepancyKind.DECLINED_HERE),
        # twice: under one merchant_uid, or under two
        ({"imp_uid": "imps_000000000002"}, DiscrepancyKind.PAID_TWICE),
        ({**DECLINED, **BY_ANOTHER}, DiscrepancyKind.PAID_TWICE),
        ({**NO_ATTEMPT, **BY_ANOTHER}, DiscrepancyKind.PAID_TWICE),
        # once at PortOne and once elsewhere
        ({**NO_ATTEMPT, **ELSEWHERE}, DiscrepancyKind.PAID_TWICE),
        ({**DECLINED, **ELSEWHERE}, DiscrepancyKind.PAID_TWICE),
        (ELSEWHERE, DiscrepancyKind.PAID_TWICE),
        # not owed, not known, not as asked
        ({**NO_ATTEMPT, "charge_status": ChargeStatus.VOID}, DiscrepancyKind.NOT_OWED),
        ({"charge_status": ChargeStatus.VOID}, DiscrepancyKind.NOT_OWED),
        ({**NO_CHARGE, "subscription_id": None}, DiscrepancyKind.NOT_IN_RECORDS),
        ({"amount": 9800}, DiscrepancyKind.OTHER_AMOUNT),
        ({**DECLINED, **PAST_DUE, "currency": "USD"}, DiscrepancyKind.OTHER_AMOUNT),
    ],
)
def test_payment_is_classified_by_our_record(local: dict[str, Any], expected: ComparisonResult):
    assert judge(record("paid"), replace(PAID, **local)) == expected


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ({}, DiscrepancyKind.REFUNDED_THERE),
        ({"refunded": 9900}, Agreement.SETTLED),
        ({"refunded": 4000}, DiscrepancyKind.REFUNDED_THERE),
        # it may be a refund of ours, which is looked up
        ({"refunding": True}, Agreement.OPEN),
        ({"refunding": True, "refunded": 9900}, Agreement.SETTLED),
        # the duplicate has been refunded: nothing is left of it
        ({"imp_uid": "imps_000000000002"}, Agreement.SETTLED),
        ({**DECLINED, **BY_ANOTHER}, Agreement.SETTLED),
        # and no refund of a charge that was paid elsewhere
        (ELSEWHERE, Agreement.SETTLED),
        ({**NO_ATTEMPT, **ELSEWHERE}, Agreement.SETTLED),
        ({**NO_ATTEMPT, "charge_status": ChargeStatus.VOID}, Agreement.SETTLED),
        ({**NO_CHARGE, "subscription_id": None}, Agreement.SETTLED),
        # a decline stays one: what the PG took and refunded at once was no payment
        ({**DECLINED, **PAST_DUE}, Agreement.SETTLED),
        # but a period that was paid, and refunded by an operator, must not be charged again
        ({**NO_ATTEMPT, "charge_status": ChargeStatus.DUE}, DiscrepancyKind.MISSING_HERE),
        (NO_CHARGE, DiscrepancyKind.MISSING_HERE),
    ],
)
def test_refunded_payment_is_classified_by_our_record(local: dict[str, Any], expected: ComparisonResult):
    assert judge(record("cancelled"), replace(PAID, **local)) == expected


def test_partly_refunded_duplicate_stays_a_discrepancy():
    partly = record("paid", cancel_amount=4000)
    assert judge(partly, replace(PAID, imp_uid="imps_000000000002")) is DiscrepancyKind.PAID_TWICE
    assert judge(partly, PAID) is DiscrepancyKind.REFUNDED_THERE


@pytest.mark.parametrize(
    ("status", "cancel_amount", "amount"),
    # a cancelled payment without a sum counts as wholly refunded
    [("paid", 0, 0), ("paid", 4000, 4000), ("cancelled", 9900, 9900), ("cancelled", 0, 9900)],
)
def test_refunded_amount_is_read_from_the_record(status: str, cancel_amount: int, amount: int):
    assert refunded(record(status, cancel_amount=cancel_amount)) == amount


def test_only_unambiguous_discrepancies_are_repaired():
    repairable = {DiscrepancyKind.MISSING_HERE, DiscrepancyKind.DECLINED_HERE, DiscrepancyKind.REFUNDED_THERE}
    assert repairable == REPAIRABLE


@pytest.mark.parametrize("changes", [{"amount": 10**20}, {"cancel_amount": 9901}, {"amount": -1}])
def test_payment_with_an_impossible_amount_needs_an_operator(changes):
    odd = record(**changes)
    assert judge(odd, PAID) is DiscrepancyKind.OTHER_AMOUNT
    assert judge(odd, replace(PAID, subscription_id=None)) is DiscrepancyKind.NOT_IN_RECORDS
