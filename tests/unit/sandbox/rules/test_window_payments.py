"""The payment record of a payment window: ready, approved, and registered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sandbox_windows import payment, window
from worker.sandbox.rules import window_payments
from worker.sandbox.switches import RegistrationAmount


@pytest.mark.parametrize(
    ("changes", "usage", "amount"),
    [
        ({}, None, 9900),
        ({"customer_uid": "u"}, "issue", 9900),
        ({"customer_uid": "u", "amount": 0}, "issue", 0),
        ({"customer_uid": "u", "pg": "payco"}, "issue", 0),
    ],
)
def test_approved_registration_has_the_usage_issue(changes: dict[str, Any], usage: str | None, amount: int):
    of = window(**changes)
    paid = window_payments.approved(of, payment(of), at=1010, recorded=RegistrationAmount.ZERO)
    assert (paid["status"], paid["customer_uid_usage"], paid["amount"]) == ("paid", usage, amount)
    assert paid["customer_uid"] == of.request.customer_uid
    assert (paid["receipt_url"] is None) == (amount == 0)
    shown = window_payments.approved(of, payment(of), at=1010, recorded=RegistrationAmount.SHOWN)
    assert shown["amount"] == of.request.amount


def test_ready_payment_has_no_customer_uid_and_no_approval_number():
    of = window(customer_uid="u")
    ready = window_payments.ready(payment(of))
    assert (ready["status"], ready["customer_uid"], ready["apply_num"]) == ("ready", None, None)
    assert (ready["imp_uid"], ready["channel"]) == ("imp_000000000007", "pc")
