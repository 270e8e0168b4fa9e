"""A subscription that cannot be charged opens as many charges as its plan allows; then it waits, visibly."""

from __future__ import annotations

import pytest

from tests.scenarios.charging.test_consent import LOST_CARD, give_key, replaced, settle_all
from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.checkout import Progress
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import decline, pay


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def unpaid(world: World, *story: object, days: int, **terms: str) -> str:
    """Make a daily subscription whose first charge was declined `days` ago."""
    world.plan(cadence="day", **terms)
    code = world.subscribe(*story)  # type: ignore[arg-type]
    world.tick()
    for _ in range(days):
        world.wait(days=1)
        world.tick()
    return code


def statuses(world: World, code: str) -> list[str]:
    return [charge.status.value for charge in world.charges(code)]


@pytest.mark.parametrize(("limit", "opened"), [({}, 3), ({"max_open_charges": "1"}, 1)])
def test_subscription_with_a_dead_key_opens_as_many_charges_as_its_plan_allows(
    world: World, limit: dict[str, str], opened: int
):
    code = unpaid(world, LOST_CARD, days=6, **limit)
    assert statuses(world, code) == ["past_due", *["due"] * (opened - 1), *["void"] * (7 - opened)]
    assert world.subscription(code).waiting_since is not None
    following = world.subscription(code).next_charge_at
    assert following is not None
    assert following > world.now
    world.assert_books_agree()


def test_replaced_key_pays_the_open_charges_and_not_the_periods_that_passed(world: World, till: Till):
    code = unpaid(world, LOST_CARD, days=22)
    link = till.link(code)
    said = till.view(link)
    assert (said.owed, said.owed_periods) == (29700, 3)
    replaced(till, link)
    assert world.subscription(code).waiting_since is None
    settle_all(world)
    assert world.portone.report().charged_krw == 29700
    assert said.next_charge_at is not None
    world._clock[0] = said.next_charge_at
    world.tick()
    assert world.portone.report().charged_krw == 29700 + said.amount
    world.assert_books_agree()


def test_key_added_by_command_starts_with_the_next_period_too(world: World):
    code = unpaid(world, LOST_CARD, days=9)
    changed = give_key(world, code, owed=29700)
    assert (changed.woken, changed.amount) == (3, 29700)
    settle_all(world)
    assert world.portone.report().charged_krw == 29700
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE


def test_subscription_after_dunning_opens_as_many_charges_as_its_plan_allows(world: World):
    code = unpaid(world, decline(times=99), days=20, dunning="1")
    assert world.statuses() == {"uncollectible": 3, "void": 18}
    world.assert_books_agree()
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE


def test_payment_by_hand_opens_the_next_period_again(world: World, till: Till):
    code = unpaid(world, decline(times=3), pay(), days=20, dunning="none")
    assert world.statuses() == {"uncollectible": 3, "void": 18}
    link = till.link(charge=world.charges(code)[2].id, pg="kakaopay")
    assert till.complete(link, till.approve(till.open(link))).progress is Progress.DONE
    world.wait(days=1)
    world.tick()
    assert statuses(world, code)[-1] == "paid"
    assert world.portone.report().charged_krw == 2 * 9900
    world.assert_books_agree()


def test_outage_is_caught_up_beyond_the_limit_of_open_charges(world: World):
    world.plan(cadence="day", max_open_charges="1")
    code = world.subscribe()
    world.wait(days=8)  # no ticks
    settle_all(world)
    assert statuses(world, code) == ["paid"] * 9
    world.assert_books_agree()


def test_outage_with_a_dead_key_opens_as_many_charges_as_the_plan_allows(world: World):
    world.plan(cadence="day")
    code = world.subscribe(LOST_CARD)
    world.tick()
    world.wait(days=8)
    world.tick()
    assert statuses(world, code) == ["past_due", "due", "due", *["void"] * 6]


def test_card_without_balance_is_charged_for_as_many_periods_as_the_plan_allows(world: World):
    code = unpaid(world, decline(times=99), days=5)
    assert statuses(world, code) == ["past_due"] * 3 + ["void"] * 3
    world.assert_books_agree()
