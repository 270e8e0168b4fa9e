"""Looking up payments: by id, by merchant_uid, by status and time, by billing key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.sandbox.shapes import CHANNEL, CUSTOMER, PAGED, PAYMENT, check, check_refusal
from tests.support.sandbox import Api, HandClock, running_sandbox
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

MANY = {"type": "array", "items": PAYMENT}
DAY = 86_400


def test_a_test_channels_payment_is_hidden_unless_asked_for(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    paid = api.paid("m1")
    check_refusal(api.get(f"/payments/{paid['imp_uid']}"), code=1, status=404, message="존재하지 않는 결제정보입니다.")
    assert check(api.get(f"/payments/{paid['imp_uid']}", include_sandbox="true"), PAYMENT) == paid
    assert check(api.get("/payments/find/m1"), PAYMENT) == paid, "only look-ups by imp_uid hide it"


def test_a_live_channels_payment_is_found_without_asking(api: Api, admin: SandboxAdmin):
    admin.create_key("key", sandbox=False)
    paid = api.paid("m1")
    assert check(api.get(f"/payments/{paid['imp_uid']}"), PAYMENT) == paid


def test_several_payments_at_once(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    one, two = api.paid("m1"), api.paid("m2")
    both = {"imp_uid[]": one["imp_uid"], "merchant_uid[]": "m2"}
    assert check(api.get("/payments", **both), MANY) == [one, two]
    assert check(api.get("/payments", **{"merchant_uid[]": ["m1", "nothing"]}), MANY, status=207) == [one]
    check_refusal(api.get("/payments", **{"imp_uid[]": ["imps_0", "nothing"]}), code=1, status=404)
    check_refusal(api.get("/payments"), code=1, status=400)


def test_a_hundred_payments_at_once_and_not_one_more(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.paid("m1")
    assert len(check(api.get("/payments", **{"merchant_uid[]": ["m1"] * 100}), MANY)) == 100
    check_refusal(api.get("/payments", **{"merchant_uid[]": ["m1"] * 101}), code=1, status=400)


@pytest.fixture
def three_tries(api: Api, admin: SandboxAdmin) -> list[str]:
    """Three payments under one merchant_uid: two declines, then paid; their imp_uids in that order."""
    admin.create_key("key", decline(times=2), pay())
    return [api.again("m1").json()["response"]["imp_uid"] for _ in range(3)]


def test_find_gives_the_newest_unless_sorted_otherwise(api: Api, three_tries: list[str]):
    def found(**query: str) -> str:
        payment: dict[str, Any] = check(api.get("/payments/find/m1", **query), PAYMENT)
        return str(payment["imp_uid"])

    assert found() == three_tries[2]
    assert found(sorting="started") == three_tries[0]
    assert found(sorting="-paid") == three_tries[2]
    check_refusal(api.get("/payments/find/m1", sorting="amount"), code=1, status=400)


def test_find_can_be_narrowed_to_a_status(api: Api, three_tries: list[str]):
    assert check(api.get("/payments/find/m1/failed"), PAYMENT)["imp_uid"] == three_tries[1]
    assert check(api.get("/payments/find/m1/paid"), PAYMENT)["imp_uid"] == three_tries[2]
    check_refusal(api.get("/payments/find/m1/cancelled"), code=1, status=404)
    check_refusal(api.get("/payments/find/m1/broken"), code=1, status=400, message="지원되지 않는 상태값입니다.")


def test_find_all_returns_every_attempt_in_pages(api: Api, three_tries: list[str]):
    page = check(api.get("/payments/findAll/m1"), PAGED)
    assert [each["imp_uid"] for each in page["list"]] == three_tries[::-1]
    assert (page["total"], page["previous"], page["next"]) == (3, 0, 0)
    second = check(api.get("/payments/findAll/m1", page=2, limit=2), PAGED)
    assert [each["imp_uid"] for each in second["list"]] == three_tries[:1]
    assert (second["total"], second["previous"], second["next"]) == (3, 1, 0)
    assert check(api.get("/payments/findAll/m1/failed"), PAGED)["total"] == 2
    assert check(api.get("/payments/findAll/m1/"), PAGED)["total"] == 3, "a slash at the end, as one client sends it"


def test_find_all_of_an_unknown_merchant_uid_is_a_404(api: Api, three_tries: list[str]):
    check_refusal(api.get("/payments/findAll/m2"), code=1, status=404, message="존재하지 않는 결제정보입니다.")
    check_refusal(api.get("/payments/findAll/m1/ready"), code=1, status=404)
    check_refusal(api.get("/payments/findAll/m1", page=2), code=1, status=400)


def test_merchant_uid_is_unescaped_from_the_path(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.paid("a/b 가%")
    answer = api.get("/payments/find/a%2Fb%20%EA%B0%80%25")
    assert check(answer, PAYMENT)["merchant_uid"] == "a/b 가%"


@pytest.fixture(scope="module")
def year() -> Iterator[tuple[Api, HandClock]]:
    """100 days with a paid, a declined, and one cancelled payment; the clock stands at day 100."""
    calendar = HandClock()
    with running_sandbox(clock=calendar) as running, Api(running.base_url) as api:
        running.admin.create_keys([{"customer_uid": "key"}, {"customer_uid": "poor"}])
        running.admin.behave(decline(), customer_uids=["poor"])
        for day in range(100):
            if day:
                calendar.move(days=1)
            api.log_in()
            api.paid(f"p{day}")
            api.again(f"f{day}", "poor")
        api.post("/payments/cancel", merchant_uid="p5")
        yield api, calendar


def totals(api: Api, status: str, **query: int | str) -> int:
    total: int = check(api.get(f"/payments/status/{status}", **query), PAGED)["total"]
    return total


def test_search_by_status_covers_the_last_ninety_days(year: tuple[Api, HandClock]):
    api, _ = year
    # days 9 to 99 are within 90 days of day 99, both ends included; what was paid on day 5 was cancelled on day 99
    assert totals(api, "paid") == 91
    assert totals(api, "failed") == 91
    assert totals(api, "all") == 183
    assert totals(api, "ready") == 0


def test_search_by_status_compares_the_time_of_that_status(year: tuple[Api, HandClock]):
    api, calendar = year
    now = calendar.seconds()
    # p5 was paid on day 5 and cancelled on day 99: its cancel counts
    assert totals(api, "cancelled", **{"from": now - DAY, "to": now}) == 1
    assert totals(api, "cancelled", to=now - DAY) == 0
    # for `all` too: on day 5 only the failed one is left
    day_5 = now - 94 * DAY
    assert totals(api, "all", **{"from": day_5, "to": day_5}) == 1
    assert totals(api, "all", **{"from": now - DAY + 1, "to": now}) == 3


def test_search_of_all_compares_the_time_paid_and_not_the_start(api: Api, admin: SandboxAdmin):
    admin.create_key("key", Behaviour(wait_seconds=1.2))
    paid = api.paid("m1")
    assert paid["paid_at"] > paid["started_at"]
    for status in ("paid", "all"):
        assert totals(api, status, **{"from": paid["paid_at"]}) == 1, status


def test_search_by_status_includes_both_ends_of_its_range(year: tuple[Api, HandClock]):
    api, calendar = year
    now = calendar.seconds()
    assert totals(api, "paid", **{"from": now, "to": now}) == 1
    assert totals(api, "paid", **{"from": now - DAY, "to": now - 1}) == 1
    assert totals(api, "paid", **{"from": now - DAY, "to": now}) == 2


def test_search_by_status_is_paged_and_sorted(year: tuple[Api, HandClock]):
    api, _ = year
    first = check(api.get("/payments/status/paid"), PAGED)
    assert (len(first["list"]), first["previous"], first["next"]) == (20, 0, 2)
    assert first["list"][0]["merchant_uid"] == "p99"
    last = check(api.get("/payments/status/paid", page=5), PAGED)
    assert (len(last["list"]), last["previous"], last["next"]) == (11, 4, 0)
    everything = check(api.get("/payments/status/paid", limit=1000, sorting="started"), PAGED)
    assert [each["merchant_uid"] for each in everything["list"]] == [f"p{day}" for day in range(9, 100)]


@pytest.mark.parametrize(
    "query",
    [
        {"page": 6},  # beyond the data
        {"page": 0},
        {"limit": 1001},
        {"from": 1, "to": 2 + 90 * DAY},  # more than 90 days
        {"from": 2, "to": 1},
        {"from": "yesterday"},
        {"to": -1},
        {"sorting": "up"},
    ],
)
def test_search_with_invalid_parameters_is_a_400(year: tuple[Api, HandClock], query: dict[str, Any]):
    check_refusal(year[0].get("/payments/status/paid", **query), code=1, status=400)


def test_unknown_status_is_a_400(year: tuple[Api, HandClock]):
    check_refusal(year[0].get("/payments/status/lost"), code=1, status=400, message="지원되지 않는 상태값입니다.")


def test_first_page_of_no_payments_is_empty(api: Api):
    page = check(api.get("/payments/status/all"), PAGED)
    assert page == {"total": 0, "previous": 0, "next": 0, "list": []}


def test_payments_of_a_key_are_paged(year: tuple[Api, HandClock]):
    api, _ = year
    page = check(api.get("/subscribe/customers/key/payments"), PAGED)
    assert (page["total"], len(page["list"]), page["next"]) == (100, 20, 2)
    assert page["list"][0]["merchant_uid"] == "p99"
    last = check(api.get("/subscribe/customers/key/payments", page=5), PAGED)
    assert (last["previous"], last["next"]) == (4, 0)
    check_refusal(api.get("/subscribe/customers/key/payments", page=6), code=1, status=400)


def test_key_without_payments_has_an_empty_page(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    assert check(api.get("/subscribe/customers/key/payments"), PAGED)["total"] == 0
    check_refusal(api.get("/subscribe/customers/nobody/payments"), code=1, status=404)


def test_payment_can_be_hidden_from_look_ups_for_a_while():
    clock = HandClock()
    with running_sandbox(clock=clock) as running, Api(running.base_url) as api:
        running.admin.create_key("key", pay(hidden_seconds=30))
        imp_uid = api.paid("m1")["imp_uid"]
        look_ups = [f"/payments/{imp_uid}?include_sandbox=true", "/payments?merchant_uid[]=m1"]
        look_ups += ["/payments/find/m1", "/payments/findAll/m1"]
        clock.move(seconds=29)
        assert [api.get(path).status_code for path in look_ups] == [404] * 4
        assert totals(api, "all") == 0
        assert check(api.get("/subscribe/customers/key/payments"), PAGED)["total"] == 0
        assert running.admin.charges() == {"m1": 1}, "the ledger knows at once"
        clock.move(seconds=1)
        assert [api.get(path).status_code for path in look_ups] == [200] * 4
        assert totals(api, "all") == 1


def test_switch_hides_all_new_payments_from_look_ups(api: Api, admin: SandboxAdmin):
    admin.switch(lookup_delay_seconds=3600)
    admin.create_key("key")
    api.paid("m1")
    assert api.get("/payments/findAll/m1").status_code == 404
    check_refusal(api.again("m1"), code=1, message="이미 결제가 이루어진 거래건입니다.")


def test_wallet_key_is_shown_without_card_fields(api: Api, admin: SandboxAdmin):
    admin.create_key("key", customer_name="Buyer", customer_email="buyer@example.invalid")
    admin.create_key("card", pg="nice_v2")
    customer = check(api.get("/subscribe/customers/key"), CUSTOMER)
    assert (customer["pg_provider"], customer["customer_name"], customer["card_name"]) == ("kakaopay", "Buyer", None)
    assert customer["inserted"] == customer["updated"]
    assert check(api.get("/subscribe/customers/card"), CUSTOMER)["card_number"] is not None


def test_several_keys_are_read_in_one_call(api: Api, admin: SandboxAdmin):
    admin.create_keys([{"customer_uid": "a"}, {"customer_uid": "b"}])
    shape = {"type": "array", "items": CUSTOMER}
    both = check(api.get("/subscribe/customers", **{"customer_uid[]": ["b", "a"]}), shape)
    assert [each["customer_uid"] for each in both] == ["b", "a"]
    assert len(check(api.get("/subscribe/customers", **{"customer_uid[]": ["a", "c"]}), shape, status=207)) == 1
    check_refusal(api.get("/subscribe/customers", **{"customer_uid[]": ["c"]}), code=1, status=404)
    check_refusal(api.get("/subscribe/customers"), code=1, status=400)


def test_deleted_key_is_not_found_and_cannot_be_charged(api: Api, admin: SandboxAdmin):
    admin.create_key("key")
    api.paid("m1")
    check(api.delete("/subscribe/customers/key"), CUSTOMER)
    check_refusal(api.get("/subscribe/customers/key"), code=1, status=404, message="customer_uid(key)")
    check_refusal(api.delete("/subscribe/customers/key"), code=1, status=404)
    check_refusal(api.again("m2"), code=1, message="등록되지 않은 구매자입니다.")
    assert check(api.get("/payments/find/m1"), PAYMENT)["status"] == "paid", "its payments stay"


def test_unknown_customer_uid_can_be_a_200_by_switch(api: Api, admin: SandboxAdmin):
    admin.switch(unknown_customer_status=200)
    check_refusal(api.get("/subscribe/customers/nobody"), code=1, status=200, message="customer_uid(nobody)")


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/subscribe/customers/kakao", {}, 200),  # a key of a wallet
        ("/subscribe/customers/new", {"channel_key": "channel-key-sandbox-payco"}, 200),
        ("/subscribe/customers/new", {"pg": "kakaopay.TCSUBSCRIP"}, 200),
        ("/subscribe/customers/new", {"pg": "nice_v2"}, 501),
        ("/subscribe/payments/onetime", {"customer_uid": "kakao"}, 200),
        ("/subscribe/payments/onetime", {"pg": "payco"}, 200),
        ("/subscribe/payments/onetime", {}, 501),
    ],
)
def test_registration_by_card_data_is_rejected(
    api: Api, admin: SandboxAdmin, path: str, fields: dict[str, Any], status: int
):
    admin.create_key("kakao")
    check_refusal(api.post(path, **fields), code=1, status=status)


def test_both_wallets_are_contracted(api: Api):
    channels = check(api.get("/users/pg"), {"type": "array", "items": CHANNEL})
    ids = {each["pg_provider"]: each["pg_id"] for each in channels}
    assert ids == {"kakaopay": "TCSUBSCRIP", "payco": "AUTOPAY"}
    assert all(each["sandbox"] for each in channels)


def test_naver_pay_key_deletion_requires_a_requester(api: Api, admin: SandboxAdmin):
    admin.create_key("key", pg="naverpay")
    check_refusal(api.delete("/subscribe/customers/key"), code=1, status=400)
    check_refusal(api.delete("/subscribe/customers/key?extra[requester]=admin"), code=1, status=400)
    check(api.delete("/subscribe/customers/key?reason=replaced&extra[requester]=admin"), CUSTOMER)
    assert admin.keys() == []
