"""Payment windows over HTTP, called as the script and the window's page call them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jsonschema
import pytest

from tests.integration.sandbox.shapes import PAYMENT, check
from tests.support.sandbox import Api, HandClock, RunningSandbox, running_sandbox, wait_until
from worker.sandbox.http.client import SandboxAdmin, SandboxAdminError
from worker.sandbox.rules.behaviours import slow
from worker.sandbox.rules.providers import NO_KRW, REGISTERS_IN_WINDOW

SHOP = "https://shop.example"
GENERAL = {"pg": "kakaopay", "merchant_uid": "m1", "amount": 9900, "name": "Plan", "buyer_tel": "010-0000-0000"}
KAKAO_KEY = {**GENERAL, "customer_uid": "key", "m_redirect_url": f"{SHOP}/done?order=7"}
PAYCO_KEY = {**KAKAO_KEY, "pg": "payco"}
WINDOW_PAYMENT = {
    **PAYMENT,
    "properties": {
        **PAYMENT["properties"],
        "imp_uid": {"type": "string", "pattern": "^imp_[0-9]{12}$"},
        "channel": {"enum": ["pc", "mobile"]},
        "customer_uid": {"type": ["string", "null"]},
        "customer_uid_usage": {"enum": [None, "issue"]},
    },
}


def opened(admin: SandboxAdmin, param: dict[str, Any], **how: Any) -> str:
    """Open a window and return its id."""
    answer = admin.open_window(param, **how)
    assert "window" in answer, answer
    window_id: str = answer["window"]["window_id"]
    return window_id


def approved(admin: SandboxAdmin, param: dict[str, Any], **chosen: str) -> dict[str, Any]:
    """Open a window and approve; returns the callback."""
    callback: dict[str, Any] = admin.decide(opened(admin, param), "approve", **chosen)["callback"]
    assert callback["success"], callback
    return callback


def looked_up(api: Api, imp_uid: str) -> dict[str, Any]:
    payment: dict[str, Any] = check(api.get(f"/payments/{imp_uid}", include_sandbox="true"), WINDOW_PAYMENT)
    return payment


def test_script_and_its_files_are_served_to_any_page(sandbox: RunningSandbox):
    for path, kind in (("iamport.js", "text/javascript"), ("window.js", "text/javascript"), ("window.css", "text/css")):
        answer = httpx.get(f"{sandbox.base_url}/v1/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert not any(word in answer.text for word in ("eval(", "innerHTML", "document.write", "Function("))
    assert httpx.get(f"{sandbox.base_url}/v1/window.html").status_code == 501


def test_browser_may_open_windows_from_any_page(sandbox: RunningSandbox):
    url = f"{sandbox.base_url}/v1/windows"
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = httpx.options(url, headers=asked)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "Content-Type"
    body = {"code": "imp00000000", "param": GENERAL, "mobile": False}
    answer = httpx.post(url, json=body, headers={"Origin": SHOP})
    assert answer.headers["access-control-allow-origin"] == "*"
    page = httpx.get(sandbox.base_url + answer.json()["window"]["path"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].endswith(f"frame-ancestors {SHOP}")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("mobile", [False, True])
def test_approved_window_pays(api: Api, admin: SandboxAdmin, *, mobile: bool):
    window_id = opened(admin, {**GENERAL, "pg": "payco"}, mobile=mobile)
    [window] = admin.windows(merchant_uid="m1")
    before = looked_up(api, window["imp_uid"])
    assert (before["status"], before["paid_at"], admin.charges()) == ("ready", 0, {})
    told = admin.decide(window_id, "approve", instrument="card")
    callback = told["callback"]
    assert (told["state"], told["redirect"], callback["success"]) == ("approved", None, True)
    payment = looked_up(api, callback["imp_uid"])
    assert payment["imp_uid"] == before["imp_uid"]
    assert (payment["status"], payment["channel"]) == ("paid", "mobile" if mobile else "pc")
    assert (payment["customer_uid"], payment["customer_uid_usage"]) == (None, None)
    assert (callback["paid_amount"], callback["status"], callback["merchant_uid"]) == (9900, "paid", "m1")
    shared = ("pay_method", "pg_tid", "apply_num", "paid_at", "receipt_url", "card_name")
    assert {name: callback[name] for name in shared} == {name: payment[name] for name in shared}
    assert admin.charges() == {"m1": 1}
    assert admin.keys() == []


@pytest.mark.parametrize(
    ("param", "instrument", "charged", "pay_method"),
    [
        (KAKAO_KEY, "card", 9900, "card"),  # registers and charges
        (KAKAO_KEY, "money", 9900, "point"),
        ({**KAKAO_KEY, "amount": 0}, "money", 0, "point"),  # registers only
        (PAYCO_KEY, "card", 0, "card"),  # only shows the amount
        ({**PAYCO_KEY, "amount": 0}, "money", 0, "point"),
    ],
)
def test_key_registered_in_a_window_can_be_charged(
    api: Api, admin: SandboxAdmin, param: dict[str, Any], instrument: str, charged: int, pay_method: str
):
    callback = approved(admin, param, instrument=instrument)
    payment = looked_up(api, callback["imp_uid"])
    assert (payment["customer_uid"], payment["customer_uid_usage"]) == ("key", "issue")
    assert (payment["status"], payment["amount"]) == ("paid", charged)
    assert admin.report().charged_krw == charged
    key = api.get("/subscribe/customers/key").json()["response"]
    assert (key["pg_provider"], key["customer_tel"]) == (param["pg"], "010-0000-0000")
    later = api.paid("m2")
    assert (later["pay_method"], later["customer_uid_usage"]) == (pay_method, "payment")
    assert admin.report().charged_krw == charged + 9900
    used = api.again("m1").json()
    assert used["code"] == 1, "the registration's merchant_uid is used up"


def test_second_registration_replaces_the_key(api: Api, admin: SandboxAdmin):
    approved(admin, PAYCO_KEY)
    approved(admin, {**KAKAO_KEY, "merchant_uid": "m2", "amount": 0}, instrument="money")
    [key] = admin.keys()
    assert key["pg_provider"] == "kakaopay"
    assert api.paid("m3")["pg_provider"] == "kakaopay"


def test_deleted_key_exists_again_after_registering(api: Api, admin: SandboxAdmin):
    approved(admin, PAYCO_KEY)
    api.delete("/subscribe/customers/key")
    assert api.again("m2").json()["code"] == 1
    approved(admin, {**PAYCO_KEY, "merchant_uid": "m3"})
    api.paid("m2")


def test_registration_may_record_the_amount_shown(api: Api, admin: SandboxAdmin):
    admin.switch(registration_amount="shown")
    callback = approved(admin, PAYCO_KEY)
    assert (callback["paid_amount"], looked_up(api, callback["imp_uid"])["amount"]) == (9900, 9900)
    assert admin.report().charged_krw == 0
    refused = api.post("/payments/cancel", imp_uid=callback["imp_uid"], tax_free=0).json()
    assert refused["code"] == 1, "what was never taken cannot be given back"


def test_declined_window_leaves_a_failed_payment_and_no_key(api: Api, admin: SandboxAdmin):
    told = admin.decide(opened(admin, KAKAO_KEY), "decline", reason="balance")
    callback = told["callback"]
    assert (callback["success"], callback["error_code"]) == (False, "LACK_BALANCE")
    payment = looked_up(api, callback["imp_uid"])
    assert (payment["status"], payment["fail_reason"]) == ("failed", "[LACK_BALANCE]잔액부족")
    assert payment["customer_uid"] is None
    assert (admin.charges(), admin.keys()) == ({}, [])


def test_closed_window_reports_it_and_leaves_a_failed_payment(api: Api, admin: SandboxAdmin):
    told = admin.decide(opened(admin, GENERAL), "close")
    assert told["state"] == "closed"
    assert told["callback"]["error_msg"] == "사용자가 결제를 취소하셨습니다"
    assert looked_up(api, told["callback"]["imp_uid"])["status"] == "failed"
    assert approved(admin, GENERAL)["imp_uid"] != told["callback"]["imp_uid"], "and may be tried again"


def test_kakao_pay_redirects_on_a_phone(admin: SandboxAdmin):
    answer = admin.open_window(KAKAO_KEY, mobile=True)
    assert answer["window"]["redirects"]
    told = admin.decide(answer["window"]["window_id"])
    parts = urlsplit(told["redirect"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{SHOP}/done"
    assert parse_qs(parts.query) == {
        "order": ["7"],
        "imp_uid": [answer["window"]["imp_uid"]],
        "merchant_uid": ["m1"],
        "imp_success": ["true"],
    }


def test_payco_calls_back_on_a_phone(admin: SandboxAdmin):
    answer = admin.open_window(PAYCO_KEY, mobile=True)
    assert not answer["window"]["redirects"]
    assert admin.decide(answer["window"]["window_id"])["redirect"] is None


def test_payco_may_redirect_on_a_phone_by_switch(admin: SandboxAdmin):
    admin.switch(payco_redirects=True)
    param = PAYCO_KEY | {"m_redirect_url": "https://shop.example/back"}
    assert not admin.open_window(param)["window"]["redirects"], "on a PC it calls back"
    answer = admin.open_window(param | {"merchant_uid": "m2"}, mobile=True)
    assert answer["window"]["redirects"]
    assert admin.decide(answer["window"]["window_id"])["redirect"].startswith("https://shop.example/back?imp_uid=")


def test_phone_without_a_redirect_address_loses_the_result_but_pays(admin: SandboxAdmin):
    opened = admin.open_window({**GENERAL, "merchant_uid": "lost"}, mobile=True)["window"]
    told = admin.decide(opened["window_id"])
    assert told == {"state": "approved", "reports": False}
    assert admin.charges() == {"lost": 1}


@pytest.mark.parametrize("pg", sorted(REGISTERS_IN_WINDOW - NO_KRW))
def test_registration_succeeds_at_every_pg_with_key_windows(pg: str, admin: SandboxAdmin, sandbox: RunningSandbox):
    param = {**KAKAO_KEY, "pg": pg, "m_redirect_url": "https://shop.example/back", "amount": 0}
    opened = admin.open_window(param, mobile=True)["window"]
    assert pg in httpx.get(f"{sandbox.base_url}{opened['path']}").text
    assert admin.decide(opened["window_id"])["state"] == "approved"
    listed = admin.keys()
    assert [each["pg_provider"] for each in listed] == [pg]


def test_window_with_a_paid_merchant_uid_does_not_open(api: Api, admin: SandboxAdmin):
    refused = {
        "success": False,
        "imp_uid": None,
        "merchant_uid": "m1",
        "error_code": "F1002",
        "error_msg": "이미 결제가 이루어진 거래건입니다.",
    }
    approved(admin, GENERAL)
    assert admin.open_window(GENERAL) == {"refused": refused}
    admin.create_key("key")
    api.paid("m2")
    assert admin.open_window({**GENERAL, "merchant_uid": "m2"})["refused"]["error_code"] == "F1002"


def test_window_with_a_textual_amount_does_not_open(admin: SandboxAdmin):
    refused = admin.open_window({**GENERAL, "amount": "9900"})["refused"]
    assert (refused["success"], refused["imp_uid"], refused["merchant_uid"]) == (False, None, "m1")
    assert admin.windows() == []


def test_two_clicks_on_approve_pay_once(admin: SandboxAdmin):
    admin.switch(window_approval_seconds=0.1)
    window_id = opened(admin, KAKAO_KEY)
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: admin.decide(window_id), range(8)))
    assert all(each == told[0] for each in told)
    assert (admin.charges(), admin.report().charged_krw) == ({"m1": 1}, 9900)


def test_two_tabs_pay_once(api: Api, admin: SandboxAdmin):
    admin.switch(window_approval_seconds=0.05)
    tabs = [opened(admin, GENERAL) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(admin.decide, tabs))
    assert sorted(each["state"] for each in told) == ["approved", "declined", "declined", "declined"]
    assert {each["callback"]["error_code"] for each in told} == {None, "F1002"}
    assert admin.charges() == {"m1": 1}
    statuses = [each["status"] for each in api.get("/payments/findAll/m1").json()["response"]["list"]]
    assert sorted(statuses) == ["failed", "failed", "failed", "paid"]


def test_concurrent_window_and_charge_pay_once(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    window_id = opened(admin, GENERAL)
    admin.switch(window_approval_seconds=0.3)
    with ThreadPoolExecutor(2) as threads:
        approval = threads.submit(admin.decide, window_id)
        wait_until(lambda: _asked(admin, "decision"), "the approval never arrived")
        charge = threads.submit(api.again, "m1")
        assert approval.result()["callback"]["success"]
        assert charge.result().json()["code"] == 1
    assert admin.charges() == {"m1": 1}


def test_approval_waits_for_a_charge_in_progress(api: Api, admin: SandboxAdmin):
    admin.create_key("key", slow(0.3))
    window_id = opened(admin, GENERAL)
    with ThreadPoolExecutor(2) as threads:
        charge = threads.submit(api.again, "m1")
        wait_until(lambda: _asked(admin, "again"), "the charge never arrived")
        approval = threads.submit(admin.decide, window_id)
        assert charge.result().json()["response"]["status"] == "paid"
        assert approval.result()["callback"]["error_code"] == "F1002"
    assert admin.charges() == {"m1": 1}


def test_first_decision_stays(admin: SandboxAdmin):
    window_id = opened(admin, GENERAL)
    first = admin.decide(window_id, "approve")
    assert admin.decide(window_id, "decline") == first
    assert admin.decide(window_id, "close") == first
    other = opened(admin, {**GENERAL, "merchant_uid": "m2"})
    assert admin.decide(other, "close")["state"] == "closed"
    assert admin.decide(other, "approve")["state"] == "closed"
    assert admin.charges() == {"m1": 1}


def test_reloaded_window_shows_how_it_ended(sandbox: RunningSandbox, admin: SandboxAdmin):
    window_id = opened(admin, GENERAL, origin=SHOP)
    url = f"{sandbox.base_url}/v1/windows/{window_id}"
    assert 'data-testid="approve"' in httpx.get(url).text
    admin.decide(window_id)
    shown = httpx.get(url, headers={"Accept-Language": "en"}).text
    assert 'data-state="approved"' in shown
    assert 'data-testid="go-on"' in shown
    assert 'data-testid="approve"' not in shown


def test_payment_may_be_made_without_a_callback(sandbox: RunningSandbox, admin: SandboxAdmin):
    admin.switch(window_reports=False)
    window_id = opened(admin, KAKAO_KEY, mobile=True)
    assert admin.decide(window_id) == {"state": "approved", "reports": False}
    assert admin.charges() == {"m1": 1}
    assert "go-on" not in httpx.get(f"{sandbox.base_url}/v1/windows/{window_id}").text


def test_approval_is_carried_out_without_its_browser(sandbox: RunningSandbox, admin: SandboxAdmin):
    admin.switch(window_approval_seconds=0.4)
    window_id = opened(admin, GENERAL)
    address, impatient = f"{sandbox.base_url}/v1/windows/{window_id}/decision", httpx.Timeout(60, read=0.1)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address, json={"decision": "approve"}, timeout=impatient)
    wait_until(lambda: admin.charges() == {"m1": 1}, "the approval did not go on")


def test_expired_window_takes_no_decision(tmp_path: Path):
    clock = HandClock(datetime(2026, 3, 1, tzinfo=UTC))
    with running_sandbox(tmp_path / "ledger.db", clock=clock) as running, Api(running.base_url) as api:
        window_id = opened(running.admin, GENERAL)
        clock.move(seconds=900)
        assert running.admin.decide(window_id)["state"] == "expired"
        assert 'data-state="expired"' in httpx.get(f"{running.base_url}/v1/windows/{window_id}").text
        assert running.admin.charges() == {}
        api.log_in()
        found = api.get("/payments/findAll/m1").json()["response"]["list"]
        assert [each["status"] for each in found] == ["ready"], "a window that was left"


def test_charge_above_the_instruments_limit_is_declined(api: Api, admin: SandboxAdmin):
    param = {**GENERAL, "amount": 1_500_000}
    told = admin.decide(opened(admin, param), "approve", instrument="card")  # below 1,000,000 on a test channel
    assert (told["state"], told["callback"]["error_code"]) == ("declined", "F0004")
    assert looked_up(api, told["callback"]["imp_uid"])["status"] == "failed"
    assert approved(admin, param, instrument="money")["paid_amount"] == 1_500_000


def test_registration_may_show_amounts_beyond_the_limits(admin: SandboxAdmin):
    approved(admin, {**PAYCO_KEY, "amount": 5_000_000})


def test_unknown_window_is_not_found(sandbox: RunningSandbox, admin: SandboxAdmin):
    assert httpx.get(f"{sandbox.base_url}/v1/windows/{'0' * 64}").status_code == 404
    with pytest.raises(SandboxAdminError, match="404"):
        admin.decide("0" * 64)
    with pytest.raises(SandboxAdminError, match="400"):
        admin.decide(opened(admin, GENERAL), "perhaps")


def test_window_ids_cannot_be_guessed(admin: SandboxAdmin):
    ids = {opened(admin, {**GENERAL, "merchant_uid": f"m{number}"}) for number in range(20)}
    assert len(ids) == 20
    assert all(len(each) == 64 and int(each, 16) for each in ids)


NASTY = [
    "'\"><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "{{1234567*3}}${1234567*3}<b>",
    "\"onfocus=alert(1) autofocus='",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_hostile_texts_are_escaped_in_every_page(sandbox: RunningSandbox, admin: SandboxAdmin, nasty: str):
    names = {"name": nasty, "merchant_uid": nasty, "custom_data": nasty, "buyer_name": nasty[:16]}
    window_id = opened(admin, {**PAYCO_KEY, **names}, code=nasty)
    url = f"{sandbox.base_url}/v1/windows/{window_id}"
    pages = [httpx.get(url, params={"lang": nasty})]
    admin.decide(window_id)
    pages.append(httpx.get(url, headers={"Origin": nasty, "Accept-Language": nasty}))
    for page in pages:
        assert page.status_code == 200
        assert nasty not in page.text
        assert "3703701" not in page.text, "a template was run"
        assert page.text.count("<script") == 1
    for answer in (httpx.get(f"{sandbox.base_url}/v1/windows/{nasty}"), httpx.post(url + nasty, json={})):
        assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    "body",
    [{}, {"param": None}, {"param": []}, {"code": 7, "param": {}}, {"code": "imp", "param": {"merchant_uid": {}}}],
)
def test_invalid_request_opens_no_window(sandbox: RunningSandbox, admin: SandboxAdmin, body: Any):
    answer = httpx.post(f"{sandbox.base_url}/v1/windows", json=body).json()
    jsonschema.validate(answer["refused"], {"required": ["success", "imp_uid", "error_code", "error_msg"]})
    assert admin.windows() == []


def test_outage_affects_windows_too(sandbox: RunningSandbox, admin: SandboxAdmin):
    window_id = opened(admin, GENERAL)
    admin.switch(outage="error")
    assert httpx.get(f"{sandbox.base_url}/v1/windows/{window_id}").status_code == 500
    assert httpx.get(f"{sandbox.base_url}/v1/iamport.js").status_code == 200
    admin.switch(outage="none")
    assert admin.decide(window_id)["callback"]["success"]


def _asked(admin: SandboxAdmin, word: str) -> bool:
    return any(word in each["endpoint"] for each in admin.requests())
