"""A new card after months pays as many unpaid periods as its plan says: on the page, in the consent, in the ledger."""

from __future__ import annotations

import pytest

from tests.scenarios.charging.test_consent import give_key, lost_card, replaced, settle_all
from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.checkout import OwedAmountChanged, Progress
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.subscriptions import key_change
from worker.subscriptions.billing_keys import NewKey, add_key
from worker.web.pages.terms import facts_of, notes_of
from worker.web.pages.wording import Language

PRICE = 9900


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def statuses(world: World, code: str) -> list[str]:
    return [charge.status.value for charge in world.charges(code)]


@pytest.mark.parametrize(
    ("arrears", "given_up", "end"),
    [
        ("all", "uncollectible", ["paid", "paid", "paid"]),
        ("newest 2", "uncollectible", ["uncollectible", "paid", "paid"]),
        ("newest 2", "void", ["void", "paid", "paid"]),
        ("newest 1", "uncollectible", ["uncollectible", "uncollectible", "paid"]),
        ("none", "void", ["void", "void", "void"]),
        ("none", "uncollectible", ["uncollectible", "uncollectible", "uncollectible"]),
    ],
)
def test_new_key_pays_the_unpaid_periods_that_its_plan_says(
    world: World, till: Till, arrears: str, given_up: str, end: list[str]
):
    code = lost_card(world, cadence="month", periods=3, arrears=arrears, dunning_end_charges=given_up)
    link = till.link(code)
    said = till.view(link)
    paid = end.count("paid")
    assert (said.owed, said.owed_periods) == (PRICE * paid, paid)
    assert (said.given_up, len(said.given_up_periods)) == (PRICE * (3 - paid), 3 - paid)
    replaced(till, link)
    world.tick()
    settle_all(world)
    assert statuses(world, code) == end
    assert world.portone.report().charged_krw == said.owed
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    ((consent),) = world.sql("SELECT due_now, given_up FROM consents")
    starts = [charge.period_start for charge in world.charges(code)]
    listed = [each["period_start"] for each in consent.given_up]
    assert (consent.due_now, listed) == (said.owed, [start.isoformat() for start in starts[: 3 - paid]])
    world.assert_books_agree()


def test_page_says_to_the_won_what_the_new_key_is_and_is_not_charged_with(world: World, till: Till):
    code = lost_card(world, cadence="month", periods=3, arrears="newest 1")
    view = till.view(till.link(code, pg="payco"))
    facts = {fact.id: fact.text for fact in facts_of(view, "", Language.KOREAN)}
    assert facts["owed"] == "9,900원 (1회분)"
    assert facts["given-up"] == "19,800원 (2회분, 2026년 1월 5일 (월), 2026년 2월 5일 (목)에 시작한 이용 기간)"
    notes = [note.text for note in notes_of(view, Language.KOREAN)]
    assert notes[:2] == [
        "등록을 마치면 미납 요금 9,900원이 새 결제 수단으로 바로 결제됩니다.",
        "미납 요금 중 19,800원은 새 결제 수단으로 결제되지 않습니다.",
    ]
    english = {fact.id: fact.text for fact in facts_of(view, "", Language.ENGLISH)}
    assert english["given-up"].startswith("₩19,800 (2 periods that began on Mon, 5 January 2026")


def test_page_names_the_first_and_the_last_of_many_periods_given_up(world: World, till: Till):
    code = lost_card(world, cadence="day", periods=12, max_open_charges="30", arrears="none")
    view = till.view(till.link(code, pg="payco"))
    facts = {fact.id: fact.text for fact in facts_of(view, "", Language.KOREAN)}
    assert facts["given-up"] == "118,800원 (12회분, 2026년 1월 5일 (월) ~ 2026년 1월 16일 (금)에 시작한 이용 기간)"


