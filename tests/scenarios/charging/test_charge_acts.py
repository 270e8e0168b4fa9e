"""Stories of acts on one charge, each with its end on the sandbox's own ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.scenarios.conftest import World
from tests.support.acts import POLICY
from worker import tasks
from worker.changes.request import ChangeRequest, RequestedChange, preview_change, request_change
from worker.domain.changes import ChangeKind, Moment, When
from worker.domain.errors import Refused
from worker.domain.previews import Preview
from worker.domain.states import ChargeStatus
from worker.sandbox.rules.behaviours import decline, pay

POOR = decline("LACK_BALANCE", "잔액이 부족합니다")
LOST = decline("CC61", "분실 신고된 카드입니다")
DAY = timedelta(days=1)


def asked(kind: ChangeKind, charge: int, when: When = Moment.NOW, **parameters: Any) -> ChangeRequest:
    return ChangeRequest(kind=kind, charge=charge, parameters=parameters, when=when, reason="the customer has called")


def act(world: World, kind: ChangeKind, charge: int, when: When = Moment.NOW, **parameters: Any) -> RequestedChange:
    request = asked(kind, charge, when, **parameters)
    return request_change(world.runtime.sessions, request, policy=POLICY, now=world.now)


def previewed(world: World, kind: ChangeKind, charge: int, when: When = Moment.NOW, **parameters: Any) -> Preview:
    request = asked(kind, charge, when, **parameters)
    return preview_change(world.runtime.sessions, request, policy=POLICY, now=world.now)


def refused(world: World, kind: ChangeKind, charge: int, when: When = Moment.NOW, **parameters: Any) -> str:
    """Return the sentence with which an act is refused, of which nothing may be left."""
    before = world.sql("SELECT c.*, s.status AS owner FROM charges c JOIN subscriptions s ON s.id = c.subscription_id")
    with pytest.raises(Refused) as refusal:
        act(world, kind, charge, when, **parameters)
    after = world.sql("SELECT c.*, s.status AS owner FROM charges c JOIN subscriptions s ON s.id = c.subscription_id")
    assert after == before
    return str(refusal.value)


def only_charge(world: World, code: str) -> int:
    (charge,) = world.charges(code)
    return charge.id


def given_up(world: World, *then: Any) -> tuple[str, int]:
    """Return a subscription whose only charge was declined once, with no calendar to try it again."""
    world.plan("once", dunning="none")
    code = world.subscribe(POOR, *then, plan="once")
    world.tick()
    assert [charge.status for charge in world.charges(code)] == ["uncollectible"]
    return code, only_charge(world, code)


def test_given_up_charge_is_collected_and_its_customer_active_again(world: World):
    code, charge = given_up(world, pay())
    assert world.subscription(code).status == "past_due"
    preview = previewed(world, ChangeKind.COLLECT, charge)
    assert (preview.effect.charged, preview.moves_money) == (9900, True)
    assert "it is given up: its dunning calendar is spent" in preview.effect.sentence.en
    act(world, ChangeKind.COLLECT, charge)
    world.tick()
    assert [each.status for each in world.charges(code)] == ["paid"]
    assert world.subscription(code).status == "active"
    world.assert_books_agree()


def test_given_up_charge_that_is_declined_once_more_is_given_up_again(world: World):
    code, charge = given_up(world, POOR)
    act(world, ChangeKind.COLLECT, charge)
    assert world.subscription(code).status == "past_due"
    world.tick()
    world.live(days=3)
    assert [(each.status, each.declines) for each in world.charges(code)] == [("uncollectible", 2)]
    assert world.paid_periods() == {}
    world.assert_books_agree()


def test_decline_of_a_charge_collected_early_uses_up_its_next_dunning_day(world: World):
    code = world.subscribe(POOR, POOR, pay())
    world.tick()
    charge = only_charge(world, code)
    preview = previewed(world, ChangeKind.COLLECT, charge)
    assert "it is tried again on 2026-01-08" in preview.effect.sentence.en  # and not on the 6th, the first of 1,3,5,7
    act(world, ChangeKind.COLLECT, charge)
    world.tick()
    world.wait(days=2)
    world.tick()
    assert [each.status for each in world.charges(code)] == ["past_due"]
    world.live(days=2)
    assert [each.status for each in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_collecting_on_a_date_waits_for_it(world: World):
    code, charge = given_up(world, pay())
    requested = act(world, ChangeKind.COLLECT, charge, date(2026, 1, 20))
    assert requested.change.status == "scheduled"
    world.live(days=14)
    tasks.apply_changes()
    assert [each.status for each in world.charges(code)] == ["uncollectible"]
    world.wait(days=1)
    tasks.apply_changes()
    world.tick()
    assert [each.status for each in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_postponed_charge_is_made_on_its_day_and_not_before(world: World):
    code = world.subscribe(POOR, pay())
    world.tick()
    charge = only_charge(world, code)
    said = act(world, ChangeKind.POSTPONE, charge, until="2026-01-25").change.preview["sentence"]["en"]
    assert "is charged on 2026-01-25, and not before" in said
    world.live(days=19)
    assert [each.status for each in world.charges(code)] == ["past_due"]
    world.live(days=2)
    assert [each.status for each in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_forgiven_charge_is_never_charged_and_its_customer_active_again(world: World):
    code = world.subscribe(POOR, pay())
    world.tick()
    requested = act(world, ChangeKind.VOID, only_charge(world, code))
    assert requested.preview is not None
    assert requested.preview.effect.no_longer_owed == 9900
    world.live(days=8)
    assert [each.status for each in world.charges(code)] == ["void"]
    assert world.subscription(code).status == "active"
    assert world.paid_periods() == {}
    world.assert_books_agree()


def test_written_off_charge_is_left_alone_until_it_is_collected(world: World):
    code = world.subscribe(POOR, pay())
    world.tick()
    charge = only_charge(world, code)
    act(world, ChangeKind.WRITE_OFF, charge)
    assert world.subscription(code).status == "active"
    world.live(days=8)
    assert world.paid_periods() == {}
    act(world, ChangeKind.COLLECT, charge)
    assert world.subscription(code).status == "past_due"
    world.tick()
    assert world.subscription(code).status == "active"
    world.assert_books_agree()


def test_charge_that_is_paid_elsewhere_is_paid_and_no_money_of_portones(world: World):
    code = world.subscribe(POOR, pay())
    world.tick()
    charge = only_charge(world, code)
    act(world, ChangeKind.PAID_ELSEWHERE, charge, reference="KB 2026-0105-77")
    world.live(days=3)
    world.sweep()
    (paid,) = world.charges(code)
    assert (paid.status, paid.paid_elsewhere) == ("paid", "KB 2026-0105-77")
    assert world.subscription(code).status == "active"
    assert world.discrepancies() == []
    assert world.paid_periods() == {}
    assert world.broken_invariants() == {}


def test_next_periods_are_charged_as_ever_after_each_act(world: World):
    acts: dict[ChangeKind, dict[str, Any]] = {
        ChangeKind.VOID: {},
        ChangeKind.WRITE_OFF: {},
        ChangeKind.PAID_ELSEWHERE: {"reference": "cash"},
    }
    codes = {kind: world.subscribe(POOR, pay()) for kind in acts}
    world.tick()
    for kind, parameters in acts.items():
        act(world, kind, only_charge(world, codes[kind]), **parameters)
    world.live(days=32)
    for code in codes.values():
        assert [each.status for each in world.charges(code)][1:] == ["paid"]
    assert sum(world.paid_periods().values()) == len(acts)
    assert world.broken_invariants() == {}


def test_what_else_was_planned_for_a_charge_ends_with_it(world: World):
    code, charge = given_up(world, pay())
    planned = act(world, ChangeKind.COLLECT, charge, date(2026, 1, 20)).change.id
    act(world, ChangeKind.VOID, charge)
    (row,) = world.sql("SELECT status, status_reason FROM changes WHERE id = :id", id=planned)
    assert row == ("superseded", "its charge is void")
    world.live(days=20)
    assert world.charges(code)[0].status == "void"


def test_asking_twice_under_one_key_does_it_once(world: World):
    _, charge = given_up(world, pay())
    request = ChangeRequest(kind=ChangeKind.COLLECT, charge=charge, reason="asked", idempotency_key="call-17")
    sessions = world.runtime.sessions
    first = request_change(sessions, request, policy=POLICY, now=world.now)
    again = request_change(sessions, request, policy=POLICY, now=world.now)
    assert (again.change.id, again.repeated) == (first.change.id, True)
    other = ChangeRequest(kind=ChangeKind.VOID, charge=charge, reason="asked", idempotency_key="call-17")
    with pytest.raises(Refused, match="stands for another request"):
        request_change(sessions, other, policy=POLICY, now=world.now)


# --- what is refused --------------------------------------------------------------------------------------------------


ACTS: dict[ChangeKind, dict[str, Any]] = {
    ChangeKind.COLLECT: {},
    ChangeKind.POSTPONE: {"until": "2026-03-01"},
    ChangeKind.VOID: {},
    ChangeKind.WRITE_OFF: {},
    ChangeKind.PAID_ELSEWHERE: {"reference": "cash"},
}


@pytest.mark.parametrize(("kind", "parameters"), ACTS.items(), ids=[kind.value for kind in ACTS])
def test_act_on_a_charge_that_is_unknown_settled_or_over_is_refused(kind: ChangeKind, parameters: Any, world: World):
    paid, canceled = world.subscribe(pay()), world.subscribe(POOR)
    world.tick()
    assert "There is no charge 999" in refused(world, kind, 999, **parameters)
    assert "is paid already" in refused(world, kind, only_charge(world, paid), **parameters)
    void = only_charge(world, canceled)
    request = ChangeRequest(kind=ChangeKind.CANCEL, subscription=canceled, when=Moment.NOW, reason="asked")
    request_change(world.runtime.sessions, request, policy=POLICY, now=world.now)
    assert "is void" in refused(world, kind, void, **parameters)


@pytest.mark.parametrize(("kind", "parameters"), ACTS.items(), ids=[kind.value for kind in ACTS])
def test_act_in_the_past_or_beyond_ten_years_is_refused(kind: ChangeKind, parameters: Any, world: World):
    _, charge = given_up(world)
    for when in (date(2026, 1, 4), date(2036, 2, 1)):
        assert "in the past or more than ten years ahead" in refused(world, kind, charge, when, **parameters)


def test_postponing_into_the_past_or_forward_or_beyond_ten_years_is_refused(world: World):
    code = world.subscribe(POOR, pay())
    world.tick()
    charge = only_charge(world, code)
    for until, sentence in {
        "2026-01-04": "in the past or more than ten years ahead",
        "2036-02-01": "in the past or more than ten years ahead",
        "2026-01-05": "at 10:00, which is past",
        "2026-01-06": "to be charged on 2026-01-06 anyway",
        "soon": "must be a date",
    }.items():
        assert sentence in refused(world, ChangeKind.POSTPONE, charge, until=until)


def test_postponing_beyond_a_planned_collection_is_refused(world: World):
    code = world.subscribe(POOR, pay())
    world.tick()
    charge = only_charge(world, code)
    act(world, ChangeKind.POSTPONE, charge, until="2026-02-01")
    planned = act(world, ChangeKind.COLLECT, charge, date(2026, 1, 20)).change.id
    said = refused(world, ChangeKind.POSTPONE, charge, until="2026-02-10")
    assert f"`again change undo {planned}`" in said


@pytest.mark.parametrize("reference", ["", "  ", "x" * 201, "two\nlines"])
def test_paid_elsewhere_needs_a_reference(reference: str, world: World):
    _, charge = given_up(world)
    assert "needs a reference" in refused(world, ChangeKind.PAID_ELSEWHERE, charge, reference=reference)


def test_charge_that_is_due_as_it_is_needs_no_collecting(world: World):
    code = world.subscribe(pay())
    tasks.open_charges()
    assert "is due on 2026-01-05 as it is" in refused(world, ChangeKind.COLLECT, only_charge(world, code))


def test_collecting_says_what_stands_in_its_way_and_what_to_do(world: World):
    code, charge = given_up(world, pay())
    obstacles = {  # each is named before those that were there already
        "INSERT INTO holds (subscription_id, status, status_reason, status_at, held_by) "
        "SELECT id, 'held', 'dispute', now(), 'me' FROM subscriptions": f"`again start --subscription {code}`",
        "UPDATE charges SET awaits_consent_since = now()": "waits for consent",
        "UPDATE billing_keys SET status = 'dead'": "`again subscription key",
        "INSERT INTO discrepancies (kind, status, status_at, merchant_uid, charge_id, evidence, found_at, seen_at) "
        "SELECT 'other_amount', 'open', now(), 'x', id, '{}', now(), now() FROM charges": "`again review show",
        "UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at, next_charge_at = NULL": (
            f"`again subscription resume {code}`"
        ),
    }
    for obstacle, remedy in obstacles.items():
        world.sql(obstacle)
        assert remedy in refused(world, ChangeKind.COLLECT, charge)


def test_what_was_given_up_is_collected_from_no_key_that_was_given_for_other_periods(world: World):
    code, charge = given_up(world, pay())
    world.sql(
        """INSERT INTO consents (subscription_id, billing_key_id, source, wording, amount, currency, cadence,
                                 next_charge_at, due_now, periods, agreed_at)
           SELECT id, billing_key_id, 'operator', '', 9900, 'KRW', 'month', next_charge_at, 0, '[]', :now
           FROM subscriptions WHERE code = :code""",
        code=code,
        now=world.now,
    )
    assert f"`again checkout link --charge {charge}`" in refused(world, ChangeKind.COLLECT, charge)
    assert world.charges(code)[0].status is ChargeStatus.UNCOLLECTIBLE


def test_charge_of_a_canceled_subscription_can_be_forgiven_but_not_collected(world: World):
    code, charge = given_up(world)
    request = ChangeRequest(kind=ChangeKind.CANCEL, subscription=code, when=Moment.NOW, reason="asked")
    request_change(world.runtime.sessions, request, policy=POLICY, now=world.now)
    assert f"`again checkout link --charge {charge}`" in refused(world, ChangeKind.COLLECT, charge)
    act(world, ChangeKind.VOID, charge)
    assert world.charges(code)[0].status == "void"


def test_collecting_while_charging_is_stopped_waits_for_the_start(world: World):
    code, charge = given_up(world, pay())
    world.sql(
        "INSERT INTO stops (scope, reason, stopped_by, stopped_at) VALUES ('all', 'x', 'me', :now)", now=world.now
    )
    requested = act(world, ChangeKind.COLLECT, charge)
    assert requested.preview is not None
    assert [each.en[:19] for each in requested.preview.effect.cautions] == ["Charging is stopped"]
    world.tick()
    assert world.paid_periods() == {}
    world.sql("DELETE FROM stops")
    world.tick()
    assert [each.status for each in world.charges(code)] == ["paid"]
    world.assert_books_agree()
