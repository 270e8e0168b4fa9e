"""Declines that are no customer's fault, and a single customer's declines that affect no other."""

from __future__ import annotations

from typer.testing import CliRunner

from tests.scenarios.conftest import World
from worker.charging import kill_switch
from worker.cli.commands import app
from worker.sandbox.rules.behaviours import Shape, decline, pay

SUSPENDED = decline("8901", "미등록PG업체/거래정지업체")
ONE_CARD = decline("F113", "해당카드 사용불가 가맹점(타카드 사용요망)")
NOT_SET_UP = decline("", "비인증결제모듈 사용정보를 찾을 수 없습니다.", shape=Shape.MESSAGE, recorded=False)
UNKNOWN_WORDS = decline("", "처음 보는 사유입니다.", shape=Shape.MESSAGE, recorded=False)


def keys(world: World) -> list[str]:
    return [row.status for row in world.sql("SELECT status FROM billing_keys ORDER BY id")]


def stopped(world: World) -> list[str]:
    return [row.scope for row in world.sql("SELECT scope FROM stops")]


def test_suspension_of_the_merchant_kills_no_key_and_all_is_paid_after_it(world: World):
    payer = world.subscribe()
    world.tick()
    world.wait(minutes=1)
    suspended = [world.subscribe(SUSPENDED, pay()) for _ in range(3)]
    world.tick()
    assert stopped(world) == ["kakaopay"]
    assert set(keys(world)) == {"active"}
    assert {world.charges(code)[0].status for code in suspended} == {"due"}
    world.live(days=1)
    assert world.portone.report().charges == 1  # while the stop stands, no operator is asked
    kill_switch.start_charging(world.runtime.sessions, "kakaopay", now=world.now)
    world.live(days=1)
    assert {world.charges(code)[0].status for code in (payer, *suspended)} == {"paid"}
    world.assert_books_agree()


def test_card_that_this_merchant_does_not_accept_stops_no_other_customer(world: World):
    refused = world.subscribe(*[ONE_CARD] * 10)
    others = [world.subscribe() for _ in range(3)]
    world.live(days=10)
    assert stopped(world) == []
    assert {world.charges(code)[0].status for code in others} == {"paid"}
    assert world.charges(refused)[0].status == "uncollectible"  # retried on its calendar, and then uncollectible
    world.assert_books_agree()


def test_missing_billing_module_makes_no_charge_uncollectible(world: World):
    codes = [world.subscribe(*[NOT_SET_UP] * 3, pay()) for _ in range(4)]
    world.live(days=5)
    assert stopped(world) == ["kakaopay"]
    assert {world.charges(code)[0].status for code in codes} == {"due"}
    assert world.portone.report().charges == 0
    world.assert_books_agree()


def test_unknown_decline_for_all_customers_stops_the_channel(world: World):
    codes = [world.subscribe(*[UNKNOWN_WORDS] * 9) for _ in range(5)]
    world.live(days=9)
    assert stopped(world) == ["kakaopay"]
    assert "uncollectible" not in world.statuses()
    assert len(codes) == 5
    world.assert_books_agree()


def test_deleted_key_asks_for_another_one(world: World):
    code = world.subscribe(decline("A126", "이미 삭제된 빌키이거나 존재하지 않은 빌키입니다"))
    world.tick()
    assert keys(world) == ["dead"]
    assert world.charges(code)[0].status == "past_due"
    world.assert_books_agree()


def test_customer_blamed_on_the_configuration_waits_visibly_beside_payers(world: World):
    blamed = world.subscribe(*[SUSPENDED] * 4, pay())
    other = world.subscribe()
    world.tick()
    world.tick()
    assert world.charges(other)[0].status == "paid"
    assert stopped(world) == []
    for command in (("status",), ("doctor", "stops")):
        said = " ".join(CliRunner().invoke(app, command, env={"COLUMNS": "400"}).output.split())
        assert "refused because of the configuration" in said
        assert blamed in said
    world.live(days=3)
    assert world.charges(blamed)[0].status == "paid"
    assert "refused because" not in CliRunner().invoke(app, ("status",)).output
    world.assert_books_agree()
