"""The admin API: access, making thousands of keys, and reading the ledger."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from worker.sandbox.http.admin import TOKEN_HEADER
from worker.sandbox.http.client import SandboxAdmin, SandboxAdminError
from worker.sandbox.http.server import SandboxServer
from worker.sandbox.rules.behaviours import decline, flaky, pay
from worker.serving import CannotListen

GETTING_STARTED = (Path(__file__).parents[3] / "docs" / "getting-started.md").read_text()


def test_thousands_of_keys_are_made_in_one_call(api: Api, admin: SandboxAdmin):
    assert admin.create_keys({"customer_uid": f"key{number}", "pg": "payco"} for number in range(5000)) == 5000
    assert api.again("m1", "key4999").json()["response"]["pg_provider"] == "payco"
    assert len(admin.keys()) == 5000


def test_documented_keys_are_made_and_the_one_to_be_declined_is(api: Api, admin: SandboxAdmin):
    for body in re.findall(r"""-d '(\{"keys": .*\})'""", GETTING_STARTED):
        admin.create_keys(json.loads(body)["keys"])
    listed = admin.keys()
    stories = {key["customer_uid"]: key["behaviours"] for key in listed}
    assert stories == {
        "gildong_0001_1234": [],
        "bora_0001_1234": [{"verdict": "declined", "text": "한도초과"}],
    }


def test_keys_show_their_story_and_number_of_calls(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline("CC10", "잔액부족", times=2), flaky(3, mix=[(1, pay())]))
    api.again("m1")
    [key] = admin.keys()
    assert key["behaviours"] == [
        {"verdict": "declined", "code": "CC10", "text": "잔액부족", "times": 2},
        {"seed": 3, "mix": [[1, {}]]},
    ]
    assert key["calls"] == 1


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ({}, "customer_uid"),
        ({"customer_uid": "u" * 81}, "80 characters"),
        ({"customer_uid": "key", "pg": "bitcoin"}, "kakaopay"),
        ({"customer_uid": "key", "instrument": "gold"}, "card, money"),
        ({"customer_uid": "key", "sandbox": "yes"}, "true"),
        ({"customer_uid": "key", "customer_name": "n" * 21}, "20 characters"),
        ({"customer_uid": "key", "behaviours": [{"verdict": "maybe"}]}, "paid, declined"),
        ({"customer_uid": "key", "behaviour": []}, "has no behaviour; it has customer_uid, pg"),
    ],
)
def test_invalid_key_is_rejected_and_no_key_is_made(admin: SandboxAdmin, key: dict[str, Any], complaint: str):
    with pytest.raises(SandboxAdminError, match=complaint):
        admin.create_keys([{"customer_uid": "fine"}, key])
    assert admin.keys() == []


def test_switches_are_read_and_changed(admin: SandboxAdmin):
    assert admin.switches()["repeated_paid"] == "refuse"
    assert admin.switch(repeated_paid="accept")["repeated_paid"] == "accept"
    with pytest.raises(SandboxAdminError, match="no switch"):
        admin.switch(colour="red")


def test_ledger_report_adds_up_all_payments(api: Api, admin: SandboxAdmin):
    admin.create_keys([{"customer_uid": "key"}, {"customer_uid": "poor"}])
    admin.behave(decline(), customer_uids=["poor"])
    for number in range(3):
        api.paid(f"m{number}", amount=1000 + number)
    api.again("m9", "poor", amount=5000)
    api.again("m0")
    api.post("/payments/cancel", merchant_uid="m1", amount=500)
    report = admin.report()
    assert report.payments == {
        "failed": {"payments": 1, "amount": 5000, "charged": 0, "refunded": 0},
        "paid": {"payments": 3, "amount": 3003, "charged": 3003, "refunded": 500},
    }
    assert (report.charges, report.charged_krw, report.refunded_krw, report.kept_krw) == (3, 3003, 500, 2503)
    assert (report.again_requests, report.charged_twice) == (5, {})
    assert report.again_results == {"charged": 3, "declined": 1, "refused": 1}
    assert admin.charges() == {"m0": 1, "m1": 1, "m2": 1}


def test_payments_of_the_ledger_can_be_filtered_and_continued(api: Api, admin: SandboxAdmin):
    admin.create_keys([{"customer_uid": "key"}, {"customer_uid": "poor"}])
    admin.behave(decline(), customer_uids=["poor"])
    api.paid("m1")
    api.again("m1x", "poor")
    api.paid("m2")
    rows = admin.payments()
    assert [row["merchant_uid"] for row in rows] == ["m1", "m1x", "m2"]
    assert [row["charged"] for row in rows] == [9900, 0, 9900]
    assert admin.payments(customer_uid="poor") == [rows[1]]
    assert admin.payments(charged_only="true") == [rows[0], rows[2]]
    number = int(rows[0]["imp_uid"].removeprefix("imps_"))
    assert admin.payments(after=number, limit=1) == [rows[1]]
    with pytest.raises(SandboxAdminError, match="whole number"):
        admin.payments(limit="many")
    with pytest.raises(SandboxAdminError, match="whole number"):
        admin.payments(after="9" * 30)


def test_every_request_is_in_the_ledger(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.again("m1")
    api.get("/payments/findAll/m1")
    api.get("/payments/findAll/m2")
    seen = [(row["endpoint"], row["merchant_uid"], row["result"]) for row in admin.requests()]
    assert seen[-3:] == [
        ("POST /subscribe/payments/again", "m1", "charged"),
        ("GET /payments/findAll/{merchant_uid}", "m1", "answered"),
        ("GET /payments/findAll/{merchant_uid}", "m2", "not_found"),
    ]
    assert len(admin.requests(merchant_uid="m1")) == 2
    assert len(admin.requests(endpoint="POST /subscribe/payments/again")) == 1


def test_reset_deletes_everything(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(repeated_paid="accept")
    api.paid("m1")
    admin.reset()
    report = admin.report()
    assert (report.payments, report.again_requests, admin.keys(), admin.charges()) == ({}, 0, [], {})
    assert admin.switches()["repeated_paid"] == "refuse"
    assert api.get("/users/pg").status_code == 401


def test_admin_api_with_a_token_requires_it(tmp_path: Path):
    with running_sandbox(tmp_path / "ledger.db", admin_token="hush") as running:
        assert running.admin.report().charges == 0
        for headers in ({}, {TOKEN_HEADER: "wrong"}, {TOKEN_HEADER: "hüsh"}):
            answer = httpx.get(f"{running.base_url}/_sandbox/ledger", headers=httpx.Headers(headers, encoding="utf-8"))
            assert answer.status_code == 403
            assert TOKEN_HEADER in answer.json()["error"]


def test_admin_api_beyond_loopback_is_closed_without_a_token(tmp_path: Path):
    server = SandboxServer(tmp_path / "ledger.db", host="0.0.0.0")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/_sandbox/ledger")
        assert answer.status_code == 403
        assert "admin token" in answer.json()["error"]
        # /health needs no token: no client may mistake the sandbox for PortOne.
        assert httpx.get(f"http://127.0.0.1:{server.port}/_sandbox/health").json()["sandbox"] == "PortOne V1"
        credentials = {"imp_key": "sandbox", "imp_secret": "sandbox"}
        assert httpx.post(f"http://127.0.0.1:{server.port}/users/getToken", json=credentials).status_code == 200
    finally:
        server.stop()
        thread.join()


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; x=json", "multipart/form-data; boundary=json", ""])
@pytest.mark.parametrize("path", ["reset", "switches", "keys", "behaviours", "payments/cancel", "webhooks/resend"])
def test_page_of_another_site_cannot_change_the_sandbox(sandbox: RunningSandbox, path: str, kind: str):
    # what a browser sends across sites without asking first: no JSON content type
    answer = httpx.post(f"{sandbox.base_url}/_sandbox/{path}", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9101", "127.0.0.1.nip.io", "localhost.evil.example"])
@pytest.mark.parametrize("path", ["/_sandbox/keys", "/_sandbox/health", "/v1/iamport.js", "/payments/imp_1"])
def test_host_name_that_can_be_registered_is_rejected(sandbox: RunningSandbox, host: str, path: str):
    answer = httpx.get(f"{sandbox.base_url}{path}", headers={"Host": host})
    assert (answer.status_code, list(answer.json())) == (421, ["error"])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9101", "[::1]:9101", "10.1.2.3", "checkout:9101", "a.test"])
def test_host_name_that_cannot_be_registered_is_answered(sandbox: RunningSandbox, host: str):
    assert httpx.get(f"{sandbox.base_url}/_sandbox/health", headers={"Host": host}).status_code == 200


def test_only_a_failed_payment_can_be_corrected(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    for imp_uid in (api.paid("m1")["imp_uid"], "imps_000000000000"):
        with pytest.raises(SandboxAdminError, match="Only a failed payment"):
            admin.correct(imp_uid)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"keys": 1}', b'{"keys": [1]}'])
def test_invalid_admin_body_is_rejected(sandbox: RunningSandbox, body: bytes):
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{sandbox.base_url}/_sandbox/keys", content=body, headers=headers).status_code == 400


def test_port_in_use_is_reported_with_its_address(sandbox: RunningSandbox, tmp_path: Path):
    port = httpx.URL(sandbox.base_url).port or 0
    with pytest.raises(CannotListen, match=f"127.0.0.1:{port}: Address already in use; name another port"):
        SandboxServer(tmp_path / "other.db", port=port)


def test_is_up_is_true_only_while_the_sandbox_answers(sandbox: RunningSandbox, admin: SandboxAdmin):
    assert admin.is_up()
    sandbox.stop()
    assert not admin.is_up()
    sandbox.start()
