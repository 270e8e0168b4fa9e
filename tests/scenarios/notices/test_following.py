"""What customers are told once it has happened: each fact once, by whom it concerns, and not in the night."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from tests.scenarios.conftest import World
from tests.support.notices import events, notices, tell
from worker.domain.changes import ChangeKind, Moment
from worker.sandbox.rules.behaviours import decline, pay

SEOUL = ZoneInfo("Asia/Seoul")
ALL = "declined, paid, refunded, canceled"


def test_decline_is_told_in_customers_words_and_its_payment_with_the_receipt(world: World):
    world.plan(notices=ALL)
    world.changed(account_url="https://shop.example/pay/{subscription}")
    code = world.subscribe(decline("LACK_BALANCE", "홍길동님의 잔액이 부족합니다"), pay())
    world.tick()
    tell(world)
    (declined,) = notices(world)
    body = declined.content["texts"]["ko"]["body"]
    assert "잔액이나 한도를 확인해 주세요" in body
    assert "에 다시 결제를 시도합니다" in body
    assert f"https://shop.example/pay/{code}" in body
    assert "홍길동" not in str(declined.content)
    world.live(days=2)
    tell(world)
    (_, paid) = notices(world)
    assert paid.content["receipt_url"].startswith("https://receipt.kakaopay")
    assert f"영수증: {paid.content['receipt_url']}" in paid.content["texts"]["ko"]["body"]
    assert [event.data["follows"] for event in events(world)] == [declined.source, paid.source]
    world.assert_books_agree()


def test_decline_at_night_that_is_paid_by_the_morning_is_not_told(world: World):
    world.plan(notices="declined")
    world.plan("quiet", notices="declined", dunning="none")
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), plan="quiet")
    world._clock[0] = world.now.astimezone(SEOUL).replace(hour=23).astimezone(UTC)
    world.tick()
    tell(world)
    assert notices(world) == []
    (due, also) = world.sql("SELECT due_at FROM notices ORDER BY id")
    assert due.due_at == also.due_at == world.now.astimezone(SEOUL).replace(hour=8) + timedelta(days=1)
    world.wait(hours=12)
    world.tick()
    tell(world)
    assert [each.content["texts"]["en"]["title"] for each in notices(world)] == [
        "[Plan quiet] Your payment was declined"
    ]
    assert world.sql("SELECT id FROM notices WHERE sent_at IS NULL") == []
    world.assert_books_agree()


def test_cancellation_is_told_once_with_the_day_until_which_it_is_paid(world: World):
    world.plan(notices=ALL)
    code = world.subscribe(pay())
    world.tick()
    world.wait(days=1)
    world.change(ChangeKind.CANCEL, code, Moment.NOW)
    for _ in range(3):
        tell(world)
    canceled = notices(world, "canceled")
    assert len(canceled) == 1
    assert "2026년 2월 5일까지는 계속 이용하실 수 있습니다" in canceled[0].content["texts"]["ko"]["body"]
    world.live(days=40)
    tell(world)
    assert [each.kind for each in notices(world)] == ["paid", "canceled"]
    world.assert_books_agree()


def test_plan_that_wants_no_notice_has_none(world: World):
    world.plan()
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.live(days=2)
    world.change(ChangeKind.CANCEL, code, Moment.NOW)
    tell(world)
    assert world.sql("SELECT id FROM notices") == []
    assert events(world) == []


def test_fault_of_the_merchants_contract_is_told_to_no_customer(world: World):
    world.plan(notices=ALL)
    world.subscribe(decline("INVALID_MERCHANT", "가맹점 계약이 해지되었습니다"))
    world.tick()
    tell(world)
    assert [row.decline_kind for row in world.sql("SELECT decline_kind FROM attempts")] == ["config"]
    assert notices(world) == []
