"""A repeated merchant_uid: after it was paid, after it failed, and while it is being charged."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.integration.sandbox.shapes import PAYMENT, check, check_refusal
from tests.support.sandbox import Api, wait_until
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour, Verdict, decline, pay, slow

OVERLAP_SECONDS = 0.4


def twice_at_once(api: Api, admin: SandboxAdmin) -> list[httpx.Response]:
    """Send the same charge twice, the second while the first is in progress; returns the answers in that order."""
    with ThreadPoolExecutor(2) as threads:
        first: Future[httpx.Response] = threads.submit(api.again, "m1")
        wait_until(lambda: admin.requests(merchant_uid="m1"), "the first request never arrived")
        second = threads.submit(api.again, "m1")
        return [first.result(), second.result()]


def test_paid_merchant_uid_is_rejected_with_code_1(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.paid("m1")
    check_refusal(api.again("m1"), code=1, message="이미 결제가 이루어진 거래건입니다.")
    assert admin.charges() == {"m1": 1}


def test_paid_merchant_uid_can_be_rejected_with_code_minus_1(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(repeated_paid="refuse_as_pg")
    api.paid("m1")
    check_refusal(api.again("m1"), code=-1)
    assert admin.charges() == {"m1": 1}


def test_accepted_repeat_is_a_second_real_charge(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(repeated_paid="accept")
    assert api.paid("m1")["imp_uid"] != api.paid("m1")["imp_uid"]
    report = admin.report()
    assert (report.charged_twice, report.charged_krw, report.count("paid")) == ({"m1": 2}, 19_800, 2)
    assert [row["charged"] for row in admin.payments(merchant_uid="m1")] == [9900, 9900]


def test_cancelled_charge_still_counts_as_a_charge(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    admin.switch(repeated_paid="accept")
    api.paid("m1")
    api.post("/payments/cancel", merchant_uid="m1")
    api.paid("m1")
    assert admin.report().charged_twice == {"m1": 2}


def test_failed_merchant_uid_may_be_charged_again(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline(), pay())
    assert check(api.again("m1"), PAYMENT)["status"] == "failed"
    assert check(api.again("m1"), PAYMENT)["status"] == "paid"
    assert admin.charges() == {"m1": 1}


@pytest.mark.parametrize(("rule", "code"), [("refuse", 1), ("refuse_as_pg", -1)])
def test_failed_merchant_uid_can_be_rejected(api: Api, admin: SandboxAdmin, rule: str, code: int):
    admin.create_key("key", decline(), pay())
    admin.switch(repeated_failed=rule)
    api.again("m1")
    check_refusal(api.again("m1"), code=code)
    assert admin.charges() == {}


def test_naverpay_never_takes_a_merchant_uid_twice(api: Api, admin: SandboxAdmin):
    admin.create_key("key", decline(), pay(), pg="naverpay")
    api.again("m1")
    check_refusal(api.again("m1"), code=1)


def test_second_concurrent_request_waits_and_meets_the_paid_rule(api: Api, admin: SandboxAdmin):
    admin.create_key("key", slow(OVERLAP_SECONDS))
    first, second = twice_at_once(api, admin)
    check(first, PAYMENT)
    check_refusal(second, code=1, message="이미 결제가 이루어진 거래건입니다.")
    assert admin.charges() == {"m1": 1}


def test_second_concurrent_request_waits_and_meets_the_failed_rule(api: Api, admin: SandboxAdmin):
    admin.create_key("key", Behaviour(verdict=Verdict.DECLINED, wait_seconds=OVERLAP_SECONDS), pay())
    first, second = twice_at_once(api, admin)
    assert check(first, PAYMENT)["status"] == "failed"
    assert check(second, PAYMENT)["status"] == "paid"


@pytest.mark.parametrize(("rule", "code"), [("refuse", 1), ("refuse_as_pg", -1)])
def test_second_concurrent_request_can_be_rejected(api: Api, admin: SandboxAdmin, rule: str, code: int):
    admin.create_key("key", slow(OVERLAP_SECONDS))
    admin.switch(repeated_in_flight=rule)
    first, second = twice_at_once(api, admin)
    check(first, PAYMENT)
    check_refusal(second, code=code, message="진행중")


def test_concurrent_requests_can_both_be_charged(api: Api, admin: SandboxAdmin):
    admin.create_key("key", slow(OVERLAP_SECONDS))
    admin.switch(repeated_in_flight="accept")
    for answer in twice_at_once(api, admin):
        check(answer, PAYMENT)
    assert admin.report().charged_twice == {"m1": 2}
