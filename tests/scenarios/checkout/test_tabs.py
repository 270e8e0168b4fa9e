"""What a window was opened for, whatever tab it is in: another PG, another key, and money that must not go unseen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support.sandbox import Api, RunningSandbox
from worker.checkout import Progress
from worker.domain.errors import Refused
from worker.domain.merchant_uid import derive
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import decline, pay

NO_BALANCE = decline("LACK_BALANCE", "잔액이 부족합니다")


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def overdue(world: World, *story: Any) -> tuple[str, int]:
    subscription = world.subscribe(*(story or (NO_BALANCE,)))
    world.tick()
    (charge,) = world.charges(subscription)
    return subscription, charge.id


def test_first_payment_in_one_tab_counts_although_another_opened_a_second_pg(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription, with_payment=True)
    kakao = till.open(code, "kakaopay")
    till.open(code, "payco")  # then Back
    till.receive_webhook(till.webhook(till.approve(kakao)))
    world.live(days=3, step=timedelta(hours=6))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE
    assert till.keys().count("active") == 1


@pytest.mark.parametrize("purpose", ["first", "another"])
def test_key_registered_in_one_tab_counts_although_another_opened_a_second_pg(world: World, till: Till, purpose: str):
    subscription = till.pending() if purpose == "first" else world.subscribe()
    code = till.link(subscription)
    kakao = till.open(code, "kakaopay")
    till.open(code, "payco")  # then Back
    imp_uid = till.approve(kakao)
    till.receive_webhook(till.webhook(imp_uid))
    world.live(days=2, step=timedelta(hours=6))
    key_id = world.subscription(subscription).billing_key_id
    assert [row.pg for row in world.sql("SELECT pg, status FROM billing_keys WHERE id = :id", id=key_id or 0)] == [
        "kakaopay"
    ]
    assert len(till.keys_at_portone()) == 1


def test_second_key_of_one_link_is_deleted_when_its_window_is_over(world: World, till: Till):
    subscription = till.pending()
    code = till.link(subscription)
    kakao, payco = till.open(code, "kakaopay"), till.open(code, "payco")
    till.complete(code, till.approve(payco))
    till.approve(kakao)  # though the link has done its work
    assert till.keys() == ["registering", "active"]
    world.live(days=2, step=timedelta(hours=6))
    assert (till.keys(), len(till.keys_at_portone())) == (["deleted", "active"], 1)


@pytest.mark.parametrize("tampered", [{"customer_uid": "anothers-customer-uid"}, {"pg": "payco.PARTNERTEST"}])
def test_wrong_payment_seen_first_by_reconciliation_is_left_to_an_operator(
    world: World, till: Till, tampered: dict[str, str]
):
    if "pg" in tampered:
        _, charge_id = overdue(world)
        code = till.link(charge=charge_id, pg="kakaopay")
    else:
        code = till.link(till.pending(), pg="kakaopay", with_payment=True)
    till.approve(till.open(code, tampered=tampered))
    world.wait(hours=1)  # no worker ran meanwhile, and no webhook came
    world.live(days=2, step=timedelta(hours=6))
    assert world.discrepancies() == [("unresolved", "open")]
    assert [charge.status for charge in world.charges()] == ["charging"]


def test_charge_with_an_open_discrepancy_opens_no_window(world: World, till: Till, sandbox: RunningSandbox):
    subscription, charge_id = overdue(world, decline(), pay())
    code = till.link(charge=charge_id, pg="kakaopay")
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        sandbox.admin.behave(pay())
        api.paid(derive("again", subscription, charge.period_start, 1), "key-1", amount=9000)
    world.wait(hours=1)
    world.sweep()
    assert world.discrepancies() == [("other_amount", "open")]
    with pytest.raises(Refused):
        till.agree(code)


def test_payment_in_an_earlier_pgs_window_of_the_link_is_noticed(world: World, till: Till):
    code = till.link(till.pending())
    world.portone.decide(till.open(code, "kakaopay"), "close")
    window = till.open(code, "payco", tampered={"pg": "kakaopay.TCSUBSCRIP"})  # which really charges what it shows
    imp_uid = till.approve(window)
    assert world.portone.report().charges == 1
    with pytest.raises(Refused):
        till.complete(code, imp_uid)
    assert world.discrepancies() == [("other_amount", "open")]


def test_payment_for_a_key_alone_of_another_pg_is_left_to_an_operator(world: World, till: Till):
    code = till.link(till.pending(), pg="payco")
    imp_uid = till.approve(till.open(code, tampered={"pg": "kakaopay.TCSUBSCRIP", "amount": 0}))
    assert world.portone.report().charges == 0
    for _ in range(2):
        with pytest.raises(Refused, match="payco was asked for"):
            till.complete(code, imp_uid)
    assert world.discrepancies() == [("other_amount", "open")]


def test_payment_past_a_stopped_pg_breaks_no_invariant(world: World, till: Till):
    from worker.ledger import stops

    _, charge_id = overdue(world)
    with world.runtime.sessions.begin() as session:
        stops.stop(session, scope="kakaopay", reason="maintenance", stopped_by="test", now=world.now)
    world.wait(hours=1)
    code = till.link(charge=charge_id, pg="payco")
    assert till.complete(code, till.approve(till.open(code))).progress is Progress.DONE
    assert world.broken_invariants() == {}


def test_declined_windows_each_show_their_own_reason(world: World, till: Till):
    code = till.link(world.subscribe())
    for pg, reason in (("payco", "expired"), ("kakaopay", "balance"), ("payco", "lost"), ("kakaopay", "limit")):
        told = world.portone.decide(till.open(code, pg), "decline", reason=reason)
        assert told["callback"]["error_msg"] in till.complete(code, told["callback"]["imp_uid"]).message
        assert told["callback"]["error_msg"] in (till.view(code).decline_message or "")
