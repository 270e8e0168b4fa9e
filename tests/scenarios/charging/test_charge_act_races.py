"""Acts on one charge beside a claim, a payment window and a look-up: in both orders, forced by the locks they take."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic, sleep
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from tests.scenarios.charging.test_charge_acts import ACTS, POOR, act, asked, given_up, only_charge
from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support.acts import POLICY
from worker import process, tasks
from worker.changes.request import request_change, request_within
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.domain.lookup_evidence import outcome_of_lookup
from worker.domain.merchant_uid import derive
from worker.domain.outcomes import Paid
from worker.domain.settlement import Settlement, settle
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger import window_attempts
from worker.ledger.claiming import claim
from worker.ledger.write_back import apply_settlements, write_back
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled

T = TypeVar("T")

ENDS = {kind: parameters for kind, parameters in ACTS.items() if kind not in {ChangeKind.COLLECT, ChangeKind.POSTPONE}}
"""The acts after which a charge is tried no more."""

each_end = pytest.mark.parametrize(("kind", "parameters"), ENDS.items(), ids=[kind.value for kind in ENDS])


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def beside(world: World, first: Callable[[Session], object], second: Callable[[], T]) -> T:
    """Let a second transaction meet a first one that has not committed; it goes on once the first one has."""
    with ThreadPoolExecutor(1) as threads:
        with world.runtime.sessions.begin() as session:
            first(session)
            other = threads.submit(second)
            _until(lambda: other.done() or _waits(world))
        return other.result()


def _waits(world: World) -> bool:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(world.sql(waiting))


def _until(reached: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not reached():
        assert monotonic() < deadline
        sleep(0.01)


def claimed_in(world: World, session: Session) -> int:
    """Claim in a transaction what is due, and return how many charges that were; nothing is sent."""
    prefix = world.runtime.settings.merchant_uid_prefix
    return len(claim(session, now=world.now, limit=9, lease=timedelta(minutes=2), prefix=prefix))


def acted_in(world: World, session: Session, kind: ChangeKind, charge: int, parameters: Any) -> None:
    request_within(session, asked(kind, charge, **parameters), policy=POLICY, now=world.now)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return str(refused.value)


# --- beside a claim ---------------------------------------------------------------------------------------------------


@each_end
def test_claim_that_meets_an_act_takes_nothing(kind: ChangeKind, parameters: Any, world: World):
    code = world.subscribe(pay())
    tasks.open_charges()
    charge = only_charge(world, code)

    def claim_beside() -> int:
        with world.runtime.sessions.begin() as session:
            return claimed_in(world, session)

    assert beside(world, lambda session: acted_in(world, session, kind, charge, parameters), claim_beside) == 0
    assert claim_beside() == 0
    world.live(days=3)
    assert world.portone.report().charges == 0
    assert world.broken_invariants() == {}


@each_end
def test_act_that_meets_a_claim_is_refused_and_the_charge_is_made_once(kind: ChangeKind, parameters: Any, world: World):
    code = world.subscribe(pay())
    tasks.open_charges()
    charge = only_charge(world, code)
    said = beside(
        world,
        lambda session: claimed_in(world, session),
        lambda: refusal(lambda: act(world, kind, charge, **parameters)),
    )
    assert "is in flight, and its outcome decides" in said
    world.live(days=2, step=timedelta(hours=1))  # the worker that claimed it is gone: it is looked up, and sent again
    assert [each.status for each in world.charges(code)] == ["paid"]
    assert world.portone.report().charges == 1
    world.assert_books_agree()


@pytest.mark.parametrize("waited", [timedelta(0), timedelta(milliseconds=1), timedelta(seconds=29)], ids=str)
def test_two_collections_at_once_make_one_charge(waited: timedelta, world: World):
    code, charge = given_up(world, pay())
    asked_at = world.now - waited  # the clock is read before the lock is waited for

    def collected() -> object:
        return request_change(world.runtime.sessions, asked(ChangeKind.COLLECT, charge), policy=POLICY, now=asked_at)

    said = beside(
        world,
        lambda session: acted_in(world, session, ChangeKind.COLLECT, charge, {}),
        lambda: refusal(collected),
    )
    assert "is due on 2026-01-05 as it is" in said
    world.tick()
    assert [each.status for each in world.charges(code)] == ["paid"]
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def test_acts_on_two_charges_of_one_subscription_end_in_no_deadlock(world: World):
    world.plan("patient", dunning="60")
    code = world.subscribe(POOR, plan="patient")
    world.live(days=32)
    older, newer = (charge.id for charge in world.charges(code))
    for first, second in ((older, newer), (newer, older)):
        _postpone_beside(world, first, second)
        world.wait(days=1)
    assert world.portone.report().charges == 0
    assert world.broken_invariants() == {}


def _postpone_beside(world: World, first: int, second: int) -> None:
    beside(
        world,
        lambda session: acted_in(world, session, ChangeKind.POSTPONE, first, _later(world)),
        lambda: act(world, ChangeKind.POSTPONE, second, **_later(world)),
    )


def _later(world: World) -> dict[str, Any]:
    return {"until": (world.now + timedelta(days=90)).date().isoformat()}


# --- beside a payment window ------------------------------------------------------------------------------------------


def opened_in(world: World, session: Session, charge_id: int) -> None:
    """Let a window open for a charge, as far as our records go, in a transaction that is not committed yet."""
    charge = window_attempts.locked_charge(session, charge_id)
    assert charge is not None
    assert charge.billing_key_id is not None
    number = (charge.last_number or 0) + 1
    prefix = world.runtime.settings.merchant_uid_prefix
    assert window_attempts.begin(
        session,
        charge,
        number=number,
        merchant_uid=derive(prefix, charge.subscription_code, charge.period_start, number),
        billing_key_id=charge.billing_key_id,
        lease=timedelta(hours=1),
        life=WINDOW_LIFE,
        now=world.now,
    )


def owing(world: World, status: str) -> tuple[str, int]:
    if status == "uncollectible":
        return given_up(world)
    code = world.subscribe(POOR)
    world.tick()
    return code, only_charge(world, code)


@pytest.mark.parametrize("status", ["past_due", "uncollectible"])
@pytest.mark.parametrize("kind", [ChangeKind.COLLECT, ChangeKind.VOID, ChangeKind.PAID_ELSEWHERE])
def test_act_that_meets_an_opening_window_is_refused(kind: ChangeKind, status: str, world: World):
    _, charge = owing(world, status)
    said = beside(
        world,
        lambda session: opened_in(world, session, charge),
        lambda: refusal(lambda: act(world, kind, charge, **ACTS[kind])),
    )
    assert "may be paying charge" in said
    assert world.portone.report().charges == 0


@pytest.mark.parametrize("status", ["past_due", "uncollectible"])
@pytest.mark.parametrize("kind", [ChangeKind.VOID, ChangeKind.PAID_ELSEWHERE])
def test_window_that_meets_an_act_does_not_open(kind: ChangeKind, status: str, world: World, till: Till):
    code, charge = owing(world, status)
    link = till.link(charge=charge, pg="kakaopay")
    said = beside(
        world,
        lambda session: acted_in(world, session, kind, charge, ACTS[kind]),
        lambda: refusal(lambda: till.agree(link, "kakaopay")),
    )
    assert said in {"This is paid already.", "This is not owed any more (void)."}
    world.live(days=3)
    assert [attempt.status for attempt in world.attempts()] == ["declined"]
    assert world.portone.report().charges == 0
    assert world.subscription(code).status == "active"
    assert world.broken_invariants() == {}


@pytest.mark.parametrize("status", ["past_due", "uncollectible"])
def test_customer_who_pays_while_the_operator_forgives_has_paid(status: str, world: World, till: Till):
    code, charge = owing(world, status)
    link = till.link(charge=charge, pg="kakaopay")
    window = till.open(link)
    for kind, parameters in ENDS.items():
        with pytest.raises(Refused, match="may be paying charge"):
            act(world, kind, charge, **parameters)
    till.complete(link, till.approve(window))
    assert "is paid already" in refusal(lambda: act(world, ChangeKind.VOID, charge))
    assert [each.status for each in world.charges(code)] == ["paid"]
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def paid_unseen(world: World, till: Till, charge: int) -> str:
    """Pay in a window at its last moment; PortOne shows it a day later, and by then it was proved unpaid."""
    world.portone.switch(window_life_seconds=86_400.0, lookup_delay_seconds=86_400.0)
    window = till.open(till.link(charge=charge, pg="kakaopay"))
    world.wait(hours=23)
    imp_uid = till.approve(window)
    world.wait(hours=2)
    world.tick()
    assert world.attempts()[-1].status == "not_charged"
    return imp_uid


@pytest.mark.parametrize(
    ("kind", "found"), [(ChangeKind.VOID, "not_owed"), (ChangeKind.PAID_ELSEWHERE, "paid_twice")], ids=lambda each: each
)
@pytest.mark.parametrize("told", ["webhook", "sweep"])
def test_old_window_that_is_paid_after_an_act_is_a_discrepancy(
    kind: ChangeKind, found: str, told: str, world: World, till: Till
):
    code, charge = owing(world, "uncollectible")
    imp_uid = paid_unseen(world, till, charge)
    act(world, kind, charge, **ACTS[kind])
    world.wait(days=1)
    if told == "webhook":
        till.receive_webhook(till.webhook(imp_uid))
        world.wait(minutes=2)
        world.tick()
    world.sweep()
    assert (found, "open") in world.discrepancies()
    (left,) = world.charges(code)
    assert (left.status, left.refunded) == ("void" if kind is ChangeKind.VOID else "paid", 0)
    assert world.portone.report().charges == 1
    assert world.broken_invariants() == {}


# --- beside a look-up -------------------------------------------------------------------------------------------------


@each_end
def test_act_while_an_answer_is_unknown_is_refused_until_the_look_up(kind: ChangeKind, parameters: Any, world: World):
    code = world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    charge = only_charge(world, code)
    assert "is in flight, and its outcome decides" in refusal(lambda: act(world, kind, charge, **parameters))
    world.wait(minutes=6)
    world.tick()
    assert "is paid already" in refusal(lambda: act(world, kind, charge, **parameters))
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def found_paid(world: World) -> Settlement:
    """Return what a look-up of the newest attempt finds at the sandbox, which is its payment, not written yet."""
    merchant_uid = world.attempts()[-1].merchant_uid
    with world.runtime.sessions() as session:
        known = window_attempts.attempt_of(session, merchant_uid)
    assert known is not None
    records = process.current().run(lambda gateway: gateway.look_up(merchant_uid))
    policy = world.runtime.policy
    outcome = outcome_of_lookup(known[0], records, now=world.now, quiet_period=policy.quiet_period, rules=policy.rules)
    assert isinstance(outcome, Paid)
    return settle(known[0], outcome, now=world.now, policy=policy)


@each_end
def test_act_that_meets_a_look_up_which_finds_it_paid_is_refused(kind: ChangeKind, parameters: Any, world: World):
    code = world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    charge, paid = only_charge(world, code), found_paid(world)
    said = beside(
        world,
        lambda session: apply_settlements(session, [paid], now=world.now),
        lambda: refusal(lambda: act(world, kind, charge, **parameters)),
    )
    assert "is paid already" in said
    assert world.portone.report().charges == 1
    world.assert_books_agree()


@pytest.mark.parametrize(
    ("kind", "found"), [(ChangeKind.VOID, "not_owed"), (ChangeKind.PAID_ELSEWHERE, "paid_twice")], ids=lambda each: each
)
def test_look_up_that_meets_an_act_and_finds_it_paid_opens_a_discrepancy(
    kind: ChangeKind, found: str, world: World, till: Till
):
    code, charge = owing(world, "uncollectible")
    paid_unseen(world, till, charge)
    world.wait(days=1)
    paid = found_paid(world)
    beside(
        world,
        lambda session: acted_in(world, session, kind, charge, ACTS[kind]),
        lambda: write_back(world.runtime.sessions, [paid], now=world.now),
    )
    assert world.discrepancies() == [(found, "open")]
    assert [each.status for each in world.charges(code)] == ["void" if kind is ChangeKind.VOID else "paid"]
    world.sweep()
    assert world.discrepancies() == [(found, "open")]
    assert world.portone.report().charges == 1
    assert world.broken_invariants() == {}


def test_hard_decline_leaves_nothing_to_collect_until_another_key(world: World):
    code = world.subscribe(decline("CC04", "분실 또는 사용불가 카드"), pay())
    world.tick()
    charge = only_charge(world, code)
    assert "`again subscription key" in refusal(lambda: act(world, ChangeKind.COLLECT, charge))
    assert world.portone.report().charges == 0
    world.assert_books_agree()
