"""Whatever is done to subscriptions in whatever order: everything adds up, and previews come true."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from tests.simulation.changes import breakages
from tests.simulation.changes.any_sequence import AnySequence
from tests.simulation.changes.beginnings import BEGINNINGS
from tests.simulation.changes.office import A_DAY
from worker.domain.changes import ChangeKind, Moment

EXAMPLES, STEPS = 4, 20
BY_NAME = {each.name: each for each in BEGINNINGS}
TO_GOLD = {"plan": "gold", "quantity": None, "proration": None, "renewal": None, "anchor_day": None}
THOROUGH = 40
"""So many times more sequences are told by `make torture`."""


def test_changes_in_any_sequence_keep_every_promise(engine: Engine, thorough: bool):
    asked = settings(
        max_examples=EXAMPLES * (THOROUGH if thorough else 1),
        stateful_step_count=STEPS,
        derandomize=not thorough,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )

    class OnThisEngine(AnySequence):
        def __init__(self) -> None:
            super().__init__(engine)

    run_state_machine_as_test(OnThisEngine, settings=asked)


@pytest.fixture
def sequence(engine: Engine) -> Iterator[AnySequence]:
    """A sequence that a test tells step by step, instead of hypothesis."""
    sequence = AnySequence(engine)
    yield sequence
    sequence.teardown()


def begin(sequence: AnySequence, name: str) -> None:
    """Let two monthly subscriptions begin so, and one on another plan be possible."""
    sequence.subscribe(plans=("monthly", "monthly"), beginnings=(BY_NAME[name],) * 2)
    sequence.everything_adds_up()


def test_discount_that_takes_off_a_won_less_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.discount_a_won_less(monkeypatch)
    begin(sequence, "paid")
    sequence.discount(which=0, when=None, percent=33, amount=0, periods=1)
    sequence.everything_adds_up()
    sequence.live(days=31)
    with pytest.raises(AssertionError, match="takes off 3266 of 9900, not 3267"):
        sequence.everything_adds_up()


def test_charge_that_is_higher_than_its_preview_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.forget_unused_days_when_applied(monkeypatch)
    begin(sequence, "paid")
    sequence.live(days=8)
    sequence.change_plan(which=0, when=Moment.NOW, **TO_GOLD)
    with pytest.raises(AssertionError, match="were charged at once, and the preview said"):
        sequence.everything_adds_up()


ON_UNPAID: dict[ChangeKind, tuple[Callable[[AnySequence], None], str]] = {
    ChangeKind.VOID: (lambda s: s.void(0, unpaid=True, when=None), "void of charge .* it is past_due"),
    ChangeKind.WRITE_OFF: (lambda s: s.write_off(0, unpaid=True, when=None), "write_off of charge .* it is past_due"),
    ChangeKind.PAID_ELSEWHERE: (lambda s: s.pay_elsewhere(0, unpaid=True, when=None), "elsewhere .* it is past_due"),
    ChangeKind.POSTPONE: (lambda s: s.postpone(0, unpaid=True, until=9), "postpone of charge .* it was tried"),
    ChangeKind.COLLECT: (lambda s: s.collect(0, unpaid=True, when=None), "be collected at once, and was not tried"),
    ChangeKind.CANCEL: (lambda s: s.cancel(0, when=Moment.NOW), "is over, and charge .* is past_due"),
}
"""Acts on what is unpaid, and what is noticed of one that does nothing."""


@pytest.mark.parametrize("kind", ON_UNPAID, ids=str)
def test_act_on_what_is_unpaid_that_does_nothing_is_noticed(
    sequence: AnySequence, monkeypatch: pytest.MonkeyPatch, kind: ChangeKind
):
    act, noticed = ON_UNPAID[kind]
    breakages.say_done_and_do_nothing(monkeypatch, kind)
    begin(sequence, "dunning for days")
    act(sequence)
    sequence.office.live(3 * A_DAY)
    with pytest.raises(AssertionError, match=noticed):
        sequence.everything_adds_up()


def held_by_the_gate(sequence: AnySequence) -> int:
    """Let the trials of two subscriptions end, whose first charges the gate holds; return one of these."""
    sequence.subscribe(plans=("gated", "gated"), beginnings=(BY_NAME["paid"],) * 2)
    sequence.live(days=8)
    sequence.everything_adds_up()
    held = sequence.office.world.sql("SELECT id FROM charges WHERE gate_held_since IS NOT NULL ORDER BY id")
    assert len(held) == 2
    return int(held[-1].id)


def test_overridden_charge_is_made_and_the_other_one_waits(sequence: AnySequence):
    charge = held_by_the_gate(sequence)
    sequence.override_gate(nth=0, held=True)
    sequence.live(days=1)
    sequence.everything_adds_up()
    rows = sequence.office.world.sql("SELECT id, status FROM charges ORDER BY id")
    assert [(row.id == charge, row.status) for row in rows] == [(False, "due"), (True, "paid")]


def test_override_that_does_nothing_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.say_done_and_do_nothing(monkeypatch, ChangeKind.OVERRIDE_GATE)
    held_by_the_gate(sequence)
    sequence.override_gate(nth=0, held=True)
    with pytest.raises(AssertionError, match="was to be made in spite of the gate"):
        sequence.everything_adds_up()


def test_charge_that_is_void_before_its_outcome_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.forgive_in_flight(monkeypatch)
    begin(sequence, "answer lost")
    sequence.void(0, unpaid=True, when=None)
    sequence.live(days=1)
    with pytest.raises(AssertionError, match=r"void of charge .*: PortOne has charged it"):
        sequence.everything_adds_up()


def test_calendar_that_goes_on_when_it_is_spent_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.dun_for_ever(monkeypatch)
    with pytest.raises(AssertionError, match="was declined 8 times, and its calendar allows 5"):
        begin(sequence, "calendar spent")


def test_dead_key_that_is_charged_again_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.take_hard_declines_as_soft(monkeypatch)
    begin(sequence, "dead key")
    sequence.live(days=3)
    with pytest.raises(AssertionError, match="is dead, and was charged again"):
        sequence.everything_adds_up()


def test_unpaid_days_that_are_deducted_are_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.deduct_what_was_not_paid(monkeypatch)
    begin(sequence, "dunning for days")
    sequence.change_plan(which=0, when=Moment.NOW, **TO_GOLD)
    with pytest.raises(AssertionError, match=r"deducts unused days of charge .*, which is past_due"):
        sequence.everything_adds_up()


def test_refund_of_a_late_payment_that_is_forgotten_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.forget_refunds(monkeypatch)
    begin(sequence, "paid late")
    sequence.refund(nth=0, amount=990, by_days=False)
    with pytest.raises(AssertionError, match="9900 charged and 990 refunded"):
        sequence.everything_adds_up()


def test_price_that_rises_without_consent_is_noticed(sequence: AnySequence, monkeypatch: pytest.MonkeyPatch):
    breakages.raise_prices_without_consent(monkeypatch)
    begin(sequence, "paid")
    sequence.change_price(which=0, when=None, version=3, is_agreed=None)
    sequence.live(days=31)
    with pytest.raises(AssertionError, match=r"has raised the price of .*, and its customer has not agreed"):
        sequence.everything_adds_up()
