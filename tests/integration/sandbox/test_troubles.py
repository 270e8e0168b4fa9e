"""Failure injection as a client sees it on the wire, and what was charged."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.integration.sandbox.shapes import PAYMENT, check, check_refusal
from tests.support.sandbox import Api, RunningSandbox, wait_until
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour, Reply, Verdict, decline, pay, slow, troubled

SHORT_SECONDS = 0.3  # seconds; the time-out of a client that is meant to give up


@contextmanager
def raw_again(api: Api, merchant_uid: str) -> Iterator[socket.socket]:
    """Send a charge over a bare socket and return the socket."""
    body = json.dumps({"customer_uid": "key", "merchant_uid": merchant_uid, "amount": 9900}).encode()
    head = (
        f"POST /subscribe/payments/again HTTP/1.1\r\nHost: sandbox\r\nAuthorization: {api.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    url = api.http.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    read = b""
    while chunk := connection.recv(65_536):
        read += chunk
    return read


both = pytest.mark.parametrize("charged", [True, False])


@both
def test_dropped_connection_closes_without_a_byte(api: Api, admin: SandboxAdmin, *, charged: bool):
    admin.create_key("key", troubled(Reply.DROP, charged=charged))
    with raw_again(api, "m1") as connection:
        assert everything(connection) == b""
    assert admin.charges() == ({"m1": 1} if charged else {})


@both
def test_reset_connection_is_reset_without_a_byte(api: Api, admin: SandboxAdmin, *, charged: bool):
    admin.create_key("key", troubled(Reply.RESET, charged=charged))
    with raw_again(api, "m1") as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert admin.charges() == ({"m1": 1} if charged else {})


def test_cut_answer_announces_more_than_arrives(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.CUT, charged=True))
    with raw_again(api, "m1") as connection:
        head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < promised
    assert admin.charges() == {"m1": 1}


@both
def test_hanging_charge_sends_nothing_until_the_client_leaves(
    api: Api, sandbox: RunningSandbox, admin: SandboxAdmin, *, charged: bool
):
    admin.create_key("key", troubled(Reply.HANG, charged=charged), pay())
    with Api(sandbox.base_url, timeout_seconds=SHORT_SECONDS) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.again("m1")
    assert admin.charges() == ({"m1": 1} if charged else {})
    answer = api.again("m1")
    assert answer.json()["code"] == int(charged), "only a charged one stands in the way"


def test_client_that_hangs_up_early_is_still_charged(api: Api, admin: SandboxAdmin):
    admin.create_key("key", slow(SHORT_SECONDS))
    with raw_again(api, "m1"):
        wait_until(lambda: admin.requests(merchant_uid="m1"), "the request never arrived")
        assert admin.charges() == {}
    wait_until(lambda: admin.charges() == {"m1": 1}, "the charge ended with its client")


def test_slow_charge_answers_late(api: Api, admin: SandboxAdmin):
    admin.create_key("key", slow(0.2, answer_seconds=0.1))
    began = time.monotonic()
    check(api.again("m1"), PAYMENT)
    assert time.monotonic() - began >= 0.3


@both
def test_500_comes_in_the_envelope_whether_charged_or_not(api: Api, admin: SandboxAdmin, *, charged: bool):
    admin.create_key("key", troubled(Reply.ERROR, charged=charged))
    check_refusal(api.again("m1"), code=-1, status=500)
    assert admin.charges() == ({"m1": 1} if charged else {})


def test_503_is_an_html_page(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.UNAVAILABLE, charged=False))
    answer = api.again("m1")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert answer.text.startswith("<html>")


def test_truncated_answer_is_complete_http_around_half_a_document(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.TRUNCATED, charged=True))
    answer = api.again("m1")
    assert answer.status_code == 200
    assert answer.text.startswith('{"code":0')
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_empty_answer_is_a_200_without_a_body(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.EMPTY, charged=True))
    answer = api.again("m1")
    assert (answer.status_code, answer.content) == (200, b"")


def test_answer_may_be_about_another_payment(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.OTHER_PAYMENT, charged=True))
    payment = check(api.again("m1"), PAYMENT)
    assert payment["merchant_uid"] != "m1"
    assert admin.charges() == {"m1": 1}
    assert check(api.get("/payments/find/m1"), PAYMENT)["merchant_uid"] == "m1", "look-ups tell the truth"


def test_answer_may_name_a_wrong_amount(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.WRONG_AMOUNT, charged=True))
    assert check(api.again("m1"), PAYMENT)["amount"] != 9900
    assert admin.report().charged_krw == 9900


def test_token_may_expire_between_check_and_use(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.UNAUTHORIZED, charged=False), pay())
    old = api.token
    check_refusal(api.again("m1"), code=-1, status=401, message="Unauthorized")
    assert admin.charges() == {}
    api.log_in()
    assert api.token != old
    check(api.again("m1"), PAYMENT)
    assert admin.charges() == {"m1": 1}


def test_decline_may_hide_behind_a_dropped_connection(api: Api, admin: SandboxAdmin):
    admin.create_key("key", Behaviour(verdict=Verdict.DECLINED, reply=Reply.DROP, code="CC61", text="한도초과"))
    with raw_again(api, "m1") as connection:
        assert everything(connection) == b""
    assert check(api.get("/payments/find/m1"), PAYMENT)["fail_reason"] == "[CC61]한도초과"


def test_trouble_ends_after_its_number_of_calls(api: Api, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.ERROR, charged=False, times=2), decline(times=1), pay())
    answers = [api.again("m1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [500, 500, 200, 200]
    assert [answer.json()["response"]["status"] for answer in answers[2:]] == ["failed", "paid"]


def test_outage_resets_every_connection_except_the_admins(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(outage="refuse")
    with raw_again(api, "m1") as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    with pytest.raises(httpx.ReadError):
        api.get("/payments/find/m1")
    admin.switch(outage="none")
    check(api.again("m1"), PAYMENT)
    assert admin.report().again_results == {"dropped": 1, "charged": 1}


def test_outage_lets_every_request_hang(sandbox: RunningSandbox, admin: SandboxAdmin):
    with Api(sandbox.base_url, timeout_seconds=SHORT_SECONDS) as impatient:
        admin.switch(outage="hang")
        with pytest.raises(httpx.ReadTimeout):
            impatient.get("/users/pg")
        with pytest.raises(httpx.ReadTimeout):
            impatient.log_in()


@pytest.mark.parametrize(("outage", "status"), [("error", 500), ("unavailable", 503)])
def test_outage_answers_every_request_with_an_error(api: Api, admin: SandboxAdmin, outage: str, status: int):
    admin.create_key("key")
    admin.switch(outage=outage)
    answers = [api.again("m1"), api.get("/payments/find/m1"), api.http.post("/users/getToken", json={})]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert admin.report().charges == 0


def test_stopped_sandbox_refuses_connections_and_keeps_its_ledger(
    api: Api, sandbox: RunningSandbox, admin: SandboxAdmin
):
    admin.create_key("key")
    api.paid("m1")
    sandbox.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.base_url}/users/pg")
    sandbox.start()
    assert admin.charges() == {"m1": 1}


def test_sandbox_with_hanging_and_slow_requests_stops_at_once(api: Api, sandbox: RunningSandbox, admin: SandboxAdmin):
    admin.create_key("key", troubled(Reply.HANG, charged=False), slow(3600))
    with raw_again(api, "m1") as hanging, raw_again(api, "m2") as slowly:
        wait_until(lambda: admin.report().again_requests == 2, "the requests never arrived")
        sandbox.stop()  # which fails if it waits for them: the one never ends, the other in an hour
        assert (everything(hanging), everything(slowly)) == (b"", b"")
    sandbox.start()
    assert admin.charges() == {}


def test_every_call_takes_the_configured_latency(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(latency_seconds=[0.1, 0.1])
    for call in (lambda: api.again("m1"), lambda: api.get("/payments/find/m1"), api.log_in):
        began = time.monotonic()
        call()
        assert time.monotonic() - began >= 0.1
