"""Cases that only an operator can decide; each ends on the sandbox's ledger."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.scenarios.conftest import World
from tests.support.sandbox import Api, RunningSandbox
from worker import process
from worker.domain.errors import Refused
from worker.domain.gateway import Found, Gateway, LookUpFailed, PaymentRecord, Refund, RefundRefused
from worker.domain.merchant_uid import derive
from worker.domain.outcomes import Answer
from worker.portone.adapter import PortOneGateway
from worker.portone.client import PortOneClient
from worker.portone.errors import NotReached
from worker.review.case import Decision, DecisionRequest
from worker.review.decisions import plan_step
from worker.review.resolve import Resolution, ReviewService
from worker.review.step import Step
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, misrecorded, pay, troubled

LOST = troubled(Reply.DROP, charged=True)
KNOWN_AT_THE_PG = decline("", "중복된 주문번호입니다", shape=Shape.MESSAGE, recorded=False)
CANCEL = "POST /payments/cancel"


class Reviewer:
    """An operator with the command line."""

    def __init__(self, world: World, name: str = "cli kim@host") -> None:
        self._world, self._name = world, name

    def resolve(self, decision: Decision, id_: int | None = None, **options: Any) -> Resolution:
        """Look at the case, agree to the step shown, and carry it out."""
        request = DecisionRequest(decision=decision, note="as the customer asked", **options)
        discrepancy_id = self.only() if id_ is None else id_

        async def act(gateway: Gateway) -> Resolution:
            step = plan_step(await self._review(gateway).examine(discrepancy_id), request)
            return await self._review(gateway).resolve(discrepancy_id, request, agreed=step)

        return process.current().run(act)

    def agree(self, decision: Decision, **options: Any) -> Step:
        request = DecisionRequest(decision=decision, note="agreed", **options)

        async def look(gateway: Gateway) -> Step:
            return plan_step(await self._review(gateway).examine(self.only()), request)

        return process.current().run(look)

    def do(self, step: Step, **options: Any) -> Resolution:
        request = DecisionRequest(decision=step.decision, note="agreed", **options)
        discrepancy_id = self.only()

        async def act(gateway: Gateway) -> Resolution:
            return await self._review(gateway).resolve(discrepancy_id, request, agreed=step)

        return process.current().run(act)

    def only(self) -> int:
        (row,) = self._world.sql("SELECT id FROM discrepancies WHERE status = 'open'")
        return int(row.id)

    def _review(self, gateway: Gateway) -> ReviewService:
        runtime = self._world.runtime
        return ReviewService(runtime.sessions, gateway, runtime.clock, runtime.policy, self._name)


def payments(world: World, **narrowed: Any) -> list[dict[str, Any]]:
    return world.portone.payments(charged_only="true", **narrowed)


def kept(world: World) -> int:
    return world.portone.report().kept_krw


def cancels(world: World) -> int:
    return len(world.portone.requests(endpoint=CANCEL))


def decided(world: World) -> tuple[str, str | None]:
    (row,) = world.sql("SELECT status, decided_by FROM discrepancies ORDER BY id DESC LIMIT 1")
    return row.status, row.decided_by


def flagged(world: World, *story: Behaviour, sandbox: RunningSandbox, paid_again: bool = False, **key: Any) -> str:
    """Leave an attempt that look-ups cannot settle: paid twice under one merchant_uid, or paid and refunded."""
    world.portone.switch(repeated_paid="accept")
    code = world.subscribe(LOST, *story, **key)
    world.tick()
    (payment,) = payments(world)
    with Api(sandbox.base_url) as api:
        if paid_again:
            world.portone.behave(pay())
            api.paid(payment["merchant_uid"], payment["customer_uid"])
        else:
            api.post("/payments/cancel", imp_uid=payment["imp_uid"], tax_free=0)
    world.wait(minutes=6)
    world.tick()
    assert world.discrepancies() == [("unresolved", "open")]
    assert world.statuses() == {"charging": 1}
    return code


def known_at_the_pg(world: World, *then: Behaviour) -> str:
    """Leave an attempt that the PG calls a duplicate and PortOne does not know; in the end it waits for an operator."""
    code = world.subscribe(KNOWN_AT_THE_PG, *then)
    world.tick()
    for _ in range(9):
        world.wait(days=1)
        world.tick()
    assert world.discrepancies() == [("unresolved", "open")]
    return code


def paid_twice(world: World, sandbox: RunningSandbox, pg: str = "kakaopay") -> tuple[str, str]:
    """Pay a period twice under one merchant_uid; returns the payment in our records, and the other."""
    world.portone.switch(repeated_paid="accept")
    world.subscribe(pay(), pg=pg)
    world.tick()
    (payment,) = payments(world)
    with Api(sandbox.base_url) as api:
        second = api.paid(payment["merchant_uid"], payment["customer_uid"])
    world.wait(hours=1)
    world.sweep()
    assert world.discrepancies() == [("paid_twice", "open")]
    return payment["imp_uid"], second["imp_uid"]


# --- an attempt that look-ups cannot settle -------------------------------------------------------------------------


def test_flagged_attempt_is_settled_by_a_look_up_once_portone_is_clear(world: World, sandbox: RunningSandbox):
    flagged(world, sandbox=sandbox, paid_again=True)
    operator = Reviewer(world)
    with pytest.raises(Refused, match="does not settle the attempt"):
        operator.resolve(Decision.LOOK_UP)
    first, second = payments(world)
    with Api(sandbox.base_url) as api:
        api.post("/payments/cancel", imp_uid=second["imp_uid"], tax_free=0)
    resolved = operator.resolve(Decision.LOOK_UP)
    assert (resolved.is_open, resolved.charge_status) == (False, "paid")
    assert decided(world) == ("resolved", "cli kim@host")
    (attempt,) = world.attempts()
    assert (attempt.status, attempt.imp_uid, attempt.flagged_at) == ("paid", first["imp_uid"], None)
    world.live(days=3)
    assert (kept(world), len(payments(world))) == (9900, 2)


def test_one_of_two_payments_of_a_flagged_attempt_is_refunded(world: World, sandbox: RunningSandbox):
    flagged(world, sandbox=sandbox, paid_again=True)
    first, second = payments(world)
    operator = Reviewer(world)
    with pytest.raises(Refused, match="Name the payment to refund"):
        operator.resolve(Decision.REFUND)
    resolved = operator.resolve(Decision.REFUND, imp_uid=second["imp_uid"])
    assert (resolved.is_open, resolved.charge_status) == (False, "paid")
    (attempt,) = world.attempts()
    assert (attempt.status, attempt.imp_uid) == ("paid", first["imp_uid"])
    assert [charge.refunded for charge in world.charges()] == [0]
    world.sweep()
    assert kept(world) == 9900
    assert world.discrepancies() == [("unresolved", "resolved")]


def test_accepted_refunded_payment_is_never_charged_again(world: World, sandbox: RunningSandbox):
    flagged(world, pay(), sandbox=sandbox)
    Reviewer(world).resolve(Decision.ACCEPT)
    (charge,) = world.charges()
    assert (charge.status, charge.refunded) == ("paid", 9900)
    assert charge.status_reason.startswith("accept: as the customer asked")
    world.live(days=9, step=timedelta(days=1))
    world.sweep()
    assert (kept(world), world.portone.report().again_requests) == (0, 1)
    world.assert_books_agree()


def test_charge_again_with_proof_pays_the_period_exactly_once(world: World):
    known_at_the_pg(world, pay())
    resolved = Reviewer(world).resolve(Decision.CHARGE_AGAIN)
    assert resolved.charge_status == "due"
    world.tick()
    assert world.statuses() == {"paid": 1}
    assert [(attempt.status, attempt.sends) for attempt in world.attempts()] == [("paid", 2)]
    world.live(days=9, step=timedelta(days=1))
    assert (kept(world), len(payments(world))) == (9900, 1)
    world.assert_books_agree()


def test_rejection_before_a_decision_does_not_affect_the_next_send(world: World):
    known_at_the_pg(world, troubled(Reply.DROP, charged=False), pay())
    Reviewer(world).resolve(Decision.CHARGE_AGAIN)
    world.tick()  # sent, and no answer comes
    for _ in range(3):
        world.wait(minutes=31)
        world.tick()  # proved not charged, and sent once more
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_period_decided_as_not_owed_is_void_and_never_charged(world: World):
    known_at_the_pg(world, pay())
    resolved = Reviewer(world).resolve(Decision.VOID)
    assert resolved.charge_status == "void"
    assert [attempt.status for attempt in world.attempts()] == ["not_charged"]
    world.live(days=9, step=timedelta(days=1))
    assert kept(world) == 0
    world.assert_books_agree()


def test_accepted_payment_of_another_amount_is_never_charged_again(world: World, sandbox: RunningSandbox):
    code = world.subscribe(pay())
    start = world.subscription(code).next_charge_at
    assert start is not None
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, start, 1), "key-1", amount=9000)
    world.sweep()
    world.live(days=1)
    assert world.statuses() == {"due": 1}, "nobody charges it meanwhile"
    resolved = Reviewer(world).resolve(Decision.ACCEPT)
    assert "9,000 KRW, not 9,900 KRW" in resolved.sentence
    assert world.statuses() == {"paid": 1}
    world.live(days=3)
    world.sweep()
    assert world.discrepancies() == [("other_amount", "resolved")]
    assert kept(world) == 9000


def test_subscription_that_owes_nothing_is_no_longer_past_due(world: World):
    code = world.subscribe(decline("CC61", "한도초과"), KNOWN_AT_THE_PG)
    world.tick()
    for _ in range(12):
        world.wait(days=1)
        world.tick()
    assert world.subscription(code).status == "past_due"
    Reviewer(world).resolve(Decision.VOID)
    assert world.statuses() == {"void": 1}
    assert world.subscription(code).status == "active"


def test_attempt_that_is_unclear_again_is_up_for_review_again(world: World):
    known_at_the_pg(world, KNOWN_AT_THE_PG)
    Reviewer(world).resolve(Decision.CHARGE_AGAIN)
    for _ in range(10):
        world.tick()
        world.wait(days=1)
    assert world.statuses() == {"charging": 1}
    assert world.discrepancies() == [("unresolved", "open")]


def test_charge_of_a_canceled_subscription_is_void_and_cannot_be_charged_again(world: World):
    code = known_at_the_pg(world, pay())
    world.sql(
        "UPDATE subscriptions SET status = 'canceled', next_charge_at = NULL, ends_at = now() WHERE code = :code",
        code=code,
    )
    assert Reviewer(world).resolve(Decision.CHARGE_AGAIN).charge_status == "void"
    world.live(days=2)
    assert kept(world) == 0


def test_portones_current_state_beats_the_agreed_step(world: World, sandbox: RunningSandbox):
    known_at_the_pg(world, pay())
    operator = Reviewer(world)
    step = operator.agree(Decision.CHARGE_AGAIN)
    (attempt,) = world.attempts()
    world.portone.behave(pay())
    with Api(sandbox.base_url) as api:
        api.paid(attempt.merchant_uid, "key-1")
    with pytest.raises(Refused, match="PortOne shows a payment"):
        operator.do(step)
    operator.resolve(Decision.LOOK_UP)
    world.live(days=2)
    assert kept(world) == 9900
    world.assert_books_agree()


def test_only_the_agreed_step_is_carried_out(world: World, sandbox: RunningSandbox):
    _, second = paid_twice(world, sandbox)
    operator = Reviewer(world)
    step = operator.agree(Decision.REFUND)
    with Api(sandbox.base_url) as api:
        api.post("/payments/cancel", imp_uid=second, amount=900, tax_free=0)
    with pytest.raises(Refused, match="Now: 9,000 KRW"):
        operator.do(step)
    assert (kept(world), cancels(world)) == (18900, 1)


# --- a period that was paid twice -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_second_payment_under_a_merchant_uid_is_refunded(world: World, sandbox: RunningSandbox, pg: str):
    ours, second = paid_twice(world, sandbox, pg)
    resolved = Reviewer(world).resolve(Decision.REFUND)
    assert ("cannot be undone" in resolved.sentence) is (pg == "payco")
    assert {each["imp_uid"]: each["refunded"] for each in payments(world)} == {ours: 0, second: 9900}
    assert (kept(world), cancels(world)) == (9900, 1)
    assert [(charge.status, charge.refunded) for charge in world.charges()] == [("paid", 0)]
    assert [(attempt.status, attempt.imp_uid) for attempt in world.attempts()] == [("paid", ours)]
    assert decided(world) == ("resolved", "cli kim@host")
    world.wait(days=1)
    world.sweep()
    assert world.discrepancies() == [("paid_twice", "resolved")]


def test_period_paid_by_two_attempts_keeps_the_recorded_payment(world: World):
    world.plan(dunning="1")
    world.subscribe(misrecorded(), pay())
    world.tick()
    (first,) = payments(world)
    world.live(days=2)
    world.portone.correct(first["imp_uid"])
    world.wait(days=1)
    world.sweep()
    assert world.discrepancies() == [("paid_twice", "open")]
    Reviewer(world).resolve(Decision.REFUND)
    assert [each["refunded"] for each in payments(world)] == [9900, 0]
    assert kept(world) == 9900
    assert [(attempt.number, attempt.status) for attempt in world.attempts()] == [(1, "declined"), (2, "paid")]
    world.wait(days=1)
    world.sweep()
    assert world.discrepancies() == [("paid_twice", "resolved")]


def test_refund_of_the_recorded_payment_shows_on_its_charge(world: World, sandbox: RunningSandbox):
    ours, _ = paid_twice(world, sandbox)
    resolved = Reviewer(world).resolve(Decision.REFUND, imp_uid=ours)
    assert "our records count" in resolved.sentence
    assert [(charge.status, charge.refunded) for charge in world.charges()] == [("paid", 9900)]
    world.wait(days=1)
    world.sweep()
    assert world.discrepancies() == [("paid_twice", "resolved")]
    assert kept(world) == 9900


def test_second_payment_is_not_refunded_when_the_first_was_already(world: World, sandbox: RunningSandbox):
    ours, second = paid_twice(world, sandbox)
    operator = Reviewer(world)
    world.portone.cancel_in_console(ours)
    with pytest.raises(Refused, match="would leave nothing for the period"):
        operator.resolve(Decision.REFUND)
    assert (kept(world), cancels(world)) == (9900, 0)
    named = operator.resolve(Decision.REFUND, imp_uid=second)  # nothing of the period was to be kept
    assert "Nothing is left for the period then." in named.sentence
    assert (kept(world), named.is_open) == (0, False)


def test_refund_between_the_question_and_the_agreement_is_noticed(world: World, sandbox: RunningSandbox):
    ours, _ = paid_twice(world, sandbox)
    operator = Reviewer(world)
    step = operator.agree(Decision.REFUND)
    world.portone.cancel_in_console(ours)
    with pytest.raises(Refused, match="would leave nothing for the period"):
        operator.do(step)
    assert kept(world) == 9900


def test_keeping_both_payments_requires_a_note_and_stays_decided(world: World, sandbox: RunningSandbox):
    paid_twice(world, sandbox)
    Reviewer(world).resolve(Decision.ACCEPT)
    world.wait(days=1)
    world.sweep()
    assert world.discrepancies() == [("paid_twice", "resolved")]
    assert (kept(world), cancels(world)) == (19800, 0)


def test_decision_is_made_once_and_its_author_is_shown_to_the_next_operator(world: World, sandbox: RunningSandbox):
    paid_twice(world, sandbox)
    id_ = Reviewer(world).only()
    Reviewer(world).resolve(Decision.REFUND)
    with pytest.raises(Refused, match=r"is resolved since 2026-01-05 \d\d:\d\d UTC by cli kim@host: refund: as the"):
        Reviewer(world, "cli lee@host").resolve(Decision.REFUND, id_)
    assert cancels(world) == 1
    rows = world.sql("SELECT to_status, reason FROM audit WHERE entity = 'discrepancy' ORDER BY id")
    assert [row.to_status for row in rows] == ["open", "open", "resolved"]
    assert "started" in rows[1].reason


def test_first_of_two_concurrent_decisions_wins(world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch):
    paid_twice(world, sandbox)
    theirs = """UPDATE discrepancies SET status = 'resolved', decided_by = 'cli lee@host'"""
    _meanwhile(monkeypatch, world, theirs)
    with pytest.raises(Refused, match="Another process was faster"):
        Reviewer(world).resolve(Decision.ACCEPT)
    assert decided(world) == ("resolved", "cli lee@host")


def test_late_answer_beats_a_decision(world: World, monkeypatch: pytest.MonkeyPatch):
    known_at_the_pg(world, pay())
    settled = """WITH paid AS (UPDATE attempts SET status = 'paid', imp_uid = 'imps_1', flagged_at = NULL)
                 UPDATE charges SET status = 'paid', paid_at = :now"""
    _meanwhile(monkeypatch, world, settled, now=world.now)
    with pytest.raises(Refused, match="Another process was faster"):
        Reviewer(world).resolve(Decision.CHARGE_AGAIN)
    assert world.discrepancies() == [("unresolved", "open")], "nothing was written, not even the decision"
    assert world.statuses() == {"paid": 1}


# --- trouble during a refund -----------------------------------------------------------------------------------------


def test_refund_with_a_lost_answer_is_found_at_portone(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    paid_twice(world, sandbox)
    _lose_answers(monkeypatch)
    assert not Reviewer(world).resolve(Decision.REFUND).is_open
    assert (kept(world), cancels(world)) == (9900, 1)


def test_refund_that_cannot_be_verified_is_repeated_and_refunds_once(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    ours, _ = paid_twice(world, sandbox)
    operator = Reviewer(world)
    with monkeypatch.context() as lost:
        _lose_answers(lost, then_down=world)
        with pytest.raises(Refused, match="Run the same command again"):
            operator.resolve(Decision.REFUND)
    world.portone.switch(outage="none")
    assert world.discrepancies() == [("paid_twice", "open")]
    resolved = operator.resolve(Decision.REFUND)
    assert "as refunded" in resolved.sentence
    assert (kept(world), cancels(world)) == (9900, 1)
    assert [attempt.imp_uid for attempt in world.attempts()] == [ours]


def test_refund_that_never_arrived_may_be_repeated_before_any_other_decision(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    ours, second = paid_twice(world, sandbox)
    operator, other = Reviewer(world), Reviewer(world, "cli lee@host")

    async def on_its_way(_: PortOneGateway, __: Refund) -> LookUpFailed:
        return LookUpFailed(Answer(message="no answer within the deadline"))

    with monkeypatch.context() as slow:
        slow.setattr(PortOneGateway, "refund", on_its_way)
        with pytest.raises(Refused, match="not clear"):
            operator.resolve(Decision.REFUND)
    with pytest.raises(Refused, match=f"cli kim@host started to refund {second}"):
        other.resolve(Decision.REFUND, imp_uid=ours)
    with pytest.raises(Refused, match="may still be in progress"):
        other.resolve(Decision.ACCEPT)
    other.resolve(Decision.REFUND)
    assert {each["imp_uid"]: each["refunded"] for each in payments(world)} == {ours: 0, second: 9900}
    assert cancels(world) == 1


def test_first_of_two_concurrent_refunds_of_different_payments_wins(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    ours, second = paid_twice(world, sandbox)
    theirs = """UPDATE discrepancies SET evidence = evidence || jsonb_build_object('refund', jsonb_build_object(
                'imp_uid', CAST(:ours AS text), 'by', 'cli lee@host', 'at', CAST(:now AS timestamptz)))"""
    _meanwhile(monkeypatch, world, theirs, ours=ours, now=world.now)
    with pytest.raises(Refused, match="Another process was faster"):
        Reviewer(world).resolve(Decision.REFUND, imp_uid=second)
    assert cancels(world) == 0


def test_rejected_refund_changes_nothing(world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch):
    paid_twice(world, sandbox)
    operator = Reviewer(world)
    with monkeypatch.context() as refusing:
        _refuse(refusing, "취소 가능한 미정산 금액이 부족합니다")
        with pytest.raises(Refused, match="미정산 금액이 부족합니다"):
            operator.resolve(Decision.REFUND)
    assert world.discrepancies() == [("paid_twice", "open")]
    operator.resolve(Decision.ACCEPT)  # no refund is in progress
    assert kept(world) == 19800


UNSURE = [
    # rejections after which the refund may still be in progress
    "[CC98] VAN 응답 없음",
    "PG사 통신 중 오류가 발생하였습니다",
    "Request timeout",
    "[3008] 시스템 오류",  # a code that KCP's tables class as unclear
    "이미 취소된 거래입니다",
]


@pytest.mark.parametrize("message", UNSURE)
def test_unclear_rejection_keeps_the_refund_pending(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, message: str
):
    ours, second = paid_twice(world, sandbox, pg="kcp_billing")
    operator = Reviewer(world)
    with monkeypatch.context() as refusing:
        _refuse(refusing, message)
        with pytest.raises(Refused, match=f"Whether {second} was refunded is not clear .*shows 0 KRW as refunded"):
            operator.resolve(Decision.REFUND)
    for decision, named in ((Decision.ACCEPT, None), (Decision.REFUND, ours)):
        with pytest.raises(Refused, match="may still be in progress"):
            operator.resolve(decision, imp_uid=named)
    operator.resolve(Decision.REFUND)
    assert {each["imp_uid"]: each["refunded"] for each in payments(world)} == {ours: 0, second: 9900}


def test_clear_rejection_of_a_repetition_proves_nothing_about_the_first_refund(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    paid_twice(world, sandbox)
    operator = Reviewer(world)
    with monkeypatch.context() as refusing:
        for message in ("Request timeout", "취소 가능한 미정산 금액이 부족합니다"):
            _refuse(refusing, message)
            with pytest.raises(Refused):
                operator.resolve(Decision.REFUND)
    with pytest.raises(Refused, match="may still be in progress"):
        operator.resolve(Decision.ACCEPT)


def test_refund_that_was_not_sent_refunds_nothing_and_is_not_called_rejected(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    paid_twice(world, sandbox)
    operator = Reviewer(world)

    async def unreachable(*_: object, **__: object) -> PaymentRecord:
        raise NotReached(str(NotReached.__doc__))

    with monkeypatch.context() as down:
        down.setattr(PortOneClient, "cancel", unreachable)
        with pytest.raises(Refused, match=r"PortOne was not reached \(No connection.*nothing was refunded"):
            operator.resolve(Decision.REFUND)
    operator.resolve(Decision.ACCEPT)  # no refund is in progress
    assert (kept(world), cancels(world)) == (19800, 0)


@pytest.mark.parametrize("pg", ["nice", "html5_inicis", "nice_v2", "tosspay_v2"])
def test_refund_states_the_vat_that_was_stated_with_the_payment(world: World, sandbox: RunningSandbox, pg: str):
    world.portone.switch(repeated_paid="accept")
    world.plan(amount="11000", tax_free="5500", vat_amount="500")
    world.subscribe(pay(), pg=pg)
    world.tick()
    (payment,) = payments(world)
    with Api(sandbox.base_url) as api:
        twice = {"amount": 11_000, "tax_free": 5500, "vat_amount": 500}
        second = api.paid(payment["merchant_uid"], payment["customer_uid"], **twice)
    world.wait(hours=1)
    world.sweep()
    Reviewer(world).resolve(Decision.REFUND)
    back = {row["imp_uid"]: (row["tax_free_refunded"], row["vat_refunded"]) for row in payments(world)}
    assert back == {payment["imp_uid"]: (0, 0), second["imp_uid"]: (5500, 500)}
    assert kept(world) == 11_000


def test_two_concurrent_refunds_of_one_payment_refund_once(world: World, sandbox: RunningSandbox):
    paid_twice(world, sandbox)
    people = [Reviewer(world), Reviewer(world, "cli lee@host")]
    id_ = people[0].only()
    request = DecisionRequest(decision=Decision.REFUND, note="twice")

    async def both(gateway: Gateway) -> list[Any]:
        reviews = [operator._review(gateway) for operator in people]
        steps = [plan_step(await review.examine(id_), request) for review in reviews]
        calls = (review.resolve(id_, request, agreed=step) for review, step in zip(reviews, steps, strict=True))
        return await asyncio.gather(*calls, return_exceptions=True)

    ended = process.current().run(both)
    assert all(isinstance(each, Resolution | Refused) for each in ended), ended
    assert sum(isinstance(each, Resolution) for each in ended) >= 1
    assert kept(world) == 9900
    assert decided(world)[0] == "resolved"


def _meanwhile(monkeypatch: pytest.MonkeyPatch, world: World, statement: str, **parameters: Any) -> None:
    """Write something else between the last look at a discrepancy and the decision."""
    look_up, looks = PortOneGateway.look_up, iter(range(100))

    async def looked_up(self: PortOneGateway, merchant_uid: str) -> Found | LookUpFailed:
        found = await look_up(self, merchant_uid)
        if next(looks) == 1:  # the first is for the step that the operator agrees to
            world.sql(f"{statement} RETURNING 1", **parameters)
        return found

    monkeypatch.setattr(PortOneGateway, "look_up", looked_up)


def _refuse(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    """Make PortOne reject refunds with this message."""

    async def refuse(_: PortOneGateway, __: Refund) -> RefundRefused:
        return RefundRefused(Answer(http_status=200, code="1", message=message))

    monkeypatch.setattr(PortOneGateway, "refund", refuse)


def _lose_answers(monkeypatch: pytest.MonkeyPatch, *, then_down: World | None = None) -> None:
    """Make refunds arrive and their answers get lost; afterwards, PortOne may be down."""
    refund = PortOneGateway.refund

    async def lost(self: PortOneGateway, wanted: Refund) -> PaymentRecord | RefundRefused | LookUpFailed:
        assert isinstance(await refund(self, wanted), PaymentRecord)
        if then_down is not None:
            then_down.portone.switch(outage="unavailable")
        return LookUpFailed(Answer(message="no answer within the deadline"))

    monkeypatch.setattr(PortOneGateway, "refund", lost)
