"""Which PGs a page offers: those that can take what is agreed to, now and with every later charge."""

from __future__ import annotations

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.domain.errors import Refused
from worker.subscriptions.sign_up import subscribe


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def test_pg_that_cannot_charge_the_plan_is_neither_offered_nor_taken(world: World, till: Till):
    world.changed(max_amount=9_000_000)
    world.plan("dear", amount="2500000")
    made = subscribe(world.runtime.sessions, "gildong", plan="dear", key=None, max_amount=9_000_000, now=world.now)
    code = till.link(made.code)
    assert till.view(code).pgs == ("payco",)
    with pytest.raises(Refused, match=r"^Choose how to pay: payco\.$"):
        till.agree(code, "kakaopay")
    assert world.sql("SELECT FROM billing_keys") == []
    assert till.agree(code)["pg"] == "payco.AUTOPAY", "the only one is the choice"


def test_link_whose_amount_no_pg_takes_opens_no_window(world: World, till: Till):
    code = till.link(till.pending())
    world.changed(key_channels=())
    with pytest.raises(Refused, match="please contact the shop"):
        till.agree(code, "kakaopay")
