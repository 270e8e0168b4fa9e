"""Cancelling payments over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.sandbox.shapes import PAYMENT, check, check_refusal
from tests.support.sandbox import Api, HandClock, running_sandbox
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import decline

CANCEL = "/payments/cancel"


def test_full_cancel_refunds_everything(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    paid = api.paid("m1")
    cancelled = check(api.post(CANCEL, imp_uid=paid["imp_uid"], reason="asked for"), PAYMENT)
    assert (cancelled["status"], cancelled["cancel_amount"], cancelled["cancel_reason"]) == (
        "cancelled",
        9900,
        "asked for",
    )
    [entry] = cancelled["cancel_history"]
    assert (entry["amount"], entry["reason"], entry["pg_tid"]) == (9900, "asked for", paid["pg_tid"])
    report = admin.report()
    assert (report.charges, report.charged_krw, report.refunded_krw, report.kept_krw) == (1, 9900, 9900, 0)


def test_partial_cancels_leave_a_history(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.paid("m1")
    first = check(api.post(CANCEL, merchant_uid="m1", amount=900, checksum=9900), PAYMENT)
    assert (first["status"], first["cancel_amount"]) == ("paid", 900)
    check_refusal(api.post(CANCEL, merchant_uid="m1", amount=900, checksum=9900), code=1, message="checksum")
    check_refusal(api.post(CANCEL, merchant_uid="m1", amount=9001), code=1)
    rest = check(api.post(CANCEL, merchant_uid="m1", amount=0), PAYMENT)
    assert [entry["amount"] for entry in rest["cancel_history"]] == [900, 9000]
    assert len({entry["cancellation_id"] for entry in rest["cancel_history"]}) == 2
    check_refusal(api.post(CANCEL, merchant_uid="m1"), code=1, message="이미 전액취소된 주문입니다.")
    assert admin.report().refunded_krw == 9900


def test_imp_uid_wins_over_merchant_uid(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    one = api.paid("m1")
    api.paid("m2")
    cancelled = check(api.post(CANCEL, imp_uid=one["imp_uid"], merchant_uid="m2"), PAYMENT)
    assert cancelled["merchant_uid"] == "m1"
    answer = api.post(CANCEL, imp_uid="imps_000000000000", merchant_uid="m2")
    check_refusal(answer, code=1, message="취소할 결제건이 존재하지 않습니다.")


def test_cancel_by_merchant_uid_picks_the_paid_payment(api: Api, admin: SandboxAdmin):
    admin.create_keys([{"customer_uid": "key"}, {"customer_uid": "poor"}])
    admin.behave(decline(), customer_uids=["poor"])
    admin.switch(repeated_paid="accept")
    paid = api.paid("m1")
    api.again("m1", "poor")
    assert check(api.post(CANCEL, merchant_uid="m1"), PAYMENT)["imp_uid"] == paid["imp_uid"]


def test_cancelled_payment_does_not_hide_a_paid_one(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(repeated_paid="accept")
    api.paid("m1")
    api.post(CANCEL, merchant_uid="m1")
    second = api.paid("m1")
    assert check(api.post(CANCEL, merchant_uid="m1"), PAYMENT)["imp_uid"] == second["imp_uid"]


@pytest.mark.parametrize("fields", [{"merchant_uid": "nothing"}, {"imp_uid": "nothing"}, {"merchant_uid": "failed"}])
def test_nothing_to_cancel_is_code_1(api: Api, admin: SandboxAdmin, fields: dict[str, Any]):
    admin.create_key("key", decline())
    api.again("failed")
    check_refusal(api.post(CANCEL, **fields), code=1, message="취소할 결제건이 존재하지 않습니다.")


BUYER = {"buyer_name": "Hong", "buyer_email": "hong@example.com", "buyer_tel": "010-0000-0000"}
NICE = {"amount": 11_000, "tax_free": 5500, "vat_amount": 500}


@pytest.mark.parametrize(
    ("pg", "paid", "fields", "refused"),
    [
        ("payco", {}, {}, False),  # nothing of it was tax-free
        ("nice", {}, {}, False),
        ("payco", {"tax_free": 9900}, {}, True),  # tax_free has to be stated where it is
        ("payco", {"tax_free": 9900}, {"tax_free": 9900}, False),
        ("kicc", {"tax_free": 1}, {}, True),
        ("kakaopay", {"tax_free": 9900}, {}, False),
        ("kakaopay", {}, {"tax_free": 9901}, True),  # more than is cancelled
        ("kakaopay", {"tax_free": 900}, {"tax_free": 901}, True),  # more than was tax-free
        ("nice", NICE, {"tax_free": 5500}, True),  # what was stated with the payment has to be stated again
        ("nice", NICE, {"tax_free": 5500, "vat_amount": 500}, False),
        ("html5_inicis", NICE, {}, True),
        ("html5_inicis", NICE, {"vat_amount": 500}, False),
        ("nice_v2", NICE, {}, True),
        ("tosspay_v2", NICE, {}, False),  # here for a part only
        ("tosspay_v2", NICE, {"amount": 1100}, True),
        ("tosspay_v2", NICE, {"amount": 1100, "vat_amount": 100}, False),
        ("nice", NICE, {"tax_free": 5500, "vat_amount": 501}, True),  # more than there was
        ("naverpay", {}, {}, True),  # Naver Pay requires a requester
        ("naverpay", {}, {"extra": {"requester": "admin"}}, True),  # and a reason
        ("naverpay", {}, {"extra": {"requester": "nobody"}, "reason": "asked for"}, True),
        ("naverpay", {}, {"extra": {"requester": "customer"}, "reason": "asked for"}, False),
        ("smartro_v2", BUYER | {"tax_free": 900}, {"amount": 900}, True),  # required for a part
        ("smartro_v2", BUYER | {"tax_free": 900}, {}, False),
        ("welcome", BUYER | {"tax_free": 900}, {}, True),
    ],
)
def test_cancel_needs_the_fields_that_its_pg_requires(
    api: Api, admin: SandboxAdmin, pg: str, paid: dict[str, Any], fields: dict[str, Any], refused: bool
):
    admin.create_key("key", pg=pg)
    api.paid("m1", **paid)
    answer = api.post(CANCEL, merchant_uid="m1", **fields)
    assert answer.json()["code"] == int(refused)
    assert bool(admin.report().refunded_krw) is not refused


def test_partial_cancels_refund_no_more_tax_than_was_stated(api: Api, admin: SandboxAdmin):
    admin.create_key("key", pg="nice")
    api.paid("m1", **NICE)
    check(api.post(CANCEL, merchant_uid="m1", amount=6000, tax_free=3000, vat_amount=273), PAYMENT)
    check_refusal(api.post(CANCEL, merchant_uid="m1", amount=5000, tax_free=3000, vat_amount=227), code=1)
    check_refusal(api.post(CANCEL, merchant_uid="m1", amount=5000, tax_free=2500, vat_amount=228), code=1)
    check(api.post(CANCEL, merchant_uid="m1", amount=5000, tax_free=2500, vat_amount=227), PAYMENT)
    (payment,) = admin.payments()
    assert (payment["tax_free_refunded"], payment["vat_refunded"]) == (5500, 500)


@pytest.mark.parametrize(
    ("key", "days", "refused"),
    [
        ({"instrument": "card"}, 364, False),
        ({"instrument": "card"}, 367, True),  # cards: a year
        ({"instrument": "money"}, 367, False),  # Kakao money: five years
        ({"instrument": "money"}, 5 * 366 + 1, True),
        ({"pg": "payco"}, 367, True),
    ],
)
def test_cancel_after_the_pgs_period_is_rejected(key: dict[str, Any], days: int, *, refused: bool):
    clock = HandClock()
    with running_sandbox(clock=clock) as sandbox, Api(sandbox.base_url) as api:
        sandbox.admin.create_keys([{"customer_uid": "key", **key}])
        api.paid("m1")
        clock.move(days=days)
        api.log_in()
        assert (api.post(CANCEL, merchant_uid="m1").json()["code"] != 0) is refused


@pytest.mark.parametrize("fields", [{}, {"merchant_uid": "m1", "amount": "half"}, {"merchant_uid": "m1", "amount": -1}])
def test_unreadable_cancel_is_a_400(api: Api, admin: SandboxAdmin, fields: dict[str, Any]):
    admin.create_key("key")
    api.paid("m1")
    check_refusal(api.post(CANCEL, **fields), code=1, status=400)
    assert admin.report().refunded_krw == 0
