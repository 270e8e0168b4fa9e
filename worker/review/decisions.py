"""Which decisions a discrepancy allows now, and what each would do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.domain.attempt import Attempt
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus, refunded
from worker.domain.errors import Refused
from worker.domain.gateway import LookUpFailed, PaymentRecord
from worker.domain.lookup_evidence import answer_of, outcome_of_lookup
from worker.domain.outcomes import Declined, NotCharged, NotChargedReason, Outcome, Paid, Unknown
from worker.domain.payment_time import can_be_paid_at
from worker.domain.states import CLAIMABLE_CHARGES, ChargeStatus
from worker.review.case import Case, ChargeFacts, Decision, DecisionRequest, money
from worker.review.refund_policy import refund_step
from worker.review.step import ChargeEffect, Step


def decisions_for(kind: DiscrepancyKind) -> tuple[Decision, ...]:
    """Return the decisions that a kind of discrepancy allows; `plan_step` tells whether one is possible now."""
    return tuple(Decision) if kind is DiscrepancyKind.UNRESOLVED else (Decision.ACCEPT, Decision.REFUND)


@dataclass(frozen=True, slots=True)
class DecisionPreview:
    """What one decision would do now, or why it is not possible."""

    decision: Decision
    possible: bool
    moves_money: bool
    sentence: str


def preview_decisions(case: Case) -> list[DecisionPreview]:
    """Return what each decision that a discrepancy allows would do."""
    return [_preview(case, decision) for decision in decisions_for(case.kind)]


def _preview(case: Case, decision: Decision) -> DecisionPreview:
    try:
        step = plan_step(case, DecisionRequest(decision=decision))
    except Refused as refused:
        return DecisionPreview(decision, possible=False, moves_money=False, sentence=str(refused))
    return DecisionPreview(decision, possible=True, moves_money=step.moves_money, sentence=step.sentence)


def plan_step(case: Case, request: DecisionRequest) -> Step:
    """Return what a decision would do, given what PortOne shows now. Raises Refused with the reason why it cannot."""
    _require_open(case)
    if request.decision not in decisions_for(case.kind):
        allowed = " or ".join(decisions_for(case.kind))
        raise Refused(f"{request.decision} is for unresolved attempts only. Here you can decide {allowed}.")
    _require_fitting(request)
    started = case.refund_in_progress
    if started and (request.decision is not Decision.REFUND or (request.imp_uid or case.imp_uid) != started.imp_uid):
        raise Refused(
            f"{started.by} started to refund {started.imp_uid} at {started.at:%H:%M} UTC, and it may still be in "
            f"progress. Repeat that refund, or wait until {started.at + case.quiet_period:%H:%M} UTC."
        )
    return _STEPS[request.decision](case, request)


def _require_open(case: Case) -> None:
    if case.status is not DiscrepancyStatus.OPEN:
        by = f" by {case.decided_by}" if case.decided_by else ""
        raise Refused(
            f"Discrepancy {case.id} is {case.status} since {case.status_at:%Y-%m-%d %H:%M} UTC{by}:"
            f" {case.status_reason}"
        )


def _require_fitting(request: DecisionRequest) -> None:
    if request.imp_uid is not None and request.decision not in {Decision.REFUND, Decision.ACCEPT}:
        raise Refused(f"{request.decision} is not about one payment; leave out --imp-uid.")
    for name, amount in (("--tax-free", request.tax_free), ("--vat-amount", request.vat_amount)):
        if amount is not None and request.decision is not Decision.REFUND:
            raise Refused(f"{request.decision} refunds nothing; leave out {name}.")


def _look_up(case: Case, _: DecisionRequest) -> Step:
    attempt = _unresolved(case)
    _require_answer(case)
    outcome = outcome_of_lookup(
        attempt, case.finding, now=case.asked_at, quiet_period=case.quiet_period, rules=case.rules
    )
    effect = ChargeEffect(charge_id=attempt.charge.id, becomes=None)
    match outcome:
        case Paid():
            effect = _becomes_paid(attempt.charge.id)
            sentence = f"PortOne shows one payment ({outcome.answer.imp_uid}): charge {attempt.charge.id} becomes paid."
        case Declined():
            sentence = (
                f"It was declined ({outcome.kind}): charge {attempt.charge.id} continues on its dunning calendar."
            )
        case NotCharged():
            effect = _is_due_again(attempt)
            sentence = f"PortOne shows no payment, and the quiet period is over: {_charged_again(attempt)}"
        case Unknown():
            raise Refused(f"What PortOne shows does not settle the attempt ({outcome.reason}).")
    moves_money = isinstance(outcome, NotCharged)
    return Step(decision=Decision.LOOK_UP, sentence=sentence, moves_money=moves_money, charge=effect, outcome=outcome)


def _accept(case: Case, request: DecisionRequest) -> Step:
    if case.attempt is not None and case.kind is DiscrepancyKind.UNRESOLVED:
        return _accept_payment(case, case.attempt, request.imp_uid)
    if request.imp_uid is not None:
        raise Refused("Accepting this discrepancy picks no payment; leave out --imp-uid.")
    charge = case.charge
    if charge is not None and case.kind is DiscrepancyKind.OTHER_AMOUNT and charge.status in CLAIMABLE_CHARGES:
        return _accept_amount(case, charge)
    sentence = "Our records and PortOne stay as they are; your note resolves the discrepancy."
    if charge is None or charge.status not in CLAIMABLE_CHARGES:
        return Step(decision=Decision.ACCEPT, sentence=sentence)
    sentence += f" Charge {charge.id} stays {charge.status} and will be charged when its time comes."
    effect = ChargeEffect(charge_id=charge.id, becomes=None, status=charge.status)
    return Step(decision=Decision.ACCEPT, sentence=sentence, charge=effect)


def _accept_amount(case: Case, charge: ChargeFacts) -> Step:
    """Let a payment of another amount pay the charge, so that the customer is not charged on top of it."""
    _require_answer(case)
    record = _accepted(case, case.imp_uid)
    paid, owed = money(record.amount, record.currency), money(charge.amount, charge.currency)
    sentence = f"Charge {charge.id} becomes paid by {record.imp_uid}: {paid}, not {owed}."
    if record.paid_at is None:
        raise Refused(f"PortOne does not say when {record.imp_uid} was paid.")
    effect = _becomes_paid(charge.id, owed=charge.amount, currency=charge.currency)
    return Step(decision=Decision.ACCEPT, sentence=sentence, charge=effect, payment=record)


def _accept_payment(case: Case, attempt: Attempt, imp_uid: str | None) -> Step:
    _require_answer(case)
    record = _accepted(case, imp_uid)
    sentences = [f"Charge {attempt.charge.id} becomes paid by {record.imp_uid}."]
    if (record.amount, record.currency) != (attempt.request.amount, attempt.request.currency):
        owed = money(attempt.request.amount, attempt.request.currency)
        sentences.append(f"It was {money(record.amount, record.currency)}, not {owed}.")
    if refunded(record):
        sentences.append(f"{money(refunded(record), record.currency)} of it was refunded; nothing is charged again.")
    # A payment without a time, or with an implausible one, counts from when it was asked for.
    at = record.paid_at
    fits = at is not None and can_be_paid_at(attempt.request.merchant_uid, at, now=case.asked_at)
    outcome = Paid(at if at is not None and fits else attempt.started_at, answer_of(record))
    effect = _becomes_paid(attempt.charge.id, owed=attempt.request.amount, currency=attempt.request.currency)
    return Step(decision=Decision.ACCEPT, sentence=" ".join(sentences), charge=effect, outcome=outcome, payment=record)


def _accepted(case: Case, imp_uid: str | None) -> PaymentRecord:
    moved = [record for record in case.records if record.status in {"paid", "cancelled"}]
    wanted = [record for record in moved if imp_uid in (None, record.imp_uid)]
    if len(wanted) == 1:
        return wanted[0]
    if not moved:
        raise Refused("PortOne shows no payment that could be accepted.")
    shown = ", ".join(f"{each.imp_uid} ({each.status})" for each in moved)
    raise Refused(f"Name the payment that counts for the period with --imp-uid: {shown}.")


def _charge_again(case: Case, _: DecisionRequest) -> Step:
    attempt = _nothing_charged(case)
    sentence = f"You have proof that nothing was charged: {_charged_again(attempt)}"
    return Step(
        decision=Decision.CHARGE_AGAIN,
        sentence=sentence,
        moves_money=True,
        charge=_is_due_again(attempt),
        outcome=_PROVED_BY_OPERATOR,
    )


def _void(case: Case, _: DecisionRequest) -> Step:
    attempt = _nothing_charged(case)
    sentence = f"You have proof that nothing was charged: charge {attempt.charge.id} becomes void, for good."
    effect = ChargeEffect(charge_id=attempt.charge.id, becomes=ChargeStatus.VOID)
    return Step(decision=Decision.VOID, sentence=sentence, charge=effect, outcome=_PROVED_BY_OPERATOR)


def _nothing_charged(case: Case) -> Attempt:
    """Return the attempt that an operator may call not charged: never against what PortOne shows, nor too early."""
    attempt = _unresolved(case)
    _require_answer(case)
    against = [record for record in case.records if record.status != "failed"]
    if against:
        shown = ", ".join(f"{each.imp_uid} ({each.status})" for each in against)
        raise Refused(f"PortOne shows a payment: {shown}.")
    quiet_at = max(attempt.started_at + case.quiet_period, attempt.payable_until or attempt.started_at)
    if case.asked_at < quiet_at:
        raise Refused(f"A request may still be in progress. Decide this after {quiet_at:%Y-%m-%d %H:%M} UTC.")
    return attempt


def _unresolved(case: Case) -> Attempt:
    if case.attempt is None:
        raise Refused("Its attempt is settled by now; `accept` closes the discrepancy.")
    return case.attempt


def _require_answer(case: Case) -> None:
    if isinstance(case.finding, LookUpFailed):
        message = case.finding.answer.message
        raise Refused(f"PortOne does not answer{f' ({message})' if message else ''}. Try again later.")


def _charged_again(attempt: Attempt) -> str:
    request = attempt.request
    owed = money(request.amount, request.currency)
    return f"charge {attempt.charge.id} is due again, and {owed} is charged as {request.merchant_uid}."


def _becomes_paid(charge_id: int, *, owed: int | None = None, currency: str | None = None) -> ChargeEffect:
    return ChargeEffect(charge_id=charge_id, becomes=ChargeStatus.PAID, owed=owed, currency=currency)


def _is_due_again(attempt: Attempt) -> ChargeEffect:
    request = attempt.request
    return ChargeEffect(
        charge_id=attempt.charge.id,
        becomes=ChargeStatus.DUE,
        owed=request.amount,
        currency=request.currency,
        merchant_uid=request.merchant_uid,
    )


_PROVED_BY_OPERATOR: Outcome = NotCharged(NotChargedReason.NOT_FOUND)
_STEPS: Mapping[Decision, Callable[[Case, DecisionRequest], Step]] = {
    Decision.LOOK_UP: _look_up,
    Decision.ACCEPT: _accept,
    Decision.REFUND: refund_step,
    Decision.CHARGE_AGAIN: _charge_again,
    Decision.VOID: _void,
}
