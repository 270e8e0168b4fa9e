"""The look-ups of a checkout, against the sandbox: every answer and every failure is a value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from tests.support.gateways import Answered
from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from worker.config.decline_packs import shipped_rules
from worker.domain.gateway import Found, LookUpFailed, NoSuchKey, OpenSchedules, StillScheduled, StoredKey
from worker.portone.adapter import PortOneGateway
from worker.portone.client import PortOneClient
from worker.portone.connection import Connection

T = TypeVar("T")
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(sandbox: RunningSandbox) -> None:
    sandbox.admin.reset()


class Asked:
    """A gateway on an event loop of its own."""

    def __init__(self, base_url: str) -> None:
        self._runner = asyncio.Runner()
        self.gateway = self._runner.run(_gateway(base_url))

    def __call__(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)

    def close(self) -> None:
        self._runner.run(self.gateway.aclose())
        self._runner.close()


async def _gateway(base_url: str) -> PortOneGateway:
    connection = Connection(base_url, ("sandbox", "sandbox"), connections=2, connect_timeout=30, read_timeout=30)
    return PortOneGateway(PortOneClient(connection), deadline=timedelta(seconds=5), rules=shipped_rules())


@pytest.fixture
def asked(sandbox: RunningSandbox) -> Iterator[Asked]:
    asking = Asked(sandbox.base_url)
    yield asking
    asking.close()


def test_payment_is_found_by_imp_uid_without_its_key_in_the_repr(sandbox: RunningSandbox, asked: Asked):
    sandbox.admin.create_key("customer-uid-1")
    with Api(sandbox.base_url) as api:
        imp_uid = api.paid("order1", "customer-uid-1")["imp_uid"]
    found = asked(asked.gateway.payment(imp_uid))
    assert isinstance(found, Found)
    (payment,) = found.records
    assert (payment.merchant_uid, payment.amount, payment.customer_uid) == ("order1", 9900, "customer-uid-1")
    assert "customer-uid-1" not in repr(found)
    assert asked(asked.gateway.payment("imps_nothing")) == Found(())
    assert asked(asked.gateway.payment("../customers/customer-uid-1")) == Found(())


@pytest.mark.parametrize("status", [404, 200])
def test_billing_key_is_found_or_not_in_either_shape_of_answer(sandbox: RunningSandbox, asked: Asked, status: int):
    sandbox.admin.switch(unknown_customer_status=status)
    sandbox.admin.create_key("customer-uid-1", pg="payco")
    key = asked(asked.gateway.billing_key("customer-uid-1"))
    assert isinstance(key, StoredKey)
    assert (key.customer_uid, key.pg, key.card, key.registered_at is None) == ("customer-uid-1", "payco", None, False)
    assert asked(asked.gateway.billing_key("customer-uid-2")) == NoSuchKey()


def test_card_label_shows_its_name_and_last_digits(sandbox: RunningSandbox, asked: Asked):
    sandbox.admin.create_key("customer-uid-1", pg="nice", instrument="card")
    key = asked(asked.gateway.billing_key("customer-uid-1"))
    assert isinstance(key, StoredKey)
    assert key.card == "BC카드 0000"


@pytest.mark.parametrize("status", [404, 200])
def test_key_is_deleted_once_and_a_missing_one_counts_as_deleted(sandbox: RunningSandbox, asked: Asked, status: int):
    sandbox.admin.switch(unknown_customer_status=status)
    sandbox.admin.create_key("customer-uid-1")
    for _ in range(2):
        assert (
            asked(asked.gateway.delete_key("customer-uid-1", pg="kakaopay", reason="replaced", now=NOW)) == NoSuchKey()
        )
    assert sandbox.admin.keys() == []


def test_naver_pay_key_is_deleted_with_a_requester(sandbox: RunningSandbox, asked: Asked):
    sandbox.admin.create_key("customer-uid-1", pg="naverpay")
    assert asked(asked.gateway.delete_key("customer-uid-1", pg="naverpay", reason="replaced", now=NOW)) == NoSuchKey()
    assert sandbox.admin.keys() == []


def ask(portone: Answered, about: str, body: bytes) -> object:
    """Read or delete a key at a PortOne that answers every call with HTTP 200 and this body."""
    gateway = portone.gateway
    if about == "billing_key":
        return portone.run(gateway.billing_key("customer-uid-1"), 200, body)
    return portone.run(gateway.delete_key("customer-uid-1", pg="kakaopay", reason="replaced", now=NOW), 200, body)


REFUSED_OTHERWISE = [
    "비인증결제모듈 사용정보를 찾을 수 없습니다",
    "customer_uid의 비인증결제 모듈이 설정되지 않았습니다.",
    "빌링키를 조회할 PG 설정 정보가 존재하지 않습니다.",
    "고객사 정보를 찾을 수 없습니다.",
    "요청하신 가맹점의 구매자 정보를 찾을 수 없습니다.",
    "허용되지 않은 IP입니다.",
    "이미 삭제 처리 중입니다.",
    "module not set up",
    "channel of the billing key not found",
    "",
]


@pytest.mark.parametrize("words", REFUSED_OTHERWISE)
def test_billing_key_is_not_missing_after_an_error_of_another_reason(words: str):
    body = json.dumps({"code": 1, "message": words, "response": None}).encode()
    portone = Answered()
    try:
        for call in ("billing_key", "delete_key"):
            found = ask(portone, call, body)
            assert isinstance(found, LookUpFailed), call
    finally:
        portone.close()


@pytest.mark.parametrize(
    "words",
    [
        "요청하신 customer_uid(gildong_pg_module_1)로 등록된 정보를 찾을 수 없습니다.",
        "등록되지 않은 구매자입니다.",
        "등록된 고객정보가 없습니다.",
        "존재하지 않는 빌링키입니다.",
        "There is no such billing key.",
    ],
)
def test_billing_key_is_missing_when_portone_says_so(words: str):
    body = json.dumps({"code": 1, "message": words, "response": None}).encode()
    portone = Answered()
    try:
        assert ask(portone, "billing_key", body) == NoSuchKey()
        assert ask(portone, "delete_key", body) == NoSuchKey()
        assert isinstance(ask(portone, "billing_key", body.replace(b": 1,", b": -1,")), LookUpFailed)
    finally:
        portone.close()


def test_look_up_during_an_outage_is_a_failed_look_up(sandbox: RunningSandbox, asked: Asked):
    sandbox.admin.create_key("customer-uid-1")
    asked(asked.gateway.billing_key("customer-uid-1"))
    sandbox.admin.switch(outage="error")
    for call in (
        asked.gateway.payment("imps_1"),
        asked.gateway.billing_key("customer-uid-1"),
        asked.gateway.delete_key("customer-uid-1", pg="kakaopay", reason="replaced", now=NOW),
    ):
        assert isinstance(asked(call), LookUpFailed)
    sandbox.admin.switch(outage="none")
    assert len(sandbox.admin.keys()) == 1


def test_key_with_an_open_schedule_is_not_deleted(sandbox: RunningSandbox, asked: Asked):
    sandbox.admin.create_key("customer-uid-1")
    for days in (1, 100, 390):
        schedule = {"merchant_uid": f"m{days}", "amount": 9900, "currency": "KRW", "name": "Plan"}
        at = int((NOW + timedelta(days=days)).timestamp())
        with Api(sandbox.base_url) as api:
            body = {"customer_uid": "customer-uid-1", "schedules": [{**schedule, "schedule_at": at}]}
            assert api.post("/subscribe/payments/schedule", **body).json()["code"] == 0
            deleted = asked(asked.gateway.delete_key("customer-uid-1", pg="kakaopay", reason="replaced", now=NOW))
            assert isinstance(deleted, StillScheduled)
            assert len(sandbox.admin.keys()) == 1
            api.post("/subscribe/payments/unschedule", customer_uid="customer-uid-1")
    assert asked(asked.gateway.delete_key("customer-uid-1", pg="kakaopay", reason="replaced", now=NOW)) == NoSuchKey()


def test_open_schedules_are_read_page_by_page_up_to_a_maximum(
    sandbox: RunningSandbox, asked: Asked, monkeypatch: pytest.MonkeyPatch
):
    for module in ("client", "adapter"):
        monkeypatch.setattr(f"worker.portone.{module}.MAX_PAGE", 3)
    sandbox.admin.create_key("customer-uid-1")
    at = int((NOW + timedelta(days=100)).timestamp())
    schedules = [
        {"merchant_uid": f"m{number}", "schedule_at": at + number, "amount": 100 + number} for number in range(8)
    ]
    with Api(sandbox.base_url) as api:
        api.post("/subscribe/payments/schedule", customer_uid="customer-uid-1", schedules=schedules)
    found = asked(asked.gateway.open_schedules(now=NOW, pause=0, most=100))
    assert isinstance(found, OpenSchedules)
    assert [each.merchant_uid for each in found.schedules] == [f"m{number}" for number in range(8)]
    assert (found.is_complete, found.unread, found.schedules[0].amount) == (True, 0, 100)
    some = asked(asked.gateway.open_schedules(now=NOW, pause=0, most=5))
    assert isinstance(some, OpenSchedules)
    assert (len(some.schedules), some.is_complete) == (6, False)


ODD_SCHEDULES: list[tuple[Any, tuple[int, int]]] = [
    ([], (0, 0)),
    (None, (0, 0)),
    ({"list": [], "total": 0}, (0, 0)),
    ([{"schedule_status": "scheduled"}, 7, None], (0, 3)),
    ([{"schedule_status": "executed"}], (0, 0)),
    ([{"customer_uid": "c", "merchant_uid": "m", "schedule_at": 10**12, "amount": 1}], (0, 1)),
    ([{"customer_uid": "c", "merchant_uid": "m", "schedule_at": 1_800_000_000, "amount": 1}], (1, 0)),
]


@pytest.mark.parametrize(("response", "expected"), ODD_SCHEDULES)
def test_unreadable_schedule_is_counted_and_hides_no_other(response: Any, expected: tuple[int, int]):
    body = json.dumps({"code": 0, "message": None, "response": response}).encode()
    portone = Answered()
    try:
        found = portone.run(portone.gateway.open_schedules(now=NOW, pause=0, most=3), 200, body)
    finally:
        portone.close()
    assert isinstance(found, OpenSchedules)
    # One request for each quarter of the year ahead.
    assert len(found.schedules) == expected[0]
    assert (found.unread > 0) is (expected[1] > 0)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"code":0,"message":null,"response":"text"}', b'{"code":1,"message":"x","response":null}']
)
def test_unreadable_list_of_schedules_is_a_failed_look_up(body: bytes):
    portone = Answered()
    try:
        found = portone.run(portone.gateway.open_schedules(now=NOW, pause=0, most=3), 200, body)
    finally:
        portone.close()
    assert isinstance(found, LookUpFailed)