@pytest.mark.parametrize("arrears", ["newest 1", "none"])
def test_period_that_opens_after_the_page_was_shown_shows_it_again(world: World, till: Till, arrears: str):
    code = lost_card(world, cadence="day", periods=2, arrears=arrears)
    link = till.link(code)
    shown = till.view(link)
    world.wait(days=1)
    world.tick()
    with pytest.raises(OwedAmountChanged, match="not charged to a new key by now"):
        till.agree(link, "payco", owed=shown.owed, given_up=shown.given_up)
    assert world.sql("SELECT FROM consents") == []
    now_shown = till.view(link)
    assert (now_shown.owed, now_shown.given_up) == (shown.owed, shown.given_up + PRICE)
    till.agree(link, "payco", owed=now_shown.owed, given_up=now_shown.given_up)


def test_period_that_opens_after_the_agreement_is_charged_besides_what_was_agreed(world: World, till: Till):
    world.portone.switch(window_life_seconds=86_400)
    code = lost_card(world, cadence="day", periods=2, arrears="newest 1")
    link = till.link(code)
    said = till.view(link)
    window = till.open(link, "payco")
    assert said.next_charge_at is not None
    world._clock[0] = said.next_charge_at
    world.tick()
    assert till.complete(link, till.approve(window)).progress is Progress.DONE
    settle_all(world)
    assert statuses(world, code) == ["uncollectible", "paid", "paid"]
    assert world.portone.report().charged_krw == said.owed + said.amount
    world.assert_books_agree()


def test_command_says_and_charges_what_the_plan_has_a_new_key_pay(world: World):
    code = lost_card(world, cadence="month", periods=3, arrears="newest 1", dunning_end_charges="void")
    changed = give_key(world, code, owed=PRICE)
    assert (changed.woken, changed.amount, changed.given_up) == (1, PRICE, 2 * PRICE)
    settle_all(world)
    assert statuses(world, code) == ["void", "void", "paid"]
    assert world.portone.report().charged_krw == PRICE
    world.assert_books_agree()


def test_command_is_refused_when_another_sum_is_given_up_by_then(world: World):
    code = lost_card(world, cadence="day", periods=2, arrears="newest 1")
    world.portone.create_key("by-telephone", pg="payco")
    add_key(world.runtime.sessions, NewKey(customer_uid="by-telephone", pg="payco"), now=world.now)
    world.wait(days=1)
    with pytest.raises(Refused, match="19,800 KRW are given up by now, not 9,900"):
        key_change.change_key(
            world.runtime.sessions,
            code,
            "by-telephone",
            reason="by telephone",
            max_amount=10**6,
            owed=PRICE,
            given_up=PRICE,
            now=world.now,
        )
    assert world.subscription(code).billing_key_id == 1
    assert world.statuses() == {"past_due": 1, "due": 1}


@pytest.mark.parametrize(("outcome", "end"), [("paid", "paid"), ("left", "void")])
def test_charge_in_a_window_ends_by_that_and_is_not_charged_to_the_new_key(
    world: World, till: Till, outcome: str, end: str
):
    code = lost_card(world, cadence="day", periods=2, arrears="newest 1", dunning_end_charges="void")
    by_hand = till.link(charge=world.charges(code)[0].id, pg="kakaopay")
    window = till.open(by_hand)
    link = till.link(code)
    said = till.view(link)
    assert (said.owed, said.given_up) == (PRICE, PRICE)
    replaced(till, link)
    if outcome == "paid":
        assert till.complete(by_hand, till.approve(window)).progress is Progress.DONE
    for _ in range(30):
        world.wait(hours=1)
        world.tick()
        if statuses(world, code)[0] != "charging":
            break
    world.live(days=2)
    first, second, *later = statuses(world, code)
    assert (first, second, set(later)) == (end, "paid", {"paid"})
    paid_by_key = world.portone.report().charged_krw - (PRICE if outcome == "paid" else 0)
    assert paid_by_key == PRICE * (1 + len(later))
    world.assert_books_agree()


def test_key_that_works_leaves_what_is_only_due_to_be_charged(world: World, till: Till):
    world.plan(arrears="none")
    code = world.subscribe()
    link = till.link(code)
    assert (till.view(link).owed, till.view(link).given_up) == (PRICE, 0)
    replaced(till, link)
    settle_all(world)
    assert statuses(world, code) == ["paid"]
    world.assert_books_agree()
