"""Both example hosts, over real HTTP: what customers do on pages of a host's own ends on the sandbox's ledger, once."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tests.support.hosts import Form, Host, said
from worker.sandbox.rules.behaviours import decline
from worker.web.http import rate_limit

DONE = "All is done, thank you."
OF_GILDONG = "SELECT code FROM subscriptions WHERE customer_reference = 'gildong'"


def books(host: Host) -> list[Any]:
    """Everything that must not move."""
    tables = ("subscriptions", "charges", "attempts", "billing_keys", "checkouts")
    return [host.shop.sql(f"SELECT id, status, status_at FROM {table} ORDER BY id") for table in tables]


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_registration_on_a_hosts_page_pays_the_first_period_once(host: Host, pg: str):
    with host.customer() as customer:
        assert "Subscribe" in customer.http.get("/").text
        checkout = customer.begin()
        page = customer.http.get(checkout).text
        for shown in ("아침 편지", "9,900 won, 900 won of it VAT", "made now", host.again().script_url):
            assert shown in page
        param = customer.agree(checkout, pg).json()
        assert (param["amount"], param["notice_url"]) == (9900, f"{host.url}/webhooks/portone")
        told = customer.pay(param)
        assert customer.complete(checkout, told["callback"]["imp_uid"]).json()["progress"] == "done"
        assert DONE in customer.http.get(checkout).text
        host.tick()
        host.tick()
        assert "active, charged next on" in customer.http.get("/").text
    assert len(host.shop.paid_on_the_ledger()) == 1
    assert host.shop.sql("SELECT status, amount FROM charges") == [("paid", 9900)]


def test_phone_that_returns_in_another_browser_completes_its_payment(host: Host):
    with host.customer() as customer, host.stranger() as another_browser:
        checkout = customer.begin()
        told = customer.pay(customer.agree(checkout, "kakaopay").json(), mobile=True)
        back = another_browser.get(told["redirect"])
        assert back.headers["location"] == checkout
        assert said(another_browser.get(checkout)) == "Please log in."
        assert DONE in customer.http.get(checkout).text
        host.tick()
    assert len(host.shop.paid_on_the_ledger()) == 1


def test_overdue_charge_is_paid_although_no_browser_returns(host: Host):
    """The tab is closed after paying: PortOne's webhook to the host is all there is."""
    shop = host.shop
    with host.customer() as customer:
        customer.register("payco")
        shop.sandbox.admin.behave(decline())
        host.tick()
        assert shop.sql("SELECT status FROM charges") == [("past_due",)]
        checkout = customer.begin("charge")
        param = customer.agree(checkout, "kakaopay").json()
        assert "customer_uid" not in param
        assert customer.agree(customer.begin("charge"), "kakaopay").json()["merchant_uid"] == param["merchant_uid"]
        customer.pay(param)
        shop.until(lambda: shop.one("SELECT status FROM charges") == "paid", "the webhook changed nothing")
        assert DONE in customer.http.get(checkout).text
        host.tick()
        assert 'name="charge"' not in customer.http.get("/").text
    assert len(shop.paid_on_the_ledger()) == 1


