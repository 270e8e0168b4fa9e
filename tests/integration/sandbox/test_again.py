"""Charging a billing key over HTTP: the answers, and the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.integration.sandbox.shapes import PAYMENT, check, check_refusal
from tests.support.sandbox import Api, HandClock, RunningSandbox, running_sandbox
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Shape, decline, flaky, misrecorded, pay


def test_kakao_money_charge_is_paid_and_in_the_ledger(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    payment = check(api.again("m1", buyer_name="Buyer", custom_data='{"period": 1}'), PAYMENT)
    assert (payment["status"], payment["amount"], payment["merchant_uid"]) == ("paid", 9900, "m1")
    assert (payment["pg_provider"], payment["pg_id"], payment["pay_method"]) == ("kakaopay", "TCSUBSCRIP", "point")
    assert payment["user_agent"].startswith("python-httpx/")
    assert (payment["buyer_name"], payment["custom_data"]) == ("Buyer", '{"period": 1}')
    assert payment["receipt_url"].startswith("https://receipt.kakaopay.example.invalid/T")
    assert payment["started_at"] <= payment["paid_at"]
    assert admin.charges() == {"m1": 1}
    assert admin.report().charged_krw == 9900


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({"pg": "kakaopay", "instrument": "card"}, ("card", "TCSUBSCRIP", True)),
        ({"pg": "payco"}, ("card", "AUTOPAY", True)),
        ({"pg": "payco", "instrument": "money"}, ("point", "AUTOPAY", True)),
        ({"pg": "kakaopay", "sandbox": False}, ("point", "CA0SANDBOX", False)),  # a live channel
    ],
)
def test_charge_shows_its_channel_and_instrument(
    api: Api, admin: SandboxAdmin, key: dict[str, Any], expected: tuple[str, str, bool]
):
    admin.create_keys([{"customer_uid": "key", **key}])
    payment = check(api.again("m1"), PAYMENT)
    assert (payment["pay_method"], payment["pg_id"], payment["sandbox"]) == expected


def test_charge_request_may_be_a_form(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    fields = {"customer_uid": "key", "merchant_uid": "m1", "amount": "9900", "name": "월 구독"}
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.http.post("/subscribe/payments/again", data=fields, headers=headers)
    assert check(answer, PAYMENT)["name"] == "월 구독"


def test_charge_request_may_be_a_multipart_form(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    fields = {"customer_uid": "key", "merchant_uid": "m1", "amount": "9900"}
    parts = {name: (None, value) for name, value in fields.items()}
    answer = api.http.post("/subscribe/payments/again", files=parts, headers={"Authorization": api.token})
    check(answer, PAYMENT)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"merchant_uid": "\\ud800"}', "application/json"),  # half a character
        (b"[" * 100_000, "application/json"),  # too deep
        (b"no boundary", "multipart/form-data"),
    ],
)
def test_unreadable_body_is_a_400_in_the_envelope(api: Api, body: bytes, content_type: str):
    headers = {"Authorization": api.token, "Content-Type": content_type}
    answer = api.http.post("/subscribe/payments/again", content=body, headers=headers)
    check_refusal(answer, code=1, status=400)


@pytest.mark.parametrize("missing", ["customer_uid", "merchant_uid", "amount"])
def test_missing_field_is_a_400(api: Api, admin: SandboxAdmin, missing: str):
    admin.create_key("key")
    check_refusal(api.again("m1", **{missing: None}), code=1, status=400, message=missing)
    assert admin.report().charges == 0


def test_unknown_customer_uid_is_code_1_with_http_200(api: Api, admin: SandboxAdmin):
    check_refusal(api.again("m1", "nobody"), code=1, message="등록되지 않은 구매자입니다.")
    assert admin.report().again_results == {"refused": 1}


def test_amount_below_the_minimum_is_declined_without_a_record(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline(), pay())
    check_refusal(api.again("m1", amount=99), code=-1)
    assert admin.payments() == []
    assert admin.keys()[0]["calls"] == 0, "a refusal does not use up a behaviour"


@pytest.mark.parametrize(
    ("pg", "fields"),
    [
        ("paypal_v2", {}),
        ("paypal_v2", {"currency": "USD"}),
        ("smartro_v2", {}),
        ("ksnet", {}),
        ("welcome", {}),
        ("paymentwall", {}),
        ("kakaopay", {"channel_key": "channel-key-nobody"}),
        ("nice", {"vat_amount": -5}),
        ("nice", {"vat_amount": 9901}),
        ("nice", {"product_type": "nonsense"}),
        ("nice", {"promotion_id": "summer"}),
    ],
)
def test_charge_documented_as_impossible_is_rejected(api: Api, admin: SandboxAdmin, pg: str, fields: dict[str, Any]):
    admin.create_key("key", pg=pg)
    answer = api.again("m1", **fields)
    assert answer.json()["code"] != 0
    assert admin.charges() == {}
    assert admin.payments() == []


def test_payco_account_is_declined_above_its_daily_and_monthly_limit():
    clock = HandClock(datetime(2026, 3, 1, 3, 0, tzinfo=UTC))
    with running_sandbox(clock=clock) as sandbox, Api(sandbox.base_url) as api:
        sandbox.admin.create_key("key", pg="payco", instrument="money", sandbox=False)
        api.paid("m1", amount=2_000_000)
        check_refusal(api.again("m2", amount=100), code=-1)
        clock.move(hours=12)  # in Seoul it is the next day
        api.log_in()
        api.paid("m3", amount=2_000_000)
        clock.move(days=1)
        api.log_in()
        check_refusal(api.again("m4", amount=1_000_100), code=-1)
        api.paid("m5", amount=1_000_000)
        assert sandbox.admin.report().charged_krw == 5_000_000


def test_charge_without_a_token_is_a_401(sandbox: RunningSandbox, admin: SandboxAdmin):
    admin.create_key("key")
    body = {"customer_uid": "key", "merchant_uid": "m1", "amount": 9900}
    answer = httpx.post(f"{sandbox.base_url}/subscribe/payments/again", json=body)
    assert answer.status_code == 401
    assert admin.report().again_results == {"unauthorized": 1}


def test_decline_by_status_is_code_0_with_a_failed_record(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline("CC61", "한도초과"))
    payment = check(api.again("m1"), PAYMENT)
    assert (payment["status"], payment["fail_reason"]) == ("failed", "[CC61]한도초과")
    assert (payment["paid_at"], payment["receipt_url"]) == (0, None)
    assert payment["failed_at"] > 0
    report = admin.report()
    assert (report.count("failed"), report.charges, report.charged_krw) == (1, 0, 0)


@pytest.mark.parametrize("recorded", [True, False])
def test_decline_by_message_is_code_minus_1_with_or_without_a_record(api: Api, admin: SandboxAdmin, *, recorded: bool):
    admin.create_key("key", decline("2116", "개인 월 한도금액 초과", shape=Shape.MESSAGE, recorded=recorded))
    check_refusal(api.again("m1"), code=-1, message="결제승인에 실패하였습니다. [2116]개인 월 한도금액 초과")
    assert admin.report().count("failed") == int(recorded)
    assert api.get("/payments/findAll/m1").status_code == (200 if recorded else 404)


def test_key_declines_twice_and_then_pays(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline(times=2), pay())
    statuses = [api.again(f"m{number}").json()["response"]["status"] for number in range(4)]
    assert statuses == ["failed", "failed", "paid", "paid"]


def test_misrecorded_charge_counts_as_charged_and_can_be_corrected(api: Api, admin: SandboxAdmin):
    admin.create_key("key", misrecorded())
    failed = check(api.again("m1"), PAYMENT)
    assert failed["status"] == "failed"
    assert (admin.charges(), admin.report().charged_krw) == ({"m1": 1}, 9900)
    admin.correct(failed["imp_uid"])
    assert check(api.get("/payments/find/m1"), PAYMENT)["status"] == "paid"
    assert admin.report().charged_krw == 9900, "correcting a record moves no money"


def test_flaky_run_with_the_same_seed_is_repeatable(api: Api, admin: SandboxAdmin):
    def run() -> list[str]:
        admin.reset()
        api.log_in()
        admin.create_key("key", flaky(11, mix=[(1, pay()), (1, decline())]))
        return [api.again(f"m{number}").json()["response"]["status"] for number in range(20)]

    first = run()
    assert set(first) == {"paid", "failed"}
    assert run() == first


def test_behaviours_can_be_changed_while_running(api: Api, admin: SandboxAdmin):
    admin.create_keys([{"customer_uid": "a"}, {"customer_uid": "b"}])
    assert admin.behave(decline(), customer_uids=["a"]) == 1
    assert [api.again(f"m{uid}", uid).json()["response"]["status"] for uid in "ab"] == ["failed", "paid"]
    assert admin.behave(decline()) == 2
    assert api.again("m2", "b").json()["response"]["status"] == "failed"


def test_key_reissued_under_a_customer_uid_replaces_the_old_one(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline())
    admin.create_key("key", pg="payco")
    assert check(api.again("m1"), PAYMENT)["pg_provider"] == "payco"


def test_reissued_key_starts_its_story_over(api: Api, admin: SandboxAdmin):
    statuses = []
    for merchant_uid in ("m1", "m2"):
        admin.create_key("key", decline(times=1), pay())
        statuses.append(api.again(merchant_uid).json()["response"]["status"])
    assert statuses == ["failed", "failed"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/payments/prepare", 501),
        ("PUT", "/payments/prepare", 501),
        ("GET", "/payments/prepare", 501),
        ("GET", "/payments/prepare/m1", 501),
        ("GET", "/payments/imps_000000000001/balance", 501),
        ("GET", "/certifications/imp_000000000001", 501),
        ("POST", "/payco/orders/status/imps_000000000001", 501),
        ("GET", "/payments/find", 501),
        ("GET", "/payments/status", 501),
        ("GET", "/nothing/here", 501),
        ("GET", "/", 501),
        ("GET", "/subscribe/payments/again", 405),
        ("GET", "/payments/cancel", 405),
        ("DELETE", "/payments/cancel", 405),
    ],
)
def test_missing_endpoint_is_a_501_in_the_envelope(api: Api, method: str, path: str, status: int):
    answer = api.http.request(method, path, headers={"Authorization": api.token})
    check_refusal(answer, code=1, status=status)
