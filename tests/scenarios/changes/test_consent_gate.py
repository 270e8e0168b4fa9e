"""The consent gate, from sign-up to the sandbox's ledger: what lacks a consent is held, noted or charged."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import text

from schedules.plans import GateMode
from tests.scenarios.changes.test_prices import agree, move, new_price
from tests.scenarios.conftest import World
from tests.support.events import published
from worker import tasks
from worker.changes.price_move import PriceMove, move_prices
from worker.changes.terms_consent import agree_to_terms
from worker.domain.blockers import Blocker
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.events.types import EventType
from worker.domain.states import ConsentSource
from worker.ledger import history
from worker.operations import count_queries
from worker.operations.charge_state import charge_state
from worker.operations.explain_charge import explain_charge
from worker.sandbox.rules.behaviours import decline, pay
from worker.subscriptions import sign_up

A_DAY = timedelta(days=1)
TRIAL_ENDS = date(2026, 1, 19)
CONSENT, NOTICE, INCREASE = "consent_free_to_paid", "notice_free_to_paid", "consent_price_increase"


def in_trial(world: World, *, mode: GateMode = GateMode.STRICT, days: int = 14, **terms: str) -> str:
    """Subscribe to a plan with a trial, under a mode of the gate."""
    world.changed(consent_gate=mode)
    world.plan(trial_days=str(days), **terms)
    return world.subscribe(pay(), starts_on=world.now.date() + timedelta(days=days))


def consent(world: World, code: str, *, amount: int | None = None) -> None:
    agree_to_terms(
        world.runtime.sessions,
        code,
        amount=amount,
        wording="2026-01-ko",
        source=ConsentSource.HOST,
        now=world.now,
    )


def tell(world: World, code: str) -> None:
    """Put on record that the customer was told of their first payment, as it is planned now; no event is sent here."""
    with world.runtime.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""
            INSERT INTO notices (subscription_id, kind, about, due_at, sent_at, content)
            SELECT id, 'trial', next_charge_at, :now, :now, '{}' FROM subscriptions WHERE code = :code
            ON CONFLICT DO NOTHING"""),
            {"code": code, "now": world.now},
        )


def until(world: World, day: date) -> None:
    """Live until a day, with a tick every few days and one on that day."""
    while (left := (day - world.now.date()).days) > 0:
        world.live(days=min(left, 4), step=timedelta(days=min(left, 4)))


def lacks(world: World, code: str) -> list[tuple[str, bool, list[str] | None]]:
    return [(each.status.value, each.gate_held_since is not None, each.gate_lacks) for each in world.charges(code)]


def charged(world: World) -> int:
    return world.portone.report().charged_krw


@pytest.mark.parametrize("mode", GateMode)
@pytest.mark.parametrize(("consents", "told"), [(True, True), (True, False), (False, True), (False, False)])
def test_trial_becomes_paid_as_its_mode_says(world: World, mode: GateMode, consents: bool, told: bool):
    code = in_trial(world, mode=mode)
    until(world, date(2026, 1, 10))
    if consents:
        consent(world, code)
    if told:
        tell(world, code)
    until(world, date(2026, 1, 21))
    lacking = ([] if consents else [CONSENT]) + ([] if told else [NOTICE])
    held = bool(lacking) and mode is GateMode.STRICT
    noted = lacking if lacking and mode is not GateMode.OFF else None
    assert lacks(world, code) == [("due" if held else "paid", held, noted)]
    assert charged(world) == (0 if held else 9_900)
    assert world.subscription(code).status == ("trialing" if held else "active")
    world.assert_books_agree()
    world.assert_money_agrees()


def test_trial_that_is_told_by_its_notice_and_agreed_to_is_charged_in_time(world: World):
    code = in_trial(world, notices="trial 7")
    for _ in range(16):
        world.live(days=1, step=A_DAY)
        tasks.send_due_notices()
        if world.now.date() == date(2026, 1, 12):
            consent(world, code)
    assert lacks(world, code) == [("paid", False, None)]
    assert [row.kind for row in world.sql("SELECT kind FROM notices")] == ["trial"]
    assert charged(world) == 9_900
    world.assert_books_agree()


