"""What becomes of a refund after an answer or a look-up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.attempts import POLICY, STARTED_AT, record
from worker.domain.gateway import LookUpFailed, PaymentRecord, Refund, RefundRefused
from worker.domain.outcomes import Answer
from worker.domain.refund_settlement import OpenRefund, settle_answer, settle_look_up, settle_unsent
from worker.domain.refunds import MAX_SENDS, RefundStatus

REFUND = Refund(imp_uid="imps_000000000001", amount=3000, checksum=9900, tax_free=0, reason="asked for", reference="r1")
REJECTED = RefundRefused(Answer(http_status=200, code="-1", message="취소 가능한 미정산 금액이 부족합니다"))
UNSURE = RefundRefused(Answer(http_status=200, code="-1", message="Request timeout"))
UNREACHED = RefundRefused(Answer(message="no connection"), sent=False)
LOST = LookUpFailed(Answer(message="no answer within the deadline"))
NOW = STARTED_AT + timedelta(minutes=1)


def known(**changes: Any) -> OpenRefund:
    usual = OpenRefund(
        id=1,
        refund=REFUND,
        merchant_uid="again7ZK3M9QX2VB4C20260102010000001",
        currency="KRW",
        paid=9900,
        status=RefundStatus.REQUESTED,
        sends=1,
        deferrals=0,
        sent_at=STARTED_AT,
        charge_id=17,
        change_id=None,
    )
    return replace(usual, **changes)


def shown(refunded: int = 0) -> PaymentRecord:
    return replace(record(), cancel_amount=refunded)


@pytest.mark.parametrize("answer", [shown(3000), REJECTED, UNSURE, LOST, UNREACHED])
def test_refund_that_portone_shows_is_completed_whatever_it_answered(answer: Any):
    settled = settle_answer(known(), answer, shown(3000), now=NOW, policy=POLICY)
    assert (settled.status, settled.refunded, settled.next_try_at) == (RefundStatus.COMPLETED, 3000, None)


@pytest.mark.parametrize("answer", [LOST, UNSURE])
@pytest.mark.parametrize("after", [shown(0), None])
def test_answer_that_proves_nothing_leaves_it_unclear_until_a_look_up(answer: Any, after: PaymentRecord | None):
    settled = settle_answer(known(), answer, after, now=NOW, policy=POLICY)
    assert settled.status is RefundStatus.UNCLEAR
    assert settled.next_try_at is not None
    assert settled.next_try_at > NOW
    assert not settled.flagged


@pytest.mark.parametrize("after", [shown(0), None])
def test_clear_refusal_of_the_only_request_refuses_it(after: PaymentRecord | None):
    settled = settle_answer(known(), REJECTED, after, now=NOW, policy=POLICY)
    assert (settled.status, settled.answer.message) == (RefundStatus.REFUSED, REJECTED.answer.message)


def test_clear_refusal_of_a_repetition_waits_for_the_first_request():
    repeated = known(sends=2, earlier_sent_at=STARTED_AT)
    assert settle_answer(repeated, REJECTED, shown(), now=NOW, policy=POLICY).status is RefundStatus.UNCLEAR
    later = STARTED_AT + POLICY.quiet_period
    assert settle_answer(repeated, REJECTED, shown(), now=later, policy=POLICY).status is RefundStatus.REFUSED
    assert settle_answer(repeated, REJECTED, None, now=later, policy=POLICY).status is RefundStatus.UNCLEAR


def test_request_that_could_not_leave_is_sent_again_later_and_later():
    first = settle_answer(known(), UNREACHED, shown(), now=NOW, policy=POLICY)
    assert (first.status, first.is_sent) == (RefundStatus.REQUESTED, False)
    second = settle_answer(known(deferrals=3), UNREACHED, shown(), now=NOW, policy=POLICY)
    assert first.next_try_at is not None
    assert second.next_try_at is not None
    assert second.next_try_at - NOW == 8 * (first.next_try_at - NOW)


def test_refund_of_a_review_that_could_not_leave_ends():
    settled = settle_answer(known(is_retried=False), UNREACHED, shown(), now=NOW, policy=POLICY)
    assert (settled.status, settled.is_sent) == (RefundStatus.REFUSED, False)


def test_refund_that_another_one_overtook_is_refused():
    settled = settle_answer(known(), REJECTED, shown(1000), now=NOW, policy=POLICY)
    assert (settled.status, settled.refunded) == (RefundStatus.REFUSED, 1000)
    assert "1,000 of 9,900" in settled.reason


def test_look_up_within_the_quiet_period_believes_no_absence():
    settled = settle_look_up(known(), shown(), asked_at=NOW, policy=POLICY)
    assert (settled.status, settled.send) == (RefundStatus.UNCLEAR, False)
    assert settled.next_try_at is not None
    assert settled.next_try_at <= STARTED_AT + POLICY.quiet_period


def test_absence_after_the_quiet_period_sends_it_again_and_in_the_end_refuses_it():
    quiet = STARTED_AT + POLICY.quiet_period
    assert settle_look_up(known(), shown(), asked_at=quiet, policy=POLICY).send
    last = settle_look_up(known(sends=MAX_SENDS), shown(), asked_at=quiet, policy=POLICY)
    assert (last.status, last.send) == (RefundStatus.REFUSED, False)


def test_refund_of_a_review_is_never_sent_again_by_a_tick():
    quiet, of_review = STARTED_AT + POLICY.quiet_period, known(is_retried=False)
    settled = settle_look_up(of_review, shown(), asked_at=quiet, policy=POLICY)
    assert (settled.status, settled.send) == (RefundStatus.REFUSED, False)
    assert settle_unsent(of_review).status is RefundStatus.REFUSED
    assert settle_unsent(known(sends=0, sent_at=None)).send


@pytest.mark.parametrize("finding", [LOST, None])
def test_look_ups_that_tell_nothing_end_with_an_operator(finding: LookUpFailed | None):
    early = settle_look_up(known(), finding, asked_at=NOW, policy=POLICY)
    assert (early.status, early.flagged) == (RefundStatus.UNCLEAR, False)
    late = STARTED_AT + POLICY.lookup_backoff[-1]
    last = settle_look_up(known(), finding, asked_at=late, policy=POLICY)
    assert (last.status, last.flagged, last.next_try_at) == (RefundStatus.UNCLEAR, True, None)


def test_sums_that_tell_nothing_go_to_an_operator_at_once():
    odd = replace(shown(), odd="an impossible refund")
    settled = settle_look_up(known(), odd, asked_at=NOW, policy=POLICY)
    assert (settled.status, settled.flagged) == (RefundStatus.UNCLEAR, True)
