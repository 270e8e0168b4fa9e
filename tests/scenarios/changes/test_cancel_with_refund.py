"""Canceling with a refund in one: by unused days, or whole; each story ends on the sandbox's own ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.scenarios.changes.test_refunds import Operator, acting_as, back, kept, paid, recheck, rows
from tests.scenarios.conftest import World
from worker import process, tasks
from worker.changes.cancelling import cancel_and_refund, refund_of
from worker.changes.request import ChangeRequest, PreviewChanged, RequestedChange, preview_change, request_change
from worker.domain.changes import ChangeKind, ChangeStatus, Moment, WaitsFor
from worker.domain.errors import Refused
from worker.domain.gateway import Gateway
from worker.domain.previews import Preview
from worker.ledger.changes import Change
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled
from worker.subscriptions import queries

A_DAY = timedelta(days=1)


def asked(code: str, refund: str, when: Any = Moment.NOW, **more: Any) -> ChangeRequest:
    parameters = {"refund": refund}
    return ChangeRequest(
        kind=ChangeKind.CANCEL, subscription=code, parameters=parameters, when=when, reason="moved away", **more
    )


def cancel(world: World, request: ChangeRequest) -> RequestedChange:
    """Cancel and refund as the command does."""

    async def act(gateway: Gateway) -> RequestedChange:
        return await cancel_and_refund(world.runtime.refund_desk(gateway), request)

    return process.current().run(act)


def preview(world: World, request: ChangeRequest) -> Preview:
    runtime = world.runtime
    return preview_change(runtime.sessions, request, policy=runtime.change_policy, now=world.now)


def its_refund(world: World, cancellation: Change) -> Change:
    found = refund_of(world.runtime.sessions, cancellation.id)
    assert found is not None
    return found


def paid_until(world: World, code: str) -> Any:
    with world.runtime.sessions() as session:
        shown = queries.shown(session, code)
    assert shown is not None
    return shown["paid_until"]


def kinds(world: World) -> list[tuple[str, str]]:
    return [(row.kind, row.status) for row in world.sql("SELECT kind, status FROM changes ORDER BY id")]


def test_unused_days_are_refunded_to_the_won_and_the_paid_time_ends_today(world: World):
    code = paid(world, amount="31000")  # from 5 January to 5 February: 31 days
    world.wait(days=10)
    request = asked(code, "unused-days")
    shown = preview(world, request)
    assert (shown.effect.refunded, shown.paid_until, shown.periods, shown.moves_money) == (21_000, world.now, (), True)
    assert "is canceled on 2026-01-15" in shown.effect.sentence.en
    assert "21,000 KRW of the 31,000 KRW of charge 1" in shown.effect.sentence.en
    assert "이용하실 수 있습니다" in shown.effect.sentence.ko
    requested = cancel(world, replace(request, fingerprint=shown.fingerprint))
    assert requested.change.status is ChangeStatus.APPLIED
    assert its_refund(world, requested.change).status is ChangeStatus.APPLIED
    assert paid_until(world, code) == world.now
    world.live(days=60, step=A_DAY)
    assert (back(world)[0], kept(world), rows(world)) == (21_000, 10_000, [("completed", 21_000)])
    world.assert_books_agree()
    world.assert_money_agrees()


def test_whole_payment_is_refunded_with_its_tax_free_part(world: World):
    code = paid(world, pg="nice", amount="10000", tax_free="3333")
    world.wait(days=10)
    cancel(world, asked(code, "all"))
    assert (back(world)[:2], kept(world)) == ((10_000, 3333), 0)
    assert paid_until(world, code) is None
    world.live(days=40, step=A_DAY)
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()
    world.assert_money_agrees()


def test_crash_between_cancellation_and_refund_is_made_up_for_by_the_tick(world: World):
    code, runtime = paid(world, amount="31000"), world.runtime
    world.wait(days=10)
    request = asked(code, "unused-days")
    change = request_change(runtime.sessions, request, policy=runtime.change_policy, now=world.now).change
    assert kinds(world) == [("cancel", "applied"), ("refund", "scheduled")]
    assert (rows(world), kept(world)) == ([], 31_000)
    world.wait(days=2)
    tasks.go_on_with_refunds()
    tasks.go_on_with_refunds()
    assert its_refund(world, change).status is ChangeStatus.APPLIED
    assert (back(world)[0], rows(world)) == (21_000, [("completed", 21_000)])
    assert paid_until(world, code) == change.effective_at
    world.assert_money_agrees()


@pytest.mark.parametrize("carried_out", [True, False])
def test_lost_answer_refunds_once(world: World, carried_out: bool):
    code = paid(world, amount="31000")
    world.wait(days=10)
    world.portone.behave_cancels(troubled(Reply.DROP, charged=carried_out), pay())
    cancel(world, asked(code, "unused-days", idempotency_key="ticket-17"))
    again = cancel(world, asked(code, "unused-days", idempotency_key="ticket-17"))
    assert again.repeated
    recheck(world)
    assert (back(world)[0], rows(world)) == (21_000, [("completed", 21_000)])
    assert kinds(world) == [("cancel", "applied"), ("refund", "applied")]
    world.assert_money_agrees()


def test_one_key_cancels_and_refunds_once_and_stands_for_no_other_request(world: World):
    code = paid(world)
    first = cancel(world, asked(code, "all", idempotency_key="ticket-17"))
    second = cancel(world, asked(code, "all", idempotency_key="ticket-17"))
    assert (second.change.id, second.repeated) == (first.change.id, True)
    with pytest.raises(Refused, match="stands for another request"):
        cancel(world, asked(code, "unused-days", idempotency_key="ticket-17"))
    assert (back(world)[0], len(rows(world))) == (9900, 1)


def test_refund_the_pg_refuses_leaves_the_subscription_canceled_and_says_why(world: World):
    code = paid(world)
    world.portone.behave_cancels(decline("", "취소 가능한 미정산 금액이 부족합니다"))
    requested = cancel(world, asked(code, "all"))
    refund = its_refund(world, requested.change)
    assert (requested.change.status, refund.status) == (ChangeStatus.APPLIED, ChangeStatus.FAILED)
    assert "미정산 금액이 부족합니다" in refund.status_reason
    assert (rows(world), kept(world)) == ([("refused", 9900)], 9900)
    assert paid_until(world, code) == world.charges()[0].period_end


def test_refund_above_the_limit_waits_for_another_operator_beside_its_cancellation(world: World):
    world.changed(refund_review_amount=5000)
    code = paid(world)
    requested = cancel(world, asked(code, "all"))
    refund = its_refund(world, requested.change)
    assert (requested.change.status, refund.waits_for) == (ChangeStatus.APPLIED, WaitsFor.APPROVAL)
    assert refund.requested_by == requested.change.requested_by
    assert (world.subscription(code).status, kept(world)) == ("canceled", 9900)

    async def approve(gateway: Gateway) -> Change:
        return await world.runtime.refund_desk(gateway).approve(refund.id)

    with pytest.raises(Refused, match="must be approved by another operator"):
        process.current().run(approve)
    with acting_as(world, "cli lee@host"):
        assert process.current().run(approve).status is ChangeStatus.APPLIED
    assert (back(world)[0], kept(world)) == (9900, 0)
    world.assert_money_agrees()


def test_refund_with_a_cancellation_counts_what_was_refunded_before(world: World):
    world.changed(refund_review_amount=9900)
    code = paid(world)
    Operator(world).refund(amount=3000)
    refund = its_refund(world, cancel(world, asked(code, "all")).change)
    assert (refund.waits_for, kept(world)) == (WaitsFor.APPROVAL, 6900)


def test_refund_in_the_console_after_the_agreement_is_noticed_and_nothing_is_done(world: World):
    code = paid(world)
    request = asked(code, "all")
    agreed = preview(world, request).fingerprint
    (payment,) = world.portone.payments(charged_only="true")
    world.portone.cancel_in_console(payment["imp_uid"], amount=900)
    with pytest.raises(PreviewChanged):
        cancel(world, replace(request, fingerprint=agreed))
    assert (world.subscription(code).status, kinds(world), back(world)[0]) == ("active", [], 900)
    cancel(world, request)
    assert back(world)[0] == 9900


def refused(world: World, request: ChangeRequest, said: str) -> None:
    """Check that the preview and the act are refused in the same words, and that nothing is changed."""
    before = (kinds(world), kept(world), world.subscription(request.subscription or "").status)
    with pytest.raises(Refused, match=said):
        preview(world, request)
    with pytest.raises(Refused, match=said):
        cancel(world, request)
    assert (kinds(world), kept(world), world.subscription(request.subscription or "").status) == before


@pytest.mark.parametrize("when", [None, Moment.PERIOD_END, "date"])
def test_refund_with_a_cancellation_planned_ahead_is_refused(world: World, when: Any):
    code = paid(world)
    later = (world.now + 9 * A_DAY).date() if when == "date" else when
    refused(world, asked(code, "unused-days", later), "made at once, not on 2026-0.*give --at now")


def test_refund_of_a_period_that_is_not_paid_is_refused(world: World):
    unpaid = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.tick()
    refused(world, asked(unpaid, "all"), "is past_due, so there is no payment of it to refund")


def test_refund_before_the_first_period_is_refused(world: World):
    code = world.subscribe(pay(), starts_on=(world.now + 20 * A_DAY).date())
    refused(world, asked(code, "all"), "No period of subscription .* is paid now: cancel it without a refund")


def test_refund_beside_an_open_one_of_the_payment_is_refused(world: World):
    code, runtime = paid(world), world.runtime
    (charge,) = world.charges()
    other = ChangeRequest(kind=ChangeKind.REFUND, charge=charge.id, parameters={"amount": 3000}, reason="late")
    request_change(runtime.sessions, other, policy=runtime.change_policy, now=world.now)
    refused(world, asked(code, "all"), "Change 1 is a refund of charge 1 too, and waits for portone")
    tasks.go_on_with_refunds()
    cancel(world, asked(code, "all"))
    assert rows(world) == [("completed", 3000), ("completed", 6900)]


@pytest.mark.parametrize("word", ["half", "", "ALL", 3000, True, ["all"]])
def test_refund_by_another_word_is_refused(world: World, word: Any):
    code = paid(world)
    refused(world, asked(code, word), "it is unused-days, all or none")