def test_held_charge_says_why_and_is_not_counted_as_due(world: World):
    code = in_trial(world)
    until(world, date(2026, 2, 1))
    (charge,) = world.charges(code)
    with world.runtime.sessions() as session:
        row = history.charge(session, charge.id, now=world.now)
        assert row is not None
        assert row.blocked_by == Blocker.GATE
        sentence = explain_charge(charge_state(row, history.attempts(session, charge.id)), now=world.now, shown=str)
        counts = count_queries.counts(session, now=world.now)
    assert "customer's consent to paying" in sentence
    assert "a message to the customer" in sentence
    assert f"`again charge override {charge.id} --reason`" in sentence
    assert (counts["held_by_gate"].count, counts["due"].count, counts["charged_despite_gate"].count) == (1, 0, 0)
    assert world.broken_invariants() == {}
    assert charged(world) == 0


def test_host_is_told_once_that_a_charge_is_held(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 21))
    (charge,) = world.charges(code)
    world.change(ChangeKind.OVERRIDE_GATE, charge.id)
    world.tick()
    told = [event for event in published(world.runtime.sessions) if event.type is EventType.CHARGE_HELD]
    assert [(event.data["charge"]["id"], event.data["charge"]["status"]) for event in told] == [(charge.id, "due")]
    assert charged(world) == 9_900


def test_consent_that_comes_late_releases_the_charge_at_once(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 10))
    tell(world, code)
    until(world, date(2026, 1, 25))
    assert charged(world) == 0
    consent(world, code)
    world.tick()
    assert lacks(world, code) == [("paid", False, None)]
    assert charged(world) == 9_900
    until(world, date(2026, 2, 21))
    assert charged(world) == 19_800  # the next period as ever
    world.assert_books_agree()


def test_late_message_releases_the_charge_when_its_days_are_over(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 16))
    consent(world, code)
    tell(world, code)  # three days before
    until(world, date(2026, 1, 22))
    assert charged(world) == 0
    until(world, date(2026, 1, 24))
    assert charged(world) == 9_900
    world.assert_books_agree()


def test_consent_at_sign_up_is_too_old_for_a_long_trial(world: World):
    code = in_trial(world, days=45)
    consent(world, code)
    until(world, date(2026, 2, 10))
    tell(world, code)
    until(world, date(2026, 2, 22))
    assert lacks(world, code) == [("due", True, [CONSENT])]
    consent(world, code, amount=9_900)
    world.tick()
    assert charged(world) == 9_900
    world.assert_books_agree()


def test_consent_to_another_price_than_was_shown_is_refused(world: World):
    code = in_trial(world)
    with pytest.raises(Refused, match="costs 9,900 KRW, and not 9,901 KRW") as refused:
        consent(world, code, amount=9_901)
    assert refused.value.code is RefusalCode.CHANGED
    assert world.sql("SELECT FROM consents") == []


def test_consent_of_what_is_over_or_without_a_key_is_refused(world: World):
    code = in_trial(world)
    world.change(ChangeKind.CANCEL, code, Moment.NOW)
    with pytest.raises(Refused, match="is canceled"):
        consent(world, code)
    with pytest.raises(Refused, match="There is no subscription"):
        consent(world, "0000000000009")
    world.plan("other")
    pending = sign_up.subscribe(
        world.runtime.sessions, "gildong", plan="other", key=None, max_amount=10**6, now=world.now
    )
    with pytest.raises(Refused, match="waits for its first billing key"):
        consent(world, pending.code)


