"""Webhooks: answered at once, processed later, from PortOne's addresses only, and never too many."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from tests.integration.web.test_checkout_routes import agree, pay
from tests.support.checkout import Shop, running_shop
from worker.devstack.stack import free_port, start_part, wait_for
from worker.web.http import bodies

PROCESSED = "SELECT 1 FROM webhooks WHERE outcome_code IS NOT NULL"
EVENT = {"imp_uid": "imp_1", "merchant_uid": "order-1", "status": "paid"}


def test_webhook_completes_a_checkout_whose_browser_is_gone(shop: Shop, http: httpx.Client):
    """The sandbox sends it by itself, to the address that the window was opened with."""
    path = shop.link(shop.pending())
    pay(shop, agree(http, path).json()["param"])
    shop.until(lambda: shop.sql("SELECT status FROM checkouts") == [("done",)], "the webhook changed nothing")
    assert shop.one("SELECT status FROM subscriptions") == "active"


@pytest.mark.parametrize("form", [False, True])
def test_webhook_as_json_or_form_is_stored_once_and_counted(shop: Shop, http: httpx.Client, form: bool):
    for _ in range(3):
        answer = http.post("/webhooks/portone", data=EVENT) if form else http.post("/webhooks/portone", json=EVENT)
        assert (answer.status_code, answer.json()) == (200, {"taken": True})
        shop.until(
            lambda: shop.sql("SELECT 1 FROM webhooks WHERE outcome_code IS NOT NULL") != [], "it was not looked up"
        )
    shop.until(lambda: shop.sql("SELECT deliveries FROM webhooks") == [(3,)], "they were not counted as one")
    assert shop.sql("SELECT imp_uid, merchant_uid, status, outcome_code FROM webhooks") == [
        ("imp_1", "order-1", "paid", "unknown_payment")
    ]


def test_refunds_in_the_console_are_noticed_and_recorded(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending(), pg="kakaopay", with_payment=True)
    imp_uid = pay(shop, agree(http, path).json()["param"])
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    # Cancellations go to the address in the merchant's settings, whatever the payment's own was (documented).
    shop.sandbox.admin.switch(webhook_url=f"{shop.pages.url}/webhooks/portone")
    for amount, refunded in ((900, 900), (1000, 1900), (None, 9900)):
        shop.sandbox.admin.cancel_in_console(imp_uid, amount=amount)
        is_noticed = partial(has_refunded, shop, refunded)
        shop.until(is_noticed, f"{refunded} won was missed")
    told = shop.sql("SELECT cancellation_id FROM webhooks WHERE imp_uid = :it AND status = 'cancelled'", it=imp_uid)
    assert len(set(told)) == 3


def has_refunded(shop: Shop, amount: int) -> bool:
    return bool(shop.one("SELECT refunded FROM charges") == amount)


OF_OTHER_SHOPS = [
    {"merchant_uid": "주문 2026-11-23"},  # merchants number their own orders as they like
    {"merchant_uid": "ORDER 1"},
    {"merchant_uid": "a" * 81},
]


def test_webhooks_of_other_shops_are_answered_200_and_counted(shop: Shop, http: httpx.Client):
    for changed in OF_OTHER_SHOPS:
        assert http.post("/webhooks/portone", json={**EVENT, **changed}).status_code == 200
    unknown = {**EVENT, "cancellation_id": "c-1", "status": "cancelled"}
    assert http.post("/webhooks/portone", json=unknown).status_code == 200
    shop.until(
        lambda: shop.sql("SELECT merchant_uid, deliveries FROM webhooks") == [("order-1", 1)], "it was not counted"
    )


def test_false_webhook_changes_nothing(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    param = agree(http, path).json()["param"]
    lie = {"imp_uid": "imp_lie", "merchant_uid": param["merchant_uid"], "status": "paid"}
    assert http.post("/webhooks/portone", json=lie).status_code == 200
    shop.until(lambda: shop.sql(PROCESSED) != [], "it was not looked up")
    assert shop.sql("SELECT status FROM subscriptions") == [("pending",)]


BODIES = [
    (b"<xml/>", "application/xml", 415),
    (b"", "", 415),
    (b"", "application/json", 400),
    (b"{'imp_uid': 1}", "application/json", 400),
    (b"null", "application/json", 400),
    (b"[]", "application/json", 400),
    (b"\x00\xff", "application/json", 400),
    (b'{"imp_uid": "imp_1"}', "application/json", 400),  # fields missing
    (b'{"imp_uid": 1, "merchant_uid": "a", "status": "paid"}', "application/json", 400),
    (b'{"imp_uid": "a b", "merchant_uid": "a", "status": "paid"}', "application/json", 400),
    (b'{"imp_uid": "a", "merchant_uid": "a", "status": "<script>"}', "application/json", 400),
    ('{"imp_uid": "가", "merchant_uid": "a", "status": "paid"}'.encode(), "application/json", 400),
    (b'{"imp_uid": "' + b"a" * 81 + b'", "merchant_uid": "a", "status": "paid"}', "application/json", 400),
    (b"\xff=1", "application/x-www-form-urlencoded", 400),
    (b"&".join(b"a=1" for _ in range(99)), "application/x-www-form-urlencoded", 400),
    (b" " * 16_385, "application/json", 413),
]


def test_bodies_unlike_portones_are_refused(shop: Shop, http: httpx.Client):
    for content, kind, status in BODIES:
        answer = http.post("/webhooks/portone", content=content, headers={"Content-Type": kind} if kind else {})
        assert answer.status_code == status, (content[:60], answer.text)
        assert "script" not in answer.text
    assert shop.sql("SELECT 1 FROM webhooks") == []


def test_body_without_a_length_is_cut_off_at_the_limit(shop: Shop, http: httpx.Client):
    def endless() -> Any:
        for _ in range(1000):
            yield b" " * 1000

    try:
        answer = http.post("/webhooks/portone", content=endless(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
    except httpx.WriteError:
        pass  # the server had answered and hung up before all of it was sent


def test_endless_body_is_cut_off(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", int(shop.pages.url.rpartition(":")[2])), timeout=60) as connection:
        head = ("POST /webhooks/portone HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 99")
        connection.sendall("\r\n".join((*head, "", "{")).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_webhooks_from_other_addresses_are_refused(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    with (
        running_shop(database_url, tmp_path, AGAIN_TRUSTED_PROXIES="127.0.0.1") as shop,
        shop.http() as http,
    ):
        senders = {
            "52.78.5.241": 200,
            "203.0.113.9": 403,
            "203.0.113.9, 52.78.5.241": 200,
            "52.78.5.241, 203.0.113.9": 403,
        }
        for forwarded_for, status in senders.items():
            answer = http.post("/webhooks/portone", json=EVENT, headers={"X-Forwarded-For": forwarded_for})
            assert answer.status_code == status, forwarded_for


def test_flood_of_webhooks_leaves_the_pages_responsive(shop: Shop, database_url: str, tmp_path: Path):
    """Each another event, while PortOne hangs: what there is no room for is turned away, and no page waits."""
    shop.open_today()
    shop.sandbox.admin.switch(latency_seconds=[2, 2])
    path = shop.link(shop.pending())
    with serving(shop, database_url, tmp_path) as url, httpx.Client(base_url=url, trust_env=False) as http:
        param = agree(http, path).json()["param"]
        answers, pages_into_it = asyncio.run(flood(url, path, requests=2500))
        assert set(answers) == {200, 503}, "it was no flood"
        assert len(pages_into_it) == 9
        assert min(pages_into_it) < 2500, "no page was answered before the flood was over"
        # Afterwards everything is as before: a customer pays, and is done.
        shop.sandbox.admin.switch(latency_seconds=[0, 0])
        pay(shop, param)
        shop.until(lambda: http.post(f"{path}/complete", json={}).json()["state"] == "done", "no page tells of it")


@contextmanager
def serving(shop: Shop, database_url: str, folder: Path) -> Iterator[str]:
    """The pages as a process of their own, started as an operator would."""
    port = free_port(0)
    environment = shop.runtime.settings.environment(AGAIN_DATABASE_URL=database_url)
    command = (sys.executable, "-m", "worker.cli", "checkout", "serve", "--port", str(port))
    part = start_part("checkout", command, environment, folder, url=f"http://127.0.0.1:{port}")
    try:
        wait_for(part, "/health")
        yield str(part.url)
    finally:
        part.stop(patience=1)  # a thousand hints still wait


async def flood(url: str, path: str, *, requests: int) -> tuple[Counter[int], list[int]]:
    """Send webhooks, a hundred at a time, and look at a page now and then.

    Gives the answers, and how many of them had come when each page did.
    """
    answers: Counter[int] = Counter()
    pages: list[int] = []
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=100)) as client:

        async def send(number: int) -> None:
            if number % 300 == 0:
                async with aiohttp.ClientSession(url) as visitor, visitor.get(path) as page:
                    assert page.status == 200
                    pages.append(answers.total())
            async with client.post("/webhooks/portone", json={**EVENT, "imp_uid": f"imp_{number}"}) as answer:
                answers[answer.status] += 1

        await asyncio.gather(*(send(number) for number in range(requests)))
    return answers, pages
