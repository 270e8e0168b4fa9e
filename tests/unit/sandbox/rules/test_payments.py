"""How a payment changes: paid, failed, cancelled in parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.rules import payments
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.charge_requests import read
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.providers import Instrument, channel

NOW = 1_772_323_200


def started(pg: str = "kakaopay", instrument: Instrument = Instrument.MONEY, **fields: Any) -> Payment:
    body = {"customer_uid": "key", "merchant_uid": "m1", "amount": 9900, "name": "Plan", **fields}
    key = BillingKey("key", channel(pg, sandbox=True), instrument)
    request = read(Call("POST", "/", fields=body))
    return payments.started(request, key, number=42, at=NOW, pg_tid="T0", user_agent="tests")


def test_kakao_money_payment_has_no_card():
    payment = payments.paid(started(), at=NOW + 1)
    assert payment["pay_method"] == "point"
    assert {name: payment[name] for name in payment if name.startswith("card_")} == {
        **dict.fromkeys(["card_code", "card_name", "card_issuer_code", "card_issuer_name", "card_number"]),
        **dict.fromkeys(["card_publisher_code", "card_publisher_name", "card_type"]),
        "card_quota": 0,
    }
    assert (payment["apply_num"], payment["emb_pg_provider"], payment["pg_id"]) == ("", None, "TCSUBSCRIP")
    assert (payment["imp_uid"], payment["channel"], payment["customer_uid_usage"]) == (
        "imps_000000000042",
        "api",
        "payment",
    )


@pytest.mark.parametrize(
    ("pg", "instrument", "pay_method", "pg_id", "has_card"),
    [
        ("kakaopay", Instrument.CARD, "card", "TCSUBSCRIP", True),
        ("payco", Instrument.CARD, "card", "AUTOPAY", True),
        ("payco", Instrument.MONEY, "point", "AUTOPAY", False),
        ("nice_v2", Instrument.CARD, "card", "sandbox_nice_v2", True),
    ],
)
def test_instrument_decides_pay_method_and_card_fields(
    pg: str, instrument: Instrument, pay_method: str, pg_id: str, *, has_card: bool
):
    payment = started(pg, instrument)
    assert (payment["pay_method"], payment["pg_provider"], payment["pg_id"]) == (pay_method, pg, pg_id)
    assert (payment["card_number"] is not None) is has_card


def test_times_that_do_not_apply_are_zero():
    paid = payments.paid(started(), at=NOW + 5)
    failed = payments.failed(started(), at=NOW + 5, reason="[CC61]한도초과")
    times = ["started_at", "paid_at", "failed_at", "cancelled_at"]
    assert [paid[name] for name in times] == [NOW, NOW + 5, 0, 0]
    assert [failed[name] for name in times] == [NOW, 0, NOW + 5, 0]


def test_only_an_approved_card_charge_has_an_approval_number():
    by_card = started("payco", Instrument.CARD)
    assert payments.paid(by_card, at=NOW)["apply_num"] == "00000042"
    assert payments.failed(by_card, at=NOW, reason="no")["apply_num"] is None


@given(st.lists(st.integers(min_value=1, max_value=5000), min_size=1, max_size=10))
def test_partial_cancels_add_up_and_the_last_one_sets_cancelled(parts: list[int]):
    payment = payments.paid(started(amount=max(100, sum(parts))), at=NOW)
    for part in parts:
        assert payment["status"] == "paid"
        payment = payments.cancelled(payment, amount=part, reason="r", at=NOW, cancellation_id="c")
    if payments.cancellable(payment):
        rest = payments.cancellable(payment)
        payment = payments.cancelled(payment, amount=rest, reason="r", at=NOW, cancellation_id="c")
    assert payment["status"] == "cancelled"
    assert sum(each["amount"] for each in payment["cancel_history"]) == payment["cancel_amount"] == payment["amount"]