@pytest.mark.parametrize(("agreed", "held"), [(date(2026, 3, 2), True), (date(2026, 3, 10), False)])
def test_price_rise_wants_a_consent_of_the_last_thirty_days(world: World, agreed: date, held: bool):
    world.changed(consent_gate=GateMode.STRICT)
    code = world.subscribe(pay())  # on the 5th
    world.tick()
    move(world, new_price(world, 12_900), on=date(2026, 4, 5))
    until(world, agreed)
    agree(world, world.sql("SELECT id FROM changes WHERE waits_for = 'consent'")[0].id)
    until(world, date(2026, 4, 7))
    last = world.charges(code)[-1]
    assert (last.amount, last.gate_lacks) == (12_900, [INCREASE] if held else None)
    assert charged(world) == 3 * 9_900 + (0 if held else 12_900)
    if held:
        consent(world, code)
        world.tick()
        assert charged(world) == 3 * 9_900 + 12_900
    until(world, date(2026, 5, 7))
    assert charged(world) == 3 * 9_900 + 2 * 12_900
    world.assert_books_agree()
    world.assert_money_agrees()


@pytest.mark.parametrize("bulk", [False, True])
def test_price_that_an_operator_says_is_agreed_to_is_a_consent_of_that_day(world: World, bulk: bool):
    world.changed(consent_gate=GateMode.STRICT)
    code = world.subscribe(pay())
    world.tick()
    version = new_price(world, 12_900)
    if bulk:
        wanted = PriceMove(plan="monthly", version=version, on=date(2026, 2, 5), is_agreed=True)
        move_prices(world.runtime.sessions, wanted, reason="x", max_amount=10**6, now=world.now, dry_run=False)
    else:
        world.change(ChangeKind.CHANGE_PRICE, code, date(2026, 2, 4), version=version, agreed=True)
    until(world, date(2026, 2, 7))
    assert lacks(world, code)[-1] == ("due", True, [INCREASE])  # 31 days before
    assert charged(world) == 9_900


def test_lower_price_and_the_end_of_a_discount_are_not_gated(world: World):
    world.changed(consent_gate=GateMode.STRICT)
    code = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.DISCOUNT, code, Moment.NOW, percent=50, periods=1)
    until(world, date(2026, 3, 7))
    move(world, new_price(world, 7_900), on=date(2026, 4, 1))
    until(world, date(2026, 4, 7))
    assert [each.amount for each in world.charges(code)] == [9_900, 4_950, 9_900, 7_900]
    assert charged(world) == 9_900 + 4_950 + 9_900 + 7_900
    world.assert_books_agree()


def test_free_month_by_discount_is_gated_when_it_ends(world: World):
    world.changed(consent_gate=GateMode.STRICT)
    code = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.DISCOUNT, code, Moment.NOW, percent=100, periods=1)
    until(world, date(2026, 3, 7))
    free, after = lacks(world, code)[1:]
    assert (free, after) == (("paid", False, None), ("due", True, [CONSENT, NOTICE]))
    assert charged(world) == 9_900
    world.assert_books_agree()


def test_override_charges_what_is_held_and_keeps_what_was_lacking(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 21))
    (charge,) = world.charges(code)
    preview = world.preview(ChangeKind.OVERRIDE_GATE, charge.id)
    assert (preview.effect.charged, preview.moves_money) == (9_900, True)
    change = world.change(ChangeKind.OVERRIDE_GATE, charge.id)
    assert (change.status.value, change.reason) == ("applied", "a story")
    world.tick()
    assert lacks(world, code) == [("paid", False, [CONSENT, NOTICE])]
    assert charged(world) == 9_900
    with pytest.raises(Refused, match="is paid already"):
        world.change(ChangeKind.OVERRIDE_GATE, charge.id)
    until(world, date(2026, 2, 21))
    assert charged(world) == 19_800  # the free time is over
    assert [row.entity for row in world.sql("SELECT entity FROM audit WHERE entity = 'change'")] != []
    world.assert_books_agree()


