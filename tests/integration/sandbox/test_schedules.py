"""PortOne's own schedules over HTTP: made, revoked, moved, executed when due, and looked up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.sandbox.receiver import listening
from tests.integration.sandbox.shapes import PAYMENT, SCHEDULE, check, check_refusal
from tests.support.sandbox import Api, HandClock, RunningSandbox, running_sandbox
from worker.sandbox.rules.behaviours import decline, misrecorded, pay

HOUR, DAY = 3600, 86_400


class Scheduler:
    """A client of the schedule family at a sandbox whose clock is moved by hand."""

    def __init__(self, sandbox: RunningSandbox, clock: HandClock, api: Api) -> None:
        self.sandbox, self.clock, self.api = sandbox, clock, api

    def schedule(
        self, *merchant_uids: str, customer_uid: str = "key", after: int = DAY, **fields: Any
    ) -> httpx.Response:
        at = self.clock.seconds() + after
        usual = {"schedule_at": at, "amount": 9900, "currency": "KRW", "name": "Plan"} | fields
        schedules = [{"merchant_uid": each} | usual for each in merchant_uids]
        return self.api.post("/subscribe/payments/schedule", customer_uid=customer_uid, schedules=schedules)

    def wait(self, seconds: int) -> None:
        self.clock.move(seconds=seconds)
        self.api.log_in()

    def shown(self, merchant_uid: str) -> dict[str, Any]:
        schedule: dict[str, Any] = check(self.api.get(f"/subscribe/payments/schedule/{merchant_uid}"), SCHEDULE)
        return schedule

    def of_customer(self, uid: str = "key", query: dict[str, Any] | None = None) -> list[str]:
        now, customer_uid = self.clock.seconds(), uid
        span: dict[str, Any] = {"from": now - DAY, "to": now + 60 * DAY} | (query or {})
        answer = self.api.get(f"/subscribe/customers/{customer_uid}/schedules", **span)
        twin = self.api.get(f"/subscribe/payments/schedule/customers/{customer_uid}", **span)
        assert answer.json() == twin.json(), "both paths do the same"
        return [each["merchant_uid"] for each in answer.json()["response"]]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    clock = HandClock()
    with running_sandbox(clock=clock) as sandbox, Api(sandbox.base_url) as api:
        sandbox.admin.create_key("key")
        yield Scheduler(sandbox, clock, api)


def test_schedule_pays_when_it_is_due_and_not_before(scheduler: Scheduler):
    answer = scheduler.schedule("m1", tax_free=900, custom_data="{}")
    (made,) = answer.json()["response"]
    assert (made["schedule_status"], made["payment_status"], made["imp_uid"]) == ("scheduled", None, None)
    scheduler.wait(DAY - 1)
    assert scheduler.shown("m1") == made
    assert scheduler.sandbox.admin.charges() == {}
    scheduler.wait(1)
    done = scheduler.shown("m1")
    assert (done["schedule_status"], done["payment_status"]) == ("executed", "paid")
    assert done["executed_at"] == scheduler.clock.seconds()
    assert scheduler.sandbox.admin.charges() == {"m1": 1}
    payment = check(scheduler.api.get("/payments/find/m1"), PAYMENT)
    assert (payment["imp_uid"], payment["customer_uid_usage"]) == (done["imp_uid"], "payment.scheduled")
    scheduler.wait(DAY)
    assert scheduler.sandbox.admin.charges() == {"m1": 1}, "once"


def test_declined_schedule_leaves_a_failed_payment_and_can_be_retried(scheduler: Scheduler):
    scheduler.sandbox.admin.behave(decline("CC61", "한도초과"), pay())
    scheduler.schedule("m1")
    check_refusal(scheduler.api.post("/subscribe/payments/schedule/m1/retry"), code=1, status=400)
    scheduler.wait(DAY)
    failed = scheduler.shown("m1")
    assert (failed["payment_status"], failed["fail_reason"]) == ("failed", "[CC61]한도초과")
    paid = check(scheduler.api.post("/subscribe/payments/schedule/m1/retry"), PAYMENT)
    assert paid["status"] == "paid"
    assert scheduler.shown("m1")["payment_status"] == "paid"
    check_refusal(scheduler.api.post("/subscribe/payments/schedule/m1/retry"), code=1, status=400)
    assert scheduler.sandbox.admin.charges() == {"m1": 1}


def test_failed_schedule_may_be_scheduled_again(scheduler: Scheduler):
    scheduler.sandbox.admin.behave(decline(), pay())
    scheduler.schedule("m1")
    scheduler.wait(DAY)
    later = scheduler.clock.seconds() + HOUR
    anew = check(scheduler.api.post("/subscribe/payments/schedule/m1/reschedule", schedule_at=later), SCHEDULE)
    assert (anew["schedule_status"], anew["schedule_at"], anew["payment_status"]) == ("scheduled", later, None)
    scheduler.wait(HOUR)
    assert scheduler.shown("m1")["payment_status"] == "paid"
    answer = scheduler.api.post("/subscribe/payments/schedule/m1/reschedule", schedule_at=later + DAY)
    check_refusal(answer, code=1, status=400)


def test_open_schedule_can_be_moved(scheduler: Scheduler):
    scheduler.schedule("m1", after=HOUR)
    later = scheduler.clock.seconds() + DAY

    def move(merchant_uid: str, schedule_at: int) -> httpx.Response:
        headers = {"Authorization": scheduler.api.token}
        path = f"/subscribe/payments/schedule/{merchant_uid}"
        return scheduler.api.http.put(path, json={"schedule_at": schedule_at}, headers=headers)

    check(move("m1", later), SCHEDULE)
    scheduler.wait(HOUR)
    assert scheduler.sandbox.admin.charges() == {}
    check_refusal(move("m1", scheduler.clock.seconds() - 1), code=1, status=400)
    check_refusal(move("m2", later), code=1, status=404)
    scheduler.wait(DAY)
    assert scheduler.sandbox.admin.charges() == {"m1": 1}
    check_refusal(move("m1", scheduler.clock.seconds() + DAY), code=1, status=400)


@pytest.mark.parametrize(
    ("taken_back", "left"),
    [
        ({"customer_uid": "key"}, {"m3"}),
        ({"customer_uid": "key", "merchant_uid": ["m1"]}, {"m2", "m3"}),
        ({"merchant_uid": ["m2", "m3"]}, {"m1"}),
        ({"merchant_uid": "m2"}, {"m1", "m3"}),
    ],
)
def test_revoked_schedule_is_not_charged(scheduler: Scheduler, taken_back: dict[str, Any], left: set[str]):
    scheduler.sandbox.admin.create_key("other")
    scheduler.schedule("m1", "m2")
    scheduler.schedule("m3", customer_uid="other")
    revoked = scheduler.api.post("/subscribe/payments/unschedule", **taken_back).json()["response"]
    assert {each["merchant_uid"] for each in revoked} == {"m1", "m2", "m3"} - left
    assert {each["schedule_status"] for each in revoked} == {"revoked"}
    scheduler.wait(DAY)
    scheduler.api.get("/users/pg")
    assert set(scheduler.sandbox.admin.charges()) == left


@pytest.mark.parametrize("fields", [{"customer_uid": "nobody"}, {"merchant_uid": ["m2"]}, {"customer_uid": "key"}])
def test_unschedule_without_open_schedules_is_code_1(scheduler: Scheduler, fields: dict[str, Any]):
    scheduler.schedule("m1")
    scheduler.wait(DAY)
    answer = scheduler.api.post("/subscribe/payments/unschedule", **fields)
    check_refusal(answer, code=1, message="취소할 예약결제 기록이 존재하지 않습니다.")
    check_refusal(scheduler.api.post("/subscribe/payments/unschedule"), code=1, status=400)


def test_schedules_are_listed_by_customer_the_latest_first(scheduler: Scheduler):
    scheduler.sandbox.admin.create_key("other")
    scheduler.schedule("m1", after=DAY)
    scheduler.schedule("m2", after=2 * DAY)
    scheduler.schedule("m3", customer_uid="other")
    assert scheduler.of_customer() == ["m2", "m1"]
    assert scheduler.of_customer("nobody") == []
    scheduler.wait(DAY)
    assert scheduler.of_customer(query={"schedule-status": "scheduled"}) == ["m2"]
    assert scheduler.of_customer(query={"schedule-status": "executed"}) == ["m1"]
    now = scheduler.clock.seconds()
    assert scheduler.of_customer(query={"from": now, "to": now + DAY}) == ["m1"], "the end is not included"
    assert scheduler.of_customer(query={"page": 2}) == []


def test_all_schedules_of_an_account_are_listed_page_by_page(scheduler: Scheduler):
    scheduler.schedule(*(f"m{number:02d}" for number in range(25)))
    now = scheduler.clock.seconds()
    span = {"schedule_from": now, "schedule_to": now + 30 * DAY}

    def listed(**query: Any) -> list[str]:
        answer = scheduler.api.get("/subscribe/payments/schedule", **span, **query)
        return [each["merchant_uid"] for each in answer.json()["response"]]

    assert (len(listed()), len(listed(page=2)), len(listed(limit=1000))) == (20, 5, 25)
    assert listed(schedule_status="revoked") == []
    scheduler.schedule("early", after=HOUR)
    assert listed(sorting="scheduled")[0] == "early"


@pytest.mark.parametrize(
    "query",
    [{}, {"from": 1}, {"from": 10, "to": 5}, {"from": 0, "to": 100 * DAY}, {"from": "x", "to": 1}],
)
def test_list_of_schedules_beyond_three_months_is_rejected(scheduler: Scheduler, query: dict[str, Any]):
    check_refusal(scheduler.api.get("/subscribe/customers/key/schedules", **query), code=1, status=400)
    renamed = {f"schedule_{name}": value for name, value in query.items()}
    check_refusal(scheduler.api.get("/subscribe/payments/schedule", **renamed), code=1, status=400)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"customer_uid": "nobody"}, 200),
        ({"after": -1}, 400),
        ({"after": 0}, 400),
        ({"amount": None}, 400),
        ({"amount": 99}, 200),  # less than Kakao Pay takes
        ({"currency": "USD"}, 400),
        ({"vat_amount": -5}, 400),
        ({"name": "n" * 41}, 400),
        ({"schedule_at": "soon"}, 400),
    ],
)
def test_unchargeable_request_is_not_scheduled(scheduler: Scheduler, fields: dict[str, Any], status: int):
    answer = scheduler.schedule("m1", **fields)
    assert (answer.status_code, answer.json()["code"] != 0) == (status, True)
    check_refusal(scheduler.api.get("/subscribe/payments/schedule/m1"), code=1, status=404)


def test_merchant_uid_is_scheduled_once_and_not_after_it_was_paid(scheduler: Scheduler):
    scheduler.api.paid("paid")
    scheduler.schedule("m1")
    for merchant_uids in (["m1"], ["m2", "m1"], ["paid"], ["m3", "m3"]):
        assert scheduler.schedule(*merchant_uids).json()["code"] == 1
    assert scheduler.of_customer() == ["m1"]


def test_schedule_of_a_deleted_key_fails(scheduler: Scheduler):
    scheduler.schedule("m1")
    scheduler.api.delete("/subscribe/customers/key")
    scheduler.wait(DAY)
    failed = scheduler.shown("m1")
    assert (failed["payment_status"], failed["imp_uid"]) == ("failed", None)
    check_refusal(scheduler.api.post("/subscribe/payments/schedule/m1/retry"), code=1, status=404)


def test_schedule_whose_merchant_uid_was_paid_meanwhile_pays_nothing(scheduler: Scheduler):
    scheduler.schedule("m1")
    scheduler.api.paid("m1")
    scheduler.wait(DAY)
    assert scheduler.shown("m1")["payment_status"] == "failed"
    assert scheduler.sandbox.admin.charges() == {"m1": 1}


def test_refunded_payment_makes_its_schedule_cancelled(scheduler: Scheduler):
    scheduler.schedule("m1")
    scheduler.wait(DAY)
    assert scheduler.shown("m1")["payment_status"] == "paid"
    scheduler.api.post("/payments/cancel", merchant_uid="m1")
    assert scheduler.shown("m1")["payment_status"] == "cancelled"


def test_misrecorded_schedule_moved_money(scheduler: Scheduler):
    scheduler.sandbox.admin.behave(misrecorded())
    scheduler.schedule("m1")
    scheduler.wait(DAY)
    assert scheduler.shown("m1")["payment_status"] == "failed"
    assert scheduler.sandbox.admin.charges() == {"m1": 1}


def test_executed_schedule_sends_a_webhook_whether_paid_or_failed(scheduler: Scheduler):
    scheduler.sandbox.admin.create_key("poor", decline())
    with listening() as receiver:
        scheduler.sandbox.admin.switch(webhook_url=receiver.url)
        scheduler.schedule("m1")
        scheduler.schedule("m2", customer_uid="poor")
        scheduler.wait(DAY)
        scheduler.api.get("/users/pg")
        told = {body["merchant_uid"]: body["status"] for body in map(_body, receiver.wait_for(2))}
    assert told == {"m1": "paid", "m2": "failed"}


def test_due_schedule_is_executed_without_any_request(scheduler: Scheduler):
    with listening() as receiver:
        scheduler.sandbox.admin.switch(webhook_url=receiver.url)
        scheduler.schedule("m1")
        scheduler.clock.move(days=1)
        assert _body(receiver.wait_for(1)[0])["merchant_uid"] == "m1"


def test_schedules_outlive_the_sandbox(scheduler: Scheduler):
    scheduler.schedule("m1")
    scheduler.sandbox.stop()
    scheduler.sandbox.start()
    scheduler.wait(DAY)
    assert scheduler.shown("m1")["payment_status"] == "paid"


def _body(request: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    return body
