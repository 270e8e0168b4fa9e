"""Changes and history on the pages of the example hosts: what is previewed is what is done, to one's own alone."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from tests.support.checkout import Shop
from tests.support.hosts import Customer, Host, running_host, said
from worker import ChangeKind, HostCheckout, Moment, PreviewChanged, Refused, SyncHostCheckout
from worker.changes.prices import NewPrice, add_price
from worker.changes.request import ChangeRequest, request_change
from worker.domain.errors import RefusalCode
from worker.domain.pricing.amounts import Amounts
from worker.runtime import Runtime
from worker.sandbox.rules.behaviours import decline

ASKED = {"fingerprint": "0", "key": "1"}  # what the form of a preview sends


@pytest.fixture
def django(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """One host, for what does not depend on its framework."""
    with running_host("django", shop, monkeypatch) as host:
        yield host


def api(host: Host) -> SyncHostCheckout:
    """Return the calls of a host that was asked before, outside of any of its views."""
    again = host.again()
    return again if isinstance(again, SyncHostCheckout) else SyncHostCheckout(again)


def code_of(host: Host) -> str:
    return str(host.shop.one("SELECT code FROM subscriptions WHERE customer_reference = 'gildong'"))


def changes(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in shop.sql("SELECT kind, status, parameters FROM changes ORDER BY id")]


def by_operator(shop: Shop, code: str, kind: ChangeKind, parameters: dict[str, Any]) -> int:
    """Ask for a change as another actor than the host; gives its id."""
    url = shop.runtime.engine.url.render_as_string(hide_password=False)
    runtime = Runtime.create(shop.runtime.settings, url, actor="mina@desk", clock=shop.clock)
    request = ChangeRequest(kind=kind, subscription=code, parameters=parameters, reason="on the telephone")
    change = request_change(runtime.sessions, request, policy=runtime.change_policy, now=shop.now).change
    runtime.close()
    return change.id


def open_act(customer: Customer, code: str, act: str) -> tuple[str, httpx.Response]:
    address = f"/subscriptions/{code}/{act}"
    return address, customer.http.get(address)


def test_new_card_is_agreed_to_with_the_sums_that_the_page_has_shown(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register("payco")
        shop.sql("UPDATE plans SET arrears = 'none' WHERE code = 'letter'")
        shop.sandbox.admin.behave(decline())
        host.tick()
        address = customer.begin("subscription")
        assert "9,900 won of earlier periods are not charged to it." in customer.http.get(address).text
        refused = customer.agree(address, "kakaopay", given_up="0")
        assert (refused.status_code, "다시 확인해 주세요" in refused.text) == (409, True)
        assert customer.agree(address, "kakaopay").status_code == 200
    consents = shop.sql("SELECT due_now, jsonb_array_length(given_up) AS periods FROM consents ORDER BY id")
    assert (consents[-1].due_now, consents[-1].periods) == (0, 1)


def test_next_charge_is_shown_as_the_planned_changes_have_it(django: Host):
    with django.customer() as customer:
        customer.register()
        django.tick()
    again, code = api(django), code_of(django)
    (listed,) = again.subscriptions_of("gildong")
    assert listed.next_amount == listed.amount
    change = again.request(
        *("gildong", ChangeKind.CHANGE_PLAN), subscription=code, parameters={"plan": "letter-plus"}, reason="grows"
    )
    (planned,) = again.subscriptions_of("gildong")
    assert (planned.next_charge_at, planned.next_amount) == (listed.next_charge_at, 14_900)
    again.undo("gildong", change.id, reason="as before")
    again.request("gildong", ChangeKind.CANCEL, subscription=code, reason="leaves")
    (leaving,) = again.subscriptions_of("gildong")
    assert (leaving.status, leaving.next_charge_at, leaving.next_amount) == (listed.status, None, None)
    assert leaving.paid_until == listed.paid_until


def test_next_charge_of_a_pause_with_an_end_is_the_one_after_it(django: Host):
    with django.customer() as customer:
        customer.register()
        django.tick()
    again, code = api(django), code_of(django)
    (listed,) = again.subscriptions_of("gildong")
    assert listed.next_charge_at is not None
    until = (listed.next_charge_at + timedelta(days=40)).date()
    preview = again.preview("gildong", ChangeKind.PAUSE, subscription=code, parameters={"until": str(until)})
    again.request("gildong", ChangeKind.PAUSE, subscription=code, parameters={"until": str(until)}, reason="travels")
    (paused,) = again.subscriptions_of("gildong")
    first = next(each for each in preview.periods if each.owed)
    assert (paused.next_charge_at, paused.next_amount) == (first.start, first.amount)
    assert first.start > listed.next_charge_at


# --- on the pages -----------------------------------------------------------------------------------------------------


def test_cancellation_at_the_periods_end_is_shown_asked_for_and_undone(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register()
        host.tick()
        address, page = open_act(customer, code_of(host), "cancel")
        assert "구독이 해지되며, 그 뒤로는 청구되지 않습니다." in page.text
        assert changes(shop) == []
        account = customer.press(page.text, "fingerprint", to=address).text
        assert changes(shop) == [("cancel", "scheduled", {})]
        assert "구독이 해지되며" in account
        assert "active, paid until" in account  # until then it is used as before, and is not charged again
        (change,) = shop.sql("SELECT id FROM changes")
        account = customer.press(account, to=f"/changes/{change.id}/undo").text
        assert "구독이 해지되며" not in account
    assert changes(shop) == [("cancel", "undone", {})]
    assert len(shop.paid_on_the_ledger()) == 1


def test_plan_change_of_a_host_is_done_as_previewed_and_pressed_twice_once(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register()
        host.tick()
        address, page = open_act(customer, code_of(host), "plus")
        assert page.text.count("14,900 won") == 3  # the next three periods
        for _ in range(2):
            assert "아침 편지" in customer.press(page.text, "fingerprint", to=address).text
        assert changes(shop) == [("change_plan", "scheduled", {"plan": "letter-plus"})]
    assert shop.sql("SELECT requested_by, reason FROM changes") == [("shop", "on the account page")]


def test_preview_that_has_changed_is_shown_again_and_does_nothing(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register()
        host.tick()
        code = code_of(host)
        address, page = open_act(customer, code, "plus")
        api(host).request(
            *("gildong", ChangeKind.DISCOUNT), subscription=code, parameters={"percent": 50}, reason="sorry"
        )
        shown = customer.press(page.text, "fingerprint", to=address)
        assert shown.text.count("7,450 won") == 3
        assert [kind for kind, *_ in changes(shop)] == ["discount"]
        customer.press(shown.text, "fingerprint", to=address)
    assert [kind for kind, *_ in changes(shop)] == ["discount", "change_plan"]


def test_another_customers_subscription_and_change_are_refused_on_the_pages(host: Host):
    shop = host.shop
    with host.customer() as customer, host.customer("cheolsu") as other:
        customer.register()
        host.tick()
        code = code_of(host)
        change = api(host).request("gildong", ChangeKind.CANCEL, subscription=code, reason="leaves")
        other.begin()
        own = other.http.get("/").text
        assert code not in own
        _, answer = open_act(other, code, "cancel")
        assert answer.status_code == 409
        assert "There is no such subscription or payment of yours." in said(answer)
        assert "of yours" in said(other.press(own, "subscription", to=f"/subscriptions/{code}/cancel", **ASKED))
        assert "of yours" in said(other.press(own, "subscription", to=f"/changes/{change.id}/undo"))
        agreed = {"consent": "on", "fingerprint": "0"}
        assert "of yours" in said(other.press(own, "subscription", to=f"/changes/{change.id}/agree", **agreed))
        assert open_act(customer, code, "everything")[1].status_code == 404
    assert changes(shop) == [("cancel", "scheduled", {})]


def test_higher_price_waits_until_its_customer_agrees_on_the_page(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register()
        host.tick()
        added = add_price(shop.runtime.sessions, "letter", NewPrice(Amounts(12_900)), max_amount=99_999, now=shop.now)
        change = by_operator(shop, code_of(host), ChangeKind.CHANGE_PRICE, {"version": added.version})
        account = customer.http.get("/").text
        assert "요금이 9,900원에서 12,900원으로 변경됩니다." in account
        to = f"/changes/{change}/agree"
        assert "agree" in said(customer.press(account, "fingerprint", to=to))  # the box is not ticked
        assert shop.one("SELECT waits_for FROM changes") == "consent"
        customer.press(account, "fingerprint", to=to, consent="on")
        assert shop.sql("SELECT status, waits_for FROM changes") == [("scheduled", None)]
        assert f'action="{to}"' not in customer.http.get("/").text
    assert shop.one("SELECT wording FROM consents WHERE source = 'host' ORDER BY id DESC LIMIT 1") == "shop-2026-11"


def test_history_shows_items_refund_and_receipt_to_the_won(host: Host):
    shop = host.shop
    with host.customer() as customer:
        customer.register()
        host.tick()
        again = api(host)
        (before,) = again.history("gildong")
        (paid,) = before.charges
        wanted: dict[str, Any] = {"charge": paid.id, "parameters": {"amount": 3000}}
        preview = again.preview("gildong", ChangeKind.REFUND, **wanted)
        refund = again.request(
            *("gildong", ChangeKind.REFUND), **wanted, reason="as asked", fingerprint=preview.fingerprint
        )
        assert (preview.effect.refunded, refund.refunded, refund.status) == (3000, 3000, "applied")
        (after,) = again.history("gildong")
        (charge,) = after.charges
        assert [(each.kind, each.description, each.amount) for each in charge.items] == [("plan", "아침 편지", 9900)]
        assert [(each.amount, each.status, each.change) for each in charge.refunds] == [(3000, "completed", refund.id)]
        assert (charge.status, charge.amount, charge.refunded) == ("paid", 9900, 3000)
        assert after.paid_until == before.paid_until == charge.period_end
        assert charge.receipt_url is not None
        page = customer.http.get("/").text
        assert "3,000 won refunded" in page
        assert f'href="{charge.receipt_url}"' in page
    (payment,) = shop.sandbox.admin.payments(charged_only="true")
    assert payment["refunded"] == 3000


# --- the calls --------------------------------------------------------------------------------------------------------


def test_nothing_of_another_customer_is_shown_or_changed(django: Host):
    shop, again = django.shop, api(django)
    with django.customer() as customer:
        customer.register()
    django.tick()
    code, (charge,) = code_of(django), shop.sql("SELECT id FROM charges")
    change = again.request("gildong", ChangeKind.PAUSE, subscription=code, reason="rests")
    for asked in (again.preview, again.request):
        reason: dict[str, Any] = {"reason": "meddles"} if asked == again.request else {}
        for kind in (ChangeKind.CANCEL, ChangeKind.PAUSE, ChangeKind.CHANGE_PLAN, ChangeKind.DISCOUNT):
            for named in (code, code.lower(), "7ZK3M9QX2VB4C", "\x00", ""):
                with pytest.raises(Refused, match="no such subscription of yours"):
                    asked("cheolsu", kind, subscription=named, **reason)
        for kind in (ChangeKind.REFUND, ChangeKind.VOID, ChangeKind.COLLECT):
            for named_charge in (charge.id, 0, -1, 10**30):
                with pytest.raises(Refused, match="no such charge of yours"):
                    asked("cheolsu", kind, charge=named_charge, **reason)
    for known in (change.id, 10**30, 0):
        with pytest.raises(Refused, match="no such change of yours"):
            again.undo("cheolsu", known, reason="meddles")
        with pytest.raises(Refused, match="no such change of yours"):
            again.agree_to_change("cheolsu", known, wording="1")
    assert again.history("cheolsu") == again.history("") == again.history("\x00") == ()
    assert changes(shop) == [("pause", "scheduled", {})]
    assert shop.sandbox.admin.payments(charged_only="true")[0]["refunded"] == 0


def test_change_that_an_operator_asked_for_is_shown_and_not_undone(django: Host):
    shop, again = django.shop, api(django)
    with django.customer() as customer:
        customer.register()
        django.tick()
        change = by_operator(shop, code_of(django), ChangeKind.CANCEL, {})
        (shown,) = again.history("gildong")[0].changes
        assert (shown.id, shown.kind, shown.can_undo) == (change, "cancel", False)
        with pytest.raises(Refused, match="was not asked for here"):
            again.undo("gildong", change, reason="stays")
        assert f"/changes/{change}/undo" not in customer.http.get("/").text
    assert changes(shop) == [("cancel", "scheduled", {})]


def test_operators_cancellation_is_made_sooner_by_a_host_and_not_later(django: Host):
    shop, again = django.shop, api(django)
    with django.customer() as customer:
        customer.register()
    django.tick()
    code = code_of(django)
    operators = by_operator(shop, code, ChangeKind.CANCEL, {})
    year = shop.now.year + 1
    asked: tuple[Callable[[], object], ...] = (
        lambda: again.preview("gildong", ChangeKind.CANCEL, subscription=code, when=date(year, 12, 31)),
        lambda: again.request("gildong", ChangeKind.CANCEL, subscription=code, when=date(year, 12, 31), reason="later"),
    )
    for each in asked:
        with pytest.raises(Refused, match="can cancel it sooner, and not later") as refused:
            each()
        assert refused.value.code is RefusalCode.CONTRADICTS
        assert "mina" not in str(refused.value)
    preview = again.preview("gildong", ChangeKind.CANCEL, subscription=code)
    assert [(each.id, each.requested_by) for each in preview.replaces] == [(operators, None)]
    soon = (shop.now + timedelta(days=3)).date()
    sooner = again.request("gildong", ChangeKind.CANCEL, subscription=code, when=soon, reason="sooner")
    own = again.preview("gildong", ChangeKind.CANCEL, subscription=code)  # its own may become later again
    assert [(each.id, each.requested_by) for each in own.replaces] == [(sooner.id, "shop")]
    assert shop.one(f"SELECT status FROM changes WHERE id = {operators}") == "superseded"


def test_wrong_requests_of_a_host_are_refused_and_change_nothing(django: Host):
    shop, again = django.shop, api(django)
    with django.customer() as customer:
        customer.register()
    django.tick()
    code = code_of(django)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"kind": "forgive"}, "no kind of change 'forgive'"),
        ({"kind": ChangeKind.END_DUNNING}, "Dunning ends because of"),
        ({"kind": ChangeKind.VOID}, "done to a charge"),
        ({"kind": ChangeKind.REFUND}, "of one charge"),
        ({"parameters": {"refnd": True}}, "no parameter 'refnd'"),
        ({"when": (shop.now - timedelta(days=2)).date()}, "in the past"),
        ({"idempotency_key": "x" * 81}, "1 to 80 characters"),
        ({"fingerprint": "0"}, "something else by now"),
    ]
    for changed, sentence in wrong:
        asked = {"kind": ChangeKind.CANCEL, "subscription": code, "reason": "leaves", **changed}
        with pytest.raises(Refused, match=sentence):
            again.request("gildong", asked.pop("kind"), **asked)
    assert changes(shop) == []
    again.request("gildong", ChangeKind.CANCEL, subscription=code, reason="leaves", idempotency_key="1")
    with pytest.raises(Refused, match="stands for another request"):
        again.request("gildong", ChangeKind.PAUSE, subscription=code, reason="rests", idempotency_key="1")
    with pytest.raises(PreviewChanged) as changed_preview:
        again.request("gildong", ChangeKind.CANCEL, subscription=code, reason="leaves", fingerprint="0")
    assert changed_preview.value.preview.kind is ChangeKind.CANCEL
    assert changes(shop) == [("cancel", "scheduled", {})]


def test_refusals_a_customer_can_cause_say_why_by_their_code(django: Host):
    shop, again = django.shop, api(django)
    with django.customer() as customer:
        customer.register()
    code = code_of(django)
    pay = {"charge": shop.one("SELECT id FROM charges"), "parameters": {"amount": 10**9}}
    of = {"subscription": code}
    caused: list[tuple[ChangeKind, dict[str, Any], str]] = [
        (ChangeKind.CHANGE_PLAN, of | {"parameters": {"plan": "letter"}}, "nothing_changes"),
        (ChangeKind.CHANGE_PLAN, of | {"parameters": {"quantity": 9000}}, "too_high"),
        (ChangeKind.RESUME, of, "wrong_state"),
        (ChangeKind.CANCEL, of | {"when": (shop.now - timedelta(days=2)).date()}, "wrong_date"),
        (ChangeKind.CANCEL, of | {"fingerprint": "0"}, "changed"),
        (ChangeKind.CANCEL, {"subscription": "7ZK3M9QX2VB4C"}, "not_yours"),
        (ChangeKind.DISCOUNT, of | {"parameters": {"code": "NONE"}}, "discount_code"),
        (ChangeKind.REFUND, pay, "nothing_left"),
        (ChangeKind.VOID, pay | {"parameters": {}, "when": Moment.NOW}, "paid"),
    ]
    for kind, asked, why in caused:
        with pytest.raises(Refused) as refused:
            again.request("gildong", kind, **asked, reason="tries")
        assert refused.value.code == why, (kind, str(refused.value))
    end = again.request("gildong", ChangeKind.CANCEL, subscription=code, reason="leaves")
    later = (end.effective_at + timedelta(days=2)).date()
    with pytest.raises(Refused) as refused:
        again.request("gildong", ChangeKind.PAUSE, subscription=code, when=later, reason="rests")
    assert refused.value.code == "contradicts"
    again.undo("gildong", end.id, reason="stays")
    with pytest.raises(Refused) as refused:
        again.undo("gildong", end.id, reason="stays")
    assert refused.value.code == "too_late"
    again.request("gildong", ChangeKind.CANCEL, subscription=code, when=Moment.NOW, reason="leaves")
    with pytest.raises(Refused) as refused:
        again.request("gildong", ChangeKind.CANCEL, subscription=code, when=Moment.NOW, reason="leaves")
    assert refused.value.code == "over"


def test_unpaid_charge_is_forgiven_by_its_customers_host(django: Host):
    shop, again = django.shop, api(django)
    with django.customer() as customer:
        customer.register("payco")
        shop.sandbox.admin.behave(decline())
        django.tick()
        (overdue,) = again.subscriptions_of("gildong")[0].overdue
        preview = again.preview("gildong", ChangeKind.VOID, charge=overdue.id, when=Moment.NOW)
        done = again.request(
            *("gildong", ChangeKind.VOID),
            charge=overdue.id,
            when=Moment.NOW,
            reason="our fault",
            fingerprint=preview.fingerprint,
        )
        assert (done.status, done.no_longer_owed, done.can_undo) == ("applied", 9900, False)
        assert [charge.status for charge in again.history("gildong")[0].charges] == ["void"]
    assert shop.paid_on_the_ledger() == []


# --- the synchronous twin ---------------------------------------------------------------------------------------------


def test_synchronous_twin_has_every_method_with_the_same_parameters():
    methods = {name for name in dir(HostCheckout) if not name.startswith("_")}
    assert methods <= {name for name in dir(SyncHostCheckout) if not name.startswith("_")}
    for name in methods - {"from_env", "script_url", "merchant_code"}:
        assert inspect.signature(getattr(HostCheckout, name)) == inspect.signature(getattr(SyncHostCheckout, name))
        assert not inspect.iscoroutinefunction(getattr(SyncHostCheckout, name))


def test_synchronous_twin_in_a_running_loop_says_what_to_await(django: Host):
    again = api(django)

    async def view() -> None:
        with pytest.raises(RuntimeError, match=r"await HostCheckout\.history here"):
            again.history("gildong")
        assert await again.awaited.history("gildong") == ()

    asyncio.run(view())
    assert again.history("gildong") == ()