def test_override_of_what_the_gate_does_not_hold_is_refused(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    (charge,) = world.charges(code)
    with pytest.raises(Refused, match="The consent gate does not hold"):
        world.change(ChangeKind.OVERRIDE_GATE, charge.id)


def test_held_charge_is_not_collected_and_can_be_forgiven(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 21))
    (charge,) = world.charges(code)
    with pytest.raises(Refused, match="The consent gate holds it"):
        world.change(ChangeKind.COLLECT, charge.id)
    world.change(ChangeKind.WRITE_OFF, charge.id)
    with pytest.raises(Refused, match="The consent gate holds it"):
        world.change(ChangeKind.COLLECT, charge.id)
    world.change(ChangeKind.VOID, charge.id)
    assert charged(world) == 0
    world.assert_books_agree()


def test_periods_behind_a_held_charge_wait_and_go_on_after_the_consent(world: World):
    code = in_trial(world, max_open_charges="2")
    until(world, date(2026, 4, 25))
    assert [each.status.value for each in world.charges(code)] == ["due", "due", "void", "void"]
    assert charged(world) == 0
    assert world.broken_invariants() == {}
    consent(world, code)
    for charge in world.charges(code)[:2]:
        world.change(ChangeKind.OVERRIDE_GATE, charge.id)
    world.live(days=1)
    assert charged(world) == 2 * 9_900
    until(world, date(2026, 5, 21))
    assert charged(world) == 3 * 9_900
    world.assert_books_agree()


def test_trial_that_is_ended_now_warns_that_its_charge_is_held(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 8))
    preview = world.preview(ChangeKind.TRIAL, code, Moment.NOW, end_now=True)
    assert any("consent gate" in each.en for each in preview.effect.cautions)
    world.change(ChangeKind.TRIAL, code, Moment.NOW, end_now=True)
    world.tick()
    assert lacks(world, code) == [("due", True, [NOTICE])]  # the consent came with the request
    assert charged(world) == 0


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_charged_under_strict_without_its_consent_and_message(world: World, seed: int):
    """Random months of consents, messages, prices and ticks: judged afterwards by the payments and the records."""
    draw = Random(seed)
    world.changed(consent_gate=GateMode.STRICT)
    world.plan("trial", trial_days="14")
    codes = [world.subscribe(pay(), plan="trial", starts_on=TRIAL_ENDS) for _ in range(6)]
    for _ in range(20):
        world.live(days=3, step=3 * A_DAY)
        for code in codes:
            if draw.random() < 0.12:
                consent(world, code)
            if draw.random() < 0.25:
                tell(world, code)
    world.tick()
    first: dict[str, datetime] = {}
    for row in world.sql("""
        SELECT s.code, min(a.started_at) AS at, min(c.period_start) AS due FROM attempts a
        JOIN charges c ON c.id = a.charge_id JOIN subscriptions s ON s.id = c.subscription_id GROUP BY s.code"""):
        first[row.code] = row.at
        known = {"code": row.code, "at": row.at, "due": row.due}
        assert world.sql(
            """SELECT FROM consents t JOIN subscriptions s ON s.id = t.subscription_id WHERE s.code = :code
               AND t.agreed_at <= :at
               AND (t.agreed_at AT TIME ZONE 'Asia/Seoul')::date >= (:due AT TIME ZONE 'Asia/Seoul')::date - 30""",
            **known,
        )
        assert world.sql(
            """SELECT FROM notices n JOIN subscriptions s ON s.id = n.subscription_id WHERE s.code = :code
               AND n.about = :due
               AND (n.sent_at AT TIME ZONE 'Asia/Seoul')::date + 7 <= (:at AT TIME ZONE 'Asia/Seoul')::date""",
            **known,
        )
    assert {each.status.value for each in world.charges()} <= {"due", "paid", "void"}
    held = {code for code in codes if any(row[1] for row in lacks(world, code))}
    assert held | set(first) == set(codes)  # each is charged, or held to be seen
    world.assert_books_agree()
    world.assert_money_agrees()
