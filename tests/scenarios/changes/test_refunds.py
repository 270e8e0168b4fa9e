"""Refunds of any payment, through PortOne over HTTP; each story ends on the sandbox's own ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from tests.scenarios.conftest import World
from worker import process, tasks
from worker.changes.refunds import RefundDesk, start_refund
from worker.changes.request import ChangeRequest, PreviewChanged, RequestedChange, preview_change, request_change
from worker.domain.changes import ChangeKind, ChangeStatus, WaitsFor
from worker.domain.errors import Refused
from worker.domain.gateway import Gateway
from worker.domain.previews import Preview
from worker.runtime import Runtime
from worker.sandbox.rules.behaviours import Reply, decline, pay, slow, troubled

T = TypeVar("T")


class Operator:
    """An operator with the command line, or a host with the Python call."""

    def __init__(self, world: World) -> None:
        self._world = world

    def refund(self, charge: int | None = None, *, key: str | None = None, **wanted: Any) -> RequestedChange:
        """Refund the only charge there is: whole, `amount`, or `unused_days`."""
        return self._with_desk(lambda desk: desk.refund_payment(self.request(charge, key=key, **wanted)))

    def preview(self, **wanted: Any) -> Preview:
        self._with_desk(lambda desk: desk.notice(self._only()))
        runtime = self._world.runtime
        return preview_change(
            runtime.sessions, self.request(**wanted), policy=runtime.change_policy, now=self._world.now
        )

    def approve(self, change_id: int) -> Any:
        return self._with_desk(lambda desk: desk.approve(change_id))

    def settle(self, *, completed: bool) -> Any:
        return self._with_desk(lambda desk: desk.settle_by_hand(self._only(), completed=completed, reason="as shown"))

    def request(
        self, charge: int | None = None, *, key: str | None = None, fingerprint: str | None = None, **wanted: Any
    ) -> ChangeRequest:
        return ChangeRequest(
            kind=ChangeKind.REFUND,
            charge=self._only() if charge is None else charge,
            parameters=wanted,
            reason="as the customer asked",
            idempotency_key=key,
            fingerprint=fingerprint,
        )

    def at_once(self, *requests: ChangeRequest) -> list[Any]:
        """Ask for several refunds at the same moment."""

        async def all_of(gateway: Gateway) -> list[Any]:
            desk = self._world.runtime.refund_desk(gateway)
            return await asyncio.gather(*(desk.refund_payment(each) for each in requests), return_exceptions=True)

        return process.current().run(all_of)

    def _only(self) -> int:
        (charge,) = self._world.charges()
        return charge.id

    def _with_desk(self, action: Callable[[RefundDesk], Awaitable[T]]) -> T:
        async def act(gateway: Gateway) -> T:
            return await action(self._world.runtime.refund_desk(gateway))

        return process.current().run(act)


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


def paid(world: World, *, pg: str = "kakaopay", **terms: str) -> str:
    """Subscribe, and pay the first period: 9,900 won unless the plan says otherwise."""
    world.plan(**({"amount": "9900"} | terms))
    code = world.subscribe(pay(), pg=pg)
    world.tick()
    assert world.statuses() == {"paid": 1}
    return code


def back(world: World) -> tuple[int, int, int]:
    """Return what was really refunded of the only payment: in all, free of tax, and VAT."""
    (payment,) = world.portone.payments(charged_only="true")
    return payment["refunded"], payment["tax_free_refunded"], payment["vat_refunded"]


def kept(world: World) -> int:
    return world.portone.report().kept_krw


def rows(world: World) -> list[tuple[str, int]]:
    return [(row.status, row.amount) for row in world.sql("SELECT status, amount FROM refunds ORDER BY id")]


def changes(world: World) -> list[str]:
    return [row.status for row in world.sql("SELECT status FROM changes ORDER BY id")]


@contextmanager
def acting_as(world: World, actor: str) -> Iterator[None]:
    """Let another operator act, on a connection of their own."""
    ours, url = world.runtime, world.runtime.engine.url.render_as_string(hide_password=False)
    world.runtime = Runtime.create(ours.settings, url, actor=actor, clock=ours.clock)
    world.restart_worker()
    try:
        yield
    finally:
        world.runtime = ours
        world.restart_worker()


def recheck(world: World) -> None:
    """Let the tick go on with what is open, until its look-ups and quiet periods are over."""
    for minutes in (6, 10, 20, 40):
        world.wait(minutes=minutes)
        tasks.go_on_with_refunds()


# --- how much ---------------------------------------------------------------------------------------------------------


def test_whole_payment_is_refunded_and_its_period_is_not_paid_then(world: World, operator: Operator):
    paid(world)
    requested = operator.refund()
    assert requested.change.status is ChangeStatus.APPLIED
    assert back(world)[0] == 9900
    assert rows(world) == [("completed", 9900)]
    (charge,) = world.charges()
    assert (charge.status, charge.refunded) == ("paid", 9900)
    world.sweep()
    assert world.discrepancies() == [], "PortOne and our records agree"
    assert world.broken_invariants() == {}


def test_parts_are_refunded_until_nothing_is_left(world: World, operator: Operator):
    paid(world)
    operator.refund(amount=3000)
    operator.refund(amount=2000)
    assert [charge.refunded for charge in world.charges()] == [5000]
    operator.refund()
    assert rows(world) == [("completed", 3000), ("completed", 2000), ("completed", 4900)]
    with pytest.raises(Refused, match="is refunded already: nothing of 9,900 KRW is left"):
        operator.refund()
    assert (back(world)[0], kept(world)) == (9900, 0)


def test_refund_by_days_returns_the_unused_ones_and_ends_the_paid_time(world: World, operator: Operator):
    code = paid(world, amount="31000")  # from 5 January to 5 February: 31 days
    world.wait(days=10)
    preview = operator.preview(unused_days=True)
    assert (preview.effect.refunded, preview.paid_until) == (21_000, world.now)
    operator.refund(unused_days=True)
    assert back(world)[0] == 21_000
    (row,) = world.sql("SELECT ends_at FROM refunds")
    assert row.ends_at == world.now
    assert operator_sees_paid_until(world, code) == world.now
    with pytest.raises(Refused, match="10,000 KRW of charge 1 is left"):
        operator.refund(amount=10_001)


def operator_sees_paid_until(world: World, code: str) -> Any:
    from worker.subscriptions import queries

    with world.runtime.sessions() as session:
        shown = queries.shown(session, code)
    assert shown is not None
    return shown["paid_until"]


def test_refund_by_days_after_the_period_is_refused(world: World, operator: Operator):
    paid(world)
    first = world.charges()[0].id
    world.wait(days=40)
    with pytest.raises(Refused, match="no day of it is unused"):
        operator.refund(first, unused_days=True)
    assert kept(world) == 9900


@pytest.mark.parametrize("pg", ["payco", "nice", "kcp_billing"])
def test_tax_free_part_goes_back_in_proportion_and_in_the_end_whole(world: World, operator: Operator, pg: str):
    paid(world, pg=pg, amount="10000", tax_free="3333")
    operator.refund(amount=3000)
    assert back(world)[:2] == (3000, 1000)
    operator.refund(amount=1)
    operator.refund()
    assert back(world)[:2] == (10_000, 3333)


@pytest.mark.parametrize("pg", ["html5_inicis", "nice_v2", "tosspay_v2"])
def test_vat_that_was_stated_goes_back_in_proportion_and_in_the_end_whole(world: World, operator: Operator, pg: str):
    paid(world, pg=pg, amount="11000", tax_free="5500", vat_amount="500")
    operator.refund(amount=5500)
    assert back(world) == (5500, 2750, 250)
    operator.refund()
    assert back(world) == (11_000, 5500, 500)


def test_tax_parts_can_be_stated_and_are_bounded(world: World, operator: Operator):
    paid(world, pg="payco", amount="10000", tax_free="4000")
    with pytest.raises(Refused, match=r"The tax-free part is 4,500; it can be 0 to 4,000 of 5,000"):
        operator.refund(amount=5000, tax_free=4500)
    with pytest.raises(Refused, match="works out the VAT itself"):
        operator.refund(amount=5000, vat_amount=10)
    with pytest.raises(Refused, match=r"it can be 3,500 to 4,000 of 9,500"):
        operator.refund(amount=9500, tax_free=0)
    operator.refund(amount=5000, tax_free=4000)
    assert back(world)[:2] == (5000, 4000)


# --- trouble at PortOne -----------------------------------------------------------------------------------------------


def test_lost_answer_of_a_refund_that_was_carried_out_is_found_at_once(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(troubled(Reply.DROP, charged=True), pay())
    assert operator.refund(amount=3000).change.status is ChangeStatus.APPLIED
    recheck(world)
    assert (back(world)[0], rows(world)) == (3000, [("completed", 3000)])


def test_lost_request_is_sent_again_after_the_quiet_period_and_refunds_once(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(troubled(Reply.DROP, charged=False), pay())
    requested = operator.refund(amount=3000)
    assert (requested.change.status, requested.change.waits_for) == (ChangeStatus.SCHEDULED, WaitsFor.PORTONE)
    assert rows(world) == [("unclear", 3000)]
    recheck(world)
    assert (back(world)[0], rows(world), changes(world)) == (3000, [("completed", 3000)], ["applied"])


def test_refund_that_lands_after_the_time_out_is_found_and_not_repeated(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(slow(0.0, answer_seconds=3.0), pay())
    operator.refund(amount=3000)
    recheck(world)
    assert (back(world)[0], rows(world)) == (3000, [("completed", 3000)])


def test_refund_while_portone_is_down_leaves_nothing(world: World, operator: Operator):
    paid(world)
    world.portone.switch(outage="unavailable")
    with pytest.raises(Refused, match=r"PortOne does not answer.*Try again later"):
        operator.refund(amount=3000)
    assert (rows(world), changes(world)) == ([], [])


def test_refusal_of_the_pg_is_told_and_fails_the_change(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(decline("", "취소 가능한 미정산 금액이 부족합니다"))
    with pytest.raises(Refused, match=r"nothing was refunded.*미정산 금액이 부족합니다"):
        operator.refund(amount=3000)
    assert (rows(world), changes(world), back(world)[0]) == ([("refused", 3000)], ["failed"], 0)
    world.portone.behave_cancels()
    operator.refund(amount=3000)
    assert back(world)[0] == 3000


def test_refund_asked_for_and_then_forgotten_by_a_crash_is_carried_out_by_the_tick(world: World, operator: Operator):
    paid(world)
    runtime = world.runtime
    request_change(runtime.sessions, operator.request(amount=3000), policy=runtime.change_policy, now=world.now)
    assert rows(world) == []
    tasks.go_on_with_refunds()
    assert (back(world)[0], rows(world), changes(world)) == (3000, [("completed", 3000)], ["applied"])


# --- twice ------------------------------------------------------------------------------------------------------------


def test_two_requests_under_one_key_refund_once(world: World, operator: Operator):
    paid(world)
    first = operator.refund(amount=3000, key="ticket-17")
    second = operator.refund(amount=3000, key="ticket-17")
    assert (second.change.id, second.repeated) == (first.change.id, True)
    with pytest.raises(Refused, match="stands for another request"):
        operator.refund(amount=4000, key="ticket-17")
    assert (back(world)[0], rows(world)) == (3000, [("completed", 3000)])


def test_two_operators_at_once_refund_what_one_of_them_agreed_to(world: World, operator: Operator):
    paid(world)
    agreed = operator.preview(amount=3000).fingerprint
    request = operator.request(amount=3000, fingerprint=agreed)
    ended = operator.at_once(request, request)
    done = [each for each in ended if isinstance(each, RequestedChange)]
    assert len(done) == 1, ended
    assert all(isinstance(each, RequestedChange | Refused) for each in ended), ended
    assert back(world)[0] == 3000
    with pytest.raises(PreviewChanged, match="3,000 KRW were refunded before"):
        operator.refund(amount=3000, fingerprint=agreed)


def test_open_refund_keeps_another_one_of_the_payment_out(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(troubled(Reply.DROP, charged=False), pay())
    operator.refund(amount=3000)
    with pytest.raises(Refused, match="Change 1 is a refund of charge 1 too, and waits for portone"):
        operator.refund(amount=4000)
    assert len(rows(world)) == 1


# --- above a limit ----------------------------------------------------------------------------------------------------


def test_refund_above_the_limit_waits_for_another_operator(world: World, operator: Operator):
    world.changed(refund_review_amount=5000)
    paid(world)
    requested = operator.refund(amount=5000)
    assert requested.change.waits_for is WaitsFor.APPROVAL
    assert (rows(world), back(world)[0]) == ([], 0)
    with pytest.raises(Refused, match=r"asked for by worker scenario, and must be approved by another operator"):
        operator.approve(requested.change.id)
    with acting_as(world, "cli lee@host"):
        approved = operator.approve(requested.change.id)
    assert (approved.status, approved.approved_by) == (ChangeStatus.APPLIED, "cli lee@host")
    assert back(world)[0] == 5000
    with acting_as(world, "cli lee@host"), pytest.raises(Refused, match="waits for no approval: it is applied"):
        operator.approve(requested.change.id)


def test_refund_below_the_limit_waits_for_no_operator(world: World, operator: Operator):
    world.changed(refund_review_amount=5000)
    paid(world)
    operator.refund(amount=4999)
    assert back(world)[0] == 4999


def test_refunds_in_parts_that_reach_the_limit_wait_for_another_operator(world: World, operator: Operator):
    world.changed(refund_review_amount=5000)
    paid(world)
    operator.refund(amount=3000)
    assert operator.refund(amount=1999).change.status is ChangeStatus.APPLIED, "4,999 won in all"
    last = operator.refund(amount=1)
    assert last.change.waits_for is WaitsFor.APPROVAL
    with acting_as(world, "cli lee@host"):
        operator.approve(last.change.id)
    assert operator.refund(amount=1).change.waits_for is WaitsFor.APPROVAL, "what was approved is counted too"
    assert back(world)[0] == 5000


def test_refund_that_portone_refused_does_not_count_towards_the_limit(world: World, operator: Operator):
    world.changed(refund_review_amount=5000)
    paid(world)
    world.portone.behave_cancels(decline("", "취소 가능한 미정산 금액이 부족합니다"))
    with pytest.raises(Refused):
        operator.refund(amount=4000)
    world.portone.behave_cancels(pay())
    operator.refund(amount=4000)
    assert back(world)[0] == 4000


def test_refund_in_the_console_does_not_count_towards_the_limit(world: World, operator: Operator):
    world.changed(refund_review_amount=5000)
    paid(world)
    (payment,) = world.portone.payments(charged_only="true")
    world.portone.cancel_in_console(payment["imp_uid"], amount=4000)
    operator.refund(amount=1000)
    assert back(world)[0] == 5000


def test_approval_of_what_is_no_longer_left_is_refused(world: World, operator: Operator):
    world.changed(refund_review_amount=5000)
    paid(world)
    requested = operator.refund(amount=9000)
    (payment,) = world.portone.payments(charged_only="true")
    world.portone.cancel_in_console(payment["imp_uid"], amount=2000)
    with acting_as(world, "cli lee@host"), pytest.raises(Refused, match="7,900 KRW of charge 1 is left by now"):
        operator.approve(requested.change.id)
    assert back(world)[0] == 2000


# --- in PortOne's console ---------------------------------------------------------------------------------------------


def test_refund_in_the_console_is_noticed_before_and_told_apart_from_ours(world: World, operator: Operator):
    paid(world)
    operator.refund(amount=3000)
    (payment,) = world.portone.payments(charged_only="true")
    world.portone.cancel_in_console(payment["imp_uid"], amount=900, reason="by phone")
    preview = operator.preview()
    assert preview.effect.refunded == 6000
    assert any("900 KRW of it were refunded in PortOne's console" in each.en for each in preview.effect.cautions)
    operator.refund()
    assert back(world)[0] == 9900
    world.sweep()
    assert world.discrepancies() == [("refunded_there", "repaired")]
    assert world.broken_invariants() == {}


def test_refund_in_the_console_between_agreement_and_request_is_noticed(world: World, operator: Operator):
    paid(world)
    agreed = operator.preview().fingerprint
    (payment,) = world.portone.payments(charged_only="true")
    world.portone.cancel_in_console(payment["imp_uid"], amount=900)
    with pytest.raises(PreviewChanged):
        operator.refund(fingerprint=agreed)
    assert back(world)[0] == 900


def test_refund_in_the_console_beside_one_of_ours_is_told_once_ours_has_ended(world: World, operator: Operator):
    paid(world)
    runtime = world.runtime
    asked = operator.request(amount=3000)
    change = request_change(runtime.sessions, asked, policy=runtime.change_policy, now=world.now).change
    with runtime.sessions.begin() as session:
        assert start_refund(session, change.id, now=world.now) is not None  # and its process ends here
    (payment,) = world.portone.payments(charged_only="true")
    world.portone.cancel_in_console(payment["imp_uid"], amount=900)
    world.sweep()
    assert world.discrepancies() == [], "it could be ours"
    recheck(world)
    assert (rows(world), changes(world), back(world)[0]) == ([("refused", 3000)], ["failed"], 900)
    assert [charge.refunded for charge in world.charges()] == [900]
    operator.refund(amount=3000)
    assert back(world)[0] == 3900


# --- what is refused --------------------------------------------------------------------------------------------------

WRONG = [
    ({"amount": 9901}, "9,900 KRW of charge 1 is left to refund, which is less than 9,901 KRW"),
    ({"amount": 0}, "at least 1 KRW, not 0"),
    ({"amount": -5}, "whole number of won"),
    ({"amount": 10.5}, "whole number of won"),
    ({"amount": "all"}, "whole number of won"),
    ({"amount": 10**15}, "whole number of won"),
    ({"amount": 100, "unused_days": True}, "of an amount or of the unused days"),
    ({"unused_days": "yes"}, "true or false"),
    ({"sum": 100}, "no parameter 'sum'"),
]


@pytest.mark.parametrize(("wanted", "said"), WRONG)
def test_wrong_refund_is_refused_in_a_sentence_and_changes_nothing(
    world: World, operator: Operator, wanted: dict[str, Any], said: str
):
    paid(world)
    with pytest.raises(Refused, match=said):
        operator.refund(**wanted)
    assert (rows(world), changes(world), kept(world)) == ([], [], 9900)


def test_charge_without_a_payment_cannot_be_refunded(world: World, operator: Operator):
    world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    with pytest.raises(Refused, match="is past_due, so there is no payment of it to refund"):
        operator.refund()
    with pytest.raises(Refused, match="There is no charge 4711"):
        operator.refund(4711)


def test_refund_with_a_date_is_refused(world: World, operator: Operator):
    from dataclasses import replace

    paid(world)
    late = replace(operator.request(), when=(world.now + timedelta(days=3)).date())
    with pytest.raises(Refused, match="cannot be given a date"):
        operator._with_desk(lambda desk: desk.refund_payment(late))


# --- an operator decides ----------------------------------------------------------------------------------------------


def test_refund_that_no_look_up_settles_waits_for_an_operator_and_is_settled_by_hand(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(troubled(Reply.DROP, charged=False), pay())
    operator.refund(amount=3000)
    with pytest.raises(Refused, match="is looked up by itself"):
        operator.settle(completed=False)
    world.portone.switch(outage="unavailable")
    for _ in range(12):
        world.wait(days=1)
        tasks.go_on_with_refunds()
    (row,) = world.sql("SELECT status, flagged_at FROM refunds")
    assert row.status == "unclear"
    assert row.flagged_at is not None
    operator.settle(completed=False)
    assert (rows(world), changes(world)) == ([("refused", 3000)], ["failed"])
    world.portone.switch(outage="none")
    assert back(world)[0] == 0


def test_settled_refund_is_not_settled_by_hand(world: World, operator: Operator):
    paid(world)
    world.portone.behave_cancels(troubled(Reply.DROP, charged=True), pay())
    operator.refund(amount=3000)
    assert rows(world) == [("completed", 3000)]
    with pytest.raises(Refused, match="has no open refund"):
        operator.settle(completed=False)
