"""Webhooks to a local server: when they come, their body, and that they never delay a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.integration.sandbox.receiver import Receiver, listening
from tests.support.sandbox import Api, HandClock, RunningSandbox, running_sandbox, wait_until
from worker.sandbox.http.client import SandboxAdmin, SandboxAdminError
from worker.sandbox.rules.behaviours import decline

WINDOW = {"pg": "kakaopay", "merchant_uid": "m1", "amount": 9900, "customer_uid": "key"}


@pytest.fixture
def receiver(sandbox: RunningSandbox) -> Iterator[Receiver]:
    """A receiver as the sandbox's usual webhook address."""
    with listening() as started:
        sandbox.admin.switch(webhook_url=started.url)
        yield started


def ended(admin: SandboxAdmin, number: int) -> list[dict[str, Any]]:
    """Wait until `count` webhooks have ended, delivered or not."""
    wait_until(lambda: sum(each["state"] != "waiting" for each in admin.webhooks()) >= number, "webhooks still wait")
    return admin.webhooks()


def test_approved_window_sends_a_webhook(admin: SandboxAdmin, receiver: Receiver):
    window_id = admin.open_window(WINDOW)["window"]["window_id"]
    callback = admin.decide(window_id)["callback"]
    admin.decide(window_id)
    [got] = receiver.wait_for(1)
    assert (got.path, got.content_type) == ("/hook", "application/json")
    assert json.loads(got.body) == {"imp_uid": callback["imp_uid"], "merchant_uid": "m1", "status": "paid"}
    [logged] = ended(admin, 1)
    assert (logged["state"], logged["sends"][0]["status"], len(logged["sends"])) == ("delivered", 200, 1)