def test_another_card_is_registered_for_a_subscription_that_runs(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register("kakaopay")
        checkout = customer.begin("subscription")
        told = customer.pay(customer.agree(checkout, "payco").json())
        assert customer.complete(checkout, told["callback"]["imp_uid"]).json()["progress"] == "done"
    assert shop.sql("SELECT k.pg FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id") == [("payco",)]
    assert len(shop.paid_on_the_ledger()) == 1


def test_refused_host_request_is_a_sentence_and_changes_nothing(host: Host):
    with host.customer() as customer, host.customer("cheolsu") as other, host.stranger() as stranger:
        checkout = customer.begin()
        before = books(host)
        for address in ("/", checkout):
            answer = stranger.get(address)
            assert (answer.status_code, said(answer)) == (401, "Please log in.")
        assert "of yours" in said(other.http.get(checkout))
        assert "has expired" in said(customer.http.get("/checkout/0000000000000"))
        for changed in ({"consent": "off"}, {"wording": "an older one"}, {"tel": ""}, {"pg": ""}):
            assert "fill in the whole form" in said(customer.agree(checkout, **{"pg": "payco", **changed}))
        assert "choose how to pay" in said(customer.agree(checkout, "naverpay"))
        assert "cannot be done here" in said(customer.complete(checkout, "imp_1"))
        # A form on another site's page brings the login along: FastAPI looks at Sec-Fetch-Site, Django at its token.
        customer.http.headers["sec-fetch-site"] = "cross-site"
        for address in ("/checkout", f"{checkout}/agree", f"{checkout}/complete"):
            assert customer.http.post(address, data={"pg": "payco", "tel": "1"}).status_code == 403
        assert books(host) == before


def test_another_customers_subscription_gets_no_checkout(host: Host):
    shop = host.shop
    with host.customer() as customer, host.customer("cheolsu") as other:
        customer.register("payco")
        shop.sandbox.admin.behave(decline())
        host.tick()
        other.begin()
        before = books(host)
        form = Form(other.http.get("/").text, "subscription").fields
        del form["subscription"]
        for stolen in ({"subscription": shop.one(OF_GILDONG)}, {"charge": str(shop.one("SELECT id FROM charges"))}):
            assert "of yours" in said(other.http.post("/checkout", data={**form, **stolen}))
        assert books(host) == before


def test_smaller_payment_than_agreed_completes_nothing(host: Host):
    host.shop.sandbox.admin.switch(webhook_delay_seconds=3600)
    with host.customer() as customer:
        checkout = customer.begin()
        told = customer.pay({**customer.agree(checkout, "kakaopay").json(), "amount": 100})
        assert "cannot be done here" in said(customer.complete(checkout, told["callback"]["imp_uid"]))
        assert host.shop.sql("SELECT status FROM subscriptions") == [("pending",)]


WEBHOOKS: list[tuple[dict[str, Any], int]] = [
    # what is sent; the first digit of the answer's status
    ({"json": {"imp_uid": "imp_1", "merchant_uid": "order-1", "status": "paid"}}, 2),
    ({"data": {"imp_uid": "imp_1", "merchant_uid": "order-1", "status": "paid"}}, 2),  # the console's other format
    ({"json": {"imp_uid": 1, "merchant_uid": "order-1", "status": "paid"}}, 4),
    ({"json": ["imp_1"]}, 4),
    ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 4),
]


def test_webhooks_are_taken_as_json_and_form_and_looked_up(host: Host):
    with host.stranger() as portone:
        for sent, status in WEBHOOKS:
            assert portone.post("/webhooks/portone", **sent).status_code // 100 == status, sent
    outcome = "SELECT outcome_code FROM webhooks WHERE outcome_code IS NOT NULL"
    host.shop.until(lambda: host.shop.sql(outcome) != [], "it was not looked up")
    assert host.shop.sql(outcome) == [("unknown_payment",)]


def test_requests_with_loops_of_their_own_share_one_connection(host: Host):
    """Django's views are synchronous here: each call begins and ends a loop of its own."""
    with host.customer() as customer:
        checkout = customer.begin()
        customer.agree(checkout, "payco")
        threads = set()
        for _ in range(12):
            assert customer.complete(checkout, None).json()["progress"] == "waiting"
            threads.add(sum(thread.name == "checkout loop" for thread in threading.enumerate()))
    assert threads == {1}
    assert len(host.shop.sandbox.admin.requests(endpoint="POST /users/getToken")) == 1


def test_hosts_logs_hold_nothing_secret_or_personal(host: Host, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")  # which our own commands keep quiet, and a host may not
    with host.customer() as customer:
        checkout = customer.begin()
        param = customer.agree(checkout, "payco", tel="010-9876-5432").json()
        told = customer.pay(param)
        customer.complete(checkout, told["callback"]["imp_uid"])
    assert "HTTP Request: POST" in caplog.text  # those of the host's own stay
    for hidden in (param["customer_uid"], "010-9876-5432"):
        assert hidden not in caplog.text


def test_host_customer_who_asks_without_end_is_rate_limited(host: Host, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limit, "BURST", 3)
    monkeypatch.setattr(rate_limit, "SECONDS_PER_LOOKUP", 1e9)
    with host.customer() as customer:
        checkout = customer.begin()
        told = customer.pay(customer.agree(checkout, "kakaopay").json(), decision="close")
        asked = [customer.complete(checkout, told["callback"]["imp_uid"]) for _ in range(5)]
        assert ["under way" in each.text for each in asked] == [False, False, False, True, True]


@pytest.mark.parametrize("code", ["%00", "%ED%A0%80", "a" * 500, "0000000000%00000", "%E2%80%AE"])
def test_malformed_code_is_refused_with_a_sentence(host: Host, code: str):
    with host.customer() as customer:
        for answer in (
            customer.http.get(f"/checkout/{code}"),
            customer.http.get(f"/checkout/{code}/return?imp_uid=imp_1"),
        ):
            assert answer.status_code < 500
