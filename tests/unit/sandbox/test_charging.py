"""Charging without a socket, step by step: with a clock moved by hand and a ledger in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.sandbox.http.endpoints import handle
from worker.sandbox.rules import billing_keys
from worker.sandbox.rules.answers import Answer, Delivery, Pause, Steps
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, slow, troubled
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.providers import Instrument, channel
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows, reports
from worker.sandbox.store.ledger import Ledger
from worker.sandbox.switches import Settings, Switches


class World:
    """A sandbox, a clock to move, and calls to make."""

    def __init__(self, **switches: Any) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        settings = Settings(seed="world", switches=Switches().changed(switches))
        self.ledger = Ledger(":memory:")
        self.sandbox = Sandbox(self.ledger, lambda: self.now, settings)

    def key(self, *story: Behaviour, uid: str = "key") -> None:
        key_rows.put(self.ledger, [BillingKey(uid, channel("kakaopay", sandbox=True), Instrument.MONEY, story)])

    def again(self, merchant_uid: str, customer_uid: str = "key") -> Steps:
        fields = {"customer_uid": customer_uid, "merchant_uid": merchant_uid, "amount": 9900}
        token = self.sandbox.grant_token().access_token
        return handle(self.sandbox, Call("POST", "/subscribe/payments/again", fields=fields, authorization=token))

    def get(self, path: str, **query: str) -> Answer:
        token = self.sandbox.grant_token().access_token
        asked = {name: [value] for name, value in query.items()}
        return self.to_the_end(handle(self.sandbox, Call("GET", path, query=asked, authorization=token)))

    def to_the_end(self, steps: Steps) -> Answer:
        for step in steps:
            if isinstance(step, Answer):
                return step
            self.now += timedelta(seconds=step.seconds)
        raise AssertionError("a request ended without an answer")

    def charges(self, merchant_uid: str) -> int:
        return reports.charges_by_merchant_uid(self.ledger).get(merchant_uid, 0)


@pytest.fixture
def world() -> Iterator[World]:
    created = World()
    yield created
    created.ledger.close()


def response(answer: Answer) -> Any:
    return json.loads(answer.body)["response"]


def test_charge_without_trouble_takes_no_time(world: World):
    world.key()
    [answer] = list(world.again("m1"))
    assert isinstance(answer, Answer)
    assert response(answer)["status"] == "paid"


def test_money_moves_between_the_two_pauses_of_a_slow_charge(world: World):
    world.key(slow(60, answer_seconds=30))
    steps = world.again("m1")
    assert next(steps) == Pause(60)
    assert world.charges("m1") == 0
    assert next(steps) == Pause(30)
    assert world.charges("m1") == 1


def test_slow_charge_lands_after_its_client_looked_it_up(world: World):
    world.key(slow(600))
    steps = world.again("m1")
    next(steps)
    assert world.get("/payments/findAll/m1").status == 404, "not found proves nothing yet"
    world.now += timedelta(seconds=600)
    next(steps)
    assert world.charges("m1") == 1


def test_latency_is_split_before_and_after_the_charge():
    world = World(latency_seconds=[2, 2])
    world.key()
    assert [step for step in world.again("m1") if isinstance(step, Pause)] == [Pause(1.0), Pause(1.0)]
    world.ledger.close()


def test_serialized_request_waits_and_then_meets_the_paid_rule(world: World):
    world.key(slow(60))
    first, second = world.again("m1"), world.again("m1")
    assert next(first) == Pause(60)
    assert isinstance(next(second), Pause)
    world.now += timedelta(seconds=60)
    assert isinstance(next(first), Answer)
    answer = world.to_the_end(second)
    assert json.loads(answer.body)["code"] == 1
    assert world.charges("m1") == 1


def test_serialized_request_is_charged_when_the_first_was_declined(world: World):
    world.key(Behaviour(verdict=decline().verdict, wait_seconds=60), Behaviour())
    first, second = world.again("m1"), world.again("m1")
    assert next(first) == Pause(60)
    assert isinstance(next(second), Pause)
    next(first)
    assert response(world.to_the_end(second))["status"] == "paid"


def test_three_serialized_requests_charge_once(world: World):
    world.key(slow(60))
    requests = [world.again("m1") for _ in range(3)]
    for each in requests:
        next(each)
    answers = [world.to_the_end(each) for each in requests]
    assert [json.loads(answer.body)["code"] for answer in answers] == [0, 1, 1]
    assert world.charges("m1") == 1


def test_two_accepted_requests_in_flight_charge_twice():
    world = World(repeated_in_flight="accept")
    world.key(slow(60))
    first, second = world.again("m1"), world.again("m1")
    next(first)
    next(second)
    world.to_the_end(first)
    world.to_the_end(second)
    assert world.charges("m1") == 2
    world.ledger.close()


def test_abandoned_request_leaves_nothing_in_flight(world: World):
    world.key(slow(60))
    abandoned = world.again("m1")
    next(abandoned)
    assert world.sandbox.is_in_flight("m1")
    del abandoned
    assert not world.sandbox.is_in_flight("m1")


def test_reset_drops_requests_in_progress_and_they_charge_nothing(world: World):
    world.key(slow(60))
    steps = world.again("m1")
    next(steps)
    world.sandbox.reset()
    answer = next(steps)
    assert isinstance(answer, Answer)
    assert answer.delivery is Delivery.DROP
    assert reports.summary(world.ledger)["charges"] == 0


@pytest.mark.parametrize(
    ("reply", "delivery"),
    [
        (Reply.HANG, Delivery.HANG),
        (Reply.DROP, Delivery.DROP),
        (Reply.RESET, Delivery.RESET),
        (Reply.CUT, Delivery.CUT),
    ],
)
def test_troubled_answer_carries_its_delivery(world: World, reply: Reply, delivery: Delivery):
    world.key(troubled(reply, charged=True))
    [answer] = list(world.again("m1"))
    assert isinstance(answer, Answer)
    assert answer.delivery is delivery
    assert world.charges("m1") == 1


def test_same_seed_and_history_give_the_same_ledger():
    def history() -> list[dict[str, Any]]:
        world = World(latency_seconds=[0, 1])
        world.key()
        for number in range(5):
            world.to_the_end(world.again(f"m{number}"))
        rows = [dict(row) for row in world.ledger.execute("SELECT * FROM payments")]
        world.ledger.close()
        return rows

    assert history() == history()


def test_key_of_every_pg_can_be_charged(world: World):
    for pg in ("kakaopay", "payco", "naverpay", "nice_v2"):
        key_rows.put(world.ledger, [billing_keys.read({"customer_uid": pg, "pg": pg}, now=0)])
        assert response(world.to_the_end(world.again(f"m{pg}", pg)))["pg_provider"] == pg