def test_paid_charge_sends_a_webhook_and_a_failed_one_does_not(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key", decline(), decline(), decline())
    api.again("m1")
    admin.decide(admin.open_window({**WINDOW, "merchant_uid": "m2"})["window"]["window_id"], "decline")
    admin.decide(admin.open_window({**WINDOW, "merchant_uid": "m2"})["window"]["window_id"], "close")
    admin.behave()
    api.paid("m3")
    receiver.wait_for(1)
    assert [each["merchant_uid"] for each in ended(admin, 1)] == ["m3"]


def test_webhook_is_a_form_if_so_configured(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key")
    admin.switch(webhook_format="form")
    paid = api.paid("m1")
    [got] = receiver.wait_for(1)
    assert got.content_type == "application/x-www-form-urlencoded"
    assert parse_qs(got.body.decode()) == {"imp_uid": [paid["imp_uid"]], "merchant_uid": ["m1"], "status": ["paid"]}


def test_notice_url_replaces_the_usual_address(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key")
    with listening() as other:
        api.paid("m1", notice_url=[f"{other.url}/a", f"{other.url}/b"])
        got = other.wait_for(2)
        assert sorted(each.path for each in got) == ["/hook/a", "/hook/b"]
        admin.decide(
            admin.open_window({**WINDOW, "merchant_uid": "m2", "notice_url": other.url})["window"]["window_id"]
        )
        other.wait_for(3)
        ended(admin, 3)
    assert receiver.got == []


@pytest.mark.parametrize(
    "elsewhere", ["http://10.1.2.3/", "http://a.example:1/", "http://127.0.0.1.nip.io/", "http://[::]/"]
)
def test_notice_url_on_another_machine_gets_no_webhook(admin: SandboxAdmin, receiver: Receiver, elsewhere: str):
    opened = admin.open_window({**WINDOW, "notice_url": [elsewhere, receiver.url]})
    admin.decide(opened["window"]["window_id"])
    receiver.wait_for(1)
    told = {each["url"]: each["sends"][0]["error"] for each in ended(admin, 2)}
    assert told[receiver.url] is None
    assert "--deliver-anywhere" in told[elsewhere]


@pytest.mark.parametrize("by_api", [True, False])
def test_cancel_webhook_goes_to_the_usual_address_despite_a_notice_url(
    api: Api, admin: SandboxAdmin, receiver: Receiver, by_api: bool
):
    admin.create_key("key")
    with listening() as other:
        paid = api.paid("m1", notice_url=other.url)
        other.wait_for(1)
        if by_api:
            api.post("/payments/cancel", imp_uid=paid["imp_uid"], enable_webhook=True)
        else:
            admin.cancel_in_console(paid["imp_uid"])
        (told,) = receiver.wait_for(1)
        assert json.loads(told.body)["status"] == "cancelled"
        ended(admin, 2)
        assert len(other.got) == 1


def test_cancel_of_a_payment_without_webhooks_sends_none(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.switch(webhook_url="")
    admin.create_key("key")
    paid = api.paid("m1")
    admin.switch(webhook_url=receiver.url)
    api.post("/payments/cancel", imp_uid=paid["imp_uid"], enable_webhook=True)
    assert admin.webhooks() == []


def test_cancel_in_the_console_sends_a_webhook_with_its_cancellation_id(
    api: Api, admin: SandboxAdmin, receiver: Receiver
):
    admin.create_key("key")
    paid = api.paid("m1")
    part = admin.cancel_in_console(paid["imp_uid"], amount=900, reason="asked for")
    rest = admin.cancel_in_console(paid["imp_uid"])
    assert (part["status"], rest["status"]) == ("paid", "cancelled")
    bodies = [json.loads(each.body) for each in receiver.wait_for(3)]
    told = {each["cancellation_id"]: each["status"] for each in bodies if "cancellation_id" in each}
    ids = [each["cancellation_id"] for each in rest["cancel_history"]]
    assert told == dict.fromkeys(ids, "cancelled")
    assert admin.report().refunded_krw == 9900
    for values in ({"imp_uid": paid["imp_uid"]}, {"imp_uid": "imp_nobodys"}):
        with pytest.raises(SandboxAdminError, match="money moved"):
            admin.cancel_in_console(**values)


@pytest.mark.parametrize(("wanted", "told"), [({}, 0), ({"enable_webhook": False}, 0), ({"enable_webhook": True}, 1)])
def test_cancel_by_api_sends_a_webhook_only_if_requested(
    api: Api, admin: SandboxAdmin, receiver: Receiver, wanted: dict[str, bool], told: int
):
    admin.create_key("key")
    api.paid("m1")
    api.post("/payments/cancel", merchant_uid="m1", **wanted)
    statuses = [json.loads(each.body)["status"] for each in receiver.wait_for(1 + told)]
    assert sorted(each["status"] for each in ended(admin, 1 + told)) == sorted(statuses)
    assert statuses.count("cancelled") == told


def test_failed_webhook_is_sent_once_by_default(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key")
    receiver.answers = [500]
    api.paid("m1")
    [logged] = ended(admin, 1)
    assert (logged["state"], [each["status"] for each in logged["sends"]]) == ("failed", [500])
    admin.resend_webhook(logged["number"])
    receiver.wait_for(2)
    wait_until(lambda: admin.webhooks()[0]["state"] == "delivered", "the resend did not arrive")
    with pytest.raises(SandboxAdminError, match="no webhook"):
        admin.resend_webhook(99)


def test_webhook_is_resent_every_minute_until_200(tmp_path: Path):
    clock = HandClock()
    with running_sandbox(tmp_path / "l.db", clock=clock, webhook_resends=5) as running, listening() as receiver:
        running.admin.switch(webhook_url=receiver.url)
        running.admin.create_key("key")
        receiver.answers = [500, 503]
        with Api(running.base_url) as api:
            api.paid("m1")
        for number in (1, 2, 3):
            receiver.wait_for(number)
            sends = number
            wait_until(lambda sends=sends: len(running.admin.webhooks()[0]["sends"]) == sends, "a send was not noted")
            [logged] = running.admin.webhooks()
            assert logged["state"] == ("delivered" if number == 3 else "waiting")
            if number < 3:
                assert logged["due_at"] == clock.seconds() + 60
            clock.move(seconds=60)
        assert [each["status"] for each in logged["sends"]] == [500, 503, 200]
        assert [round(each["at"] - logged["sends"][0]["at"]) for each in logged["sends"]] == [0, 60, 120]


def test_webhook_to_a_closed_port_is_logged_as_failed(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(webhook_url="http://127.0.0.1:9/")
    api.paid("m1")
    [logged] = ended(admin, 1)
    assert (logged["state"], logged["sends"][0]["error"]) == ("failed", "ClientConnectorError")


def test_webhook_is_sent_from_the_configured_source_address(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key")
    admin.switch(webhook_source="127.0.0.77")
    api.paid("m1")
    assert receiver.wait_for(1)[0].source == "127.0.0.77"
    admin.switch(webhook_source="192.0.2.1")  # not an address of this machine
    api.paid("m2")
    assert ended(admin, 2)[1]["state"] == "failed"


def test_hanging_receiver_delays_no_other_webhook(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key")
    receiver.gate.clear()
    for number in range(60):
        api.paid(f"m{number}")
    assert len(admin.webhooks()) == 60
    assert [each for each in admin.webhooks() if each["state"] == "delivered"] == [], "they were waited for"
    receiver.gate.set()
    ended(admin, 60)
    assert len(receiver.got) >= 60


def test_webhook_may_come_long_after_the_callback(tmp_path: Path):
    clock = HandClock()
    with running_sandbox(tmp_path / "l.db", clock=clock) as running, listening() as receiver:
        running.admin.switch(webhook_url=receiver.url, webhook_delay_seconds=5)
        running.admin.decide(running.admin.open_window(WINDOW)["window"]["window_id"])
        assert [each["due_at"] for each in running.admin.webhooks()] == [clock.seconds() + 5]
        assert receiver.got == []
        clock.move(seconds=5)
        receiver.wait_for(1)


def test_webhook_may_come_before_the_callback(admin: SandboxAdmin, receiver: Receiver):
    admin.switch(window_callback_seconds=1)
    window_id = admin.open_window(WINDOW)["window"]["window_id"]
    with ThreadPoolExecutor(1) as threads:
        told = threads.submit(admin.decide, window_id)
        receiver.wait_for(1)
        assert not told.done(), "the page heard of it first"
        assert told.result()["callback"]["success"]


def test_waiting_webhook_is_sent_after_a_restart(tmp_path: Path):
    clock = HandClock()
    with running_sandbox(tmp_path / "l.db", clock=clock) as running, listening() as receiver:
        running.admin.switch(webhook_url=receiver.url, webhook_delay_seconds=60)
        window_id = running.admin.open_window(WINDOW)["window"]["window_id"]
        running.stop()
        running.start()
        running.admin.decide(window_id)
        running.stop()
        running.start()
        assert running.admin.charges() == {"m1": 1}, "windows and payments outlive it too"
        assert running.admin.decide(window_id)["state"] == "approved"
        assert [each["state"] for each in running.admin.webhooks()] == ["waiting"]
        clock.move(seconds=60)
        receiver.wait_for(1)


def test_payment_without_a_webhook_address_sends_and_logs_nothing(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.paid("m1")
    admin.decide(admin.open_window({**WINDOW, "merchant_uid": "m2"})["window"]["window_id"])
    assert admin.webhooks() == []


def test_reset_deletes_windows_and_webhooks(api: Api, admin: SandboxAdmin, receiver: Receiver):
    admin.create_key("key")
    api.paid("m1")
    receiver.wait_for(1)
    admin.open_window({**WINDOW, "merchant_uid": "m2"})
    admin.reset()
    assert (admin.webhooks(), admin.windows(), admin.switches()["webhook_url"]) == ([], [], "")
