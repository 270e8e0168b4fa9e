"""Which decisions a discrepancy allows now, and what each would do. Pure: values in, one step or a refusal out."""

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
from worker.review.case import Case, ChargeFacts, Decision, Wish, money
from worker.review.refund_policy import refund_step
from worker.review.step import ChargeEffect, Step


def offered(kind: DiscrepancyKind) -> tuple[Decision, ...]:
    """List the decisions that a kind of discrepancy knows; whether one is possible now, `plan` says."""
    return tuple(Decision) if kind is DiscrepancyKind.UNRESOLVED else (Decision.ACCEPT, Decision.REFUND)


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision as a person finds it: what it would do now, or what stands in its way."""

    decision: Decision
    possible: bool
    moves_money: bool
    sentence: str


def choices(case: Case) -> list[Choice]:
    """Say of every decision that a discrepancy knows what it would come to."""
    return [_choice(case, decision) for decision in offered(case.kind)]


def _choice(case: Case, decision: Decision) -> Choice:
    try:
        step = plan(case, Wish(decision=decision))
    except Refused as refused:
        return Choice(decision, possible=False, moves_money=False, sentence=str(refused))
    return Choice(decision, possible=True, moves_money=step.moves_money, sentence=step.sentence)


def plan(case: Case, wish: Wish) -> Step:
    """Say what a decision would do, given what PortOne shows now. Raises Refused with what stands in its way."""
    _require_open(case)
    if wish.decision not in offered(case.kind):
        choice = " or ".join(offered(case.kind))
        raise Refused(f"{wish.decision} decides about an unresolved attempt. Here it is {choice}.")
    _require_fitting(wish)
    begun = case.refund_under_way
    if begun and (wish.decision is not Decision.REFUND or (wish.imp_uid or case.imp_uid) != begun.imp_uid):
        raise Refused(
            f"{begun.by} began to give {begun.imp_uid} back at {begun.at:%H:%M} UTC, and it may still be under way. "
            f"Repeat that refund, or wait until {begun.at + case.quiet_period:%H:%M} UTC."
        )
    return _STEPS[wish.decision](case, wish)


def _require_open(case: Case) -> None:
    if case.status is not DiscrepancyStatus.OPEN:
        by = f" by {case.decided_by}" if case.decided_by else ""
        raise Refused(
            f"Discrepancy {case.id} is {case.status} since {case.status_at:%Y-%m-%d %H:%M} UTC{by}:"
            f" {case.status_reason}"
        )


def _require_fitting(wish: Wish) -> None:
    if wish.imp_uid is not None and wish.decision not in {Decision.REFUND, Decision.ACCEPT}:
        raise Refused(f"{wish.decision} is not about one payment; leave out --imp-uid.")
    for name, amount in (("--tax-free", wish.tax_free), ("--vat-amount", wish.vat_amount)):
        if amount is not None and wish.decision is not Decision.REFUND:
            raise Refused(f"{wish.decision} gives nothing back; leave out {name}.")


def _look_up(case: Case, _: Wish) -> Step:
    attempt = _unresolved(case)
    _require_answer(case)
    outcome = outcome_of_lookup(attempt, case.finding, now=case.asked_at, quiet_period=case.quiet_period)
    effect = ChargeEffect(charge_id=attempt.charge.id, becomes=None)
    match outcome:
        case Paid():
            effect = _becomes_paid(attempt.charge.id)
            sentence = f"PortOne shows one payment ({outcome.answer.imp_uid}): charge {attempt.charge.id} becomes paid."
        case Declined():
            sentence = f"It was declined ({outcome.kind}): charge {attempt.charge.id} goes on by its dunning calendar."
        case NotCharged():
            effect = _is_due_again(attempt)
            sentence = f"PortOne shows no payment, and the quiet period is over: {_charged_anew(attempt)}"
        case Unknown():
            raise Refused(f"What PortOne shows settles nothing by itself ({outcome.reason}).")
    moves_money = isinstance(outcome, NotCharged)
    return Step(decision=Decision.LOOK_UP, sentence=sentence, moves_money=moves_money, charge=effect, outcome=outcome)


def _accept(case: Case, wish: Wish) -> Step:
    if case.attempt is not None and case.kind is DiscrepancyKind.UNRESOLVED:
        return _accept_payment(case, case.attempt, wish.imp_uid)
    if wish.imp_uid is not None:
        raise Refused("Accepting this discrepancy picks no payment; leave out --imp-uid.")
    charge = case.charge
    if charge is not None and case.kind is DiscrepancyKind.OTHER_AMOUNT and charge.status in CLAIMABLE_CHARGES:
        return _accept_amount(case, charge)
    sentence = "The books stay as they are, and so does PortOne; your note settles it."
    if charge is None or charge.status not in CLAIMABLE_CHARGES:
        return Step(decision=Decision.ACCEPT, sentence=sentence)
    sentence += f" Charge {charge.id} stays {charge.status}, and is charged when its time comes."
    effect = ChargeEffect(charge_id=charge.id, becomes=None, status=charge.status)
    return Step(decision=Decision.ACCEPT, sentence=sentence, charge=effect)


def _accept_amount(case: Case, charge: ChargeFacts) -> Step:
    """Take a payment of another amount for what was owed: nobody is to be charged on top of it."""
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
        sentences.append(f"{money(refunded(record), record.currency)} of it was given back; nothing is charged anew.")
    # A payment without a time, or with one that cannot be, was made when it was asked for.
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


def _charge_again(case: Case, _: Wish) -> Step:
    attempt = _nothing_charged(case)
    sentence = f"You have proof that nothing was charged: {_charged_anew(attempt)}"
    return Step(
        decision=Decision.CHARGE_AGAIN,
        sentence=sentence,
        moves_money=True,
        charge=_is_due_again(attempt),
        outcome=_PROVED_BY_A_PERSON,
    )


def _void(case: Case, _: Wish) -> Step:
    attempt = _nothing_charged(case)
    sentence = f"You have proof that nothing was charged: charge {attempt.charge.id} becomes void, for good."
    effect = ChargeEffect(charge_id=attempt.charge.id, becomes=ChargeStatus.VOID)
    return Step(decision=Decision.VOID, sentence=sentence, charge=effect, outcome=_PROVED_BY_A_PERSON)


def _nothing_charged(case: Case) -> Attempt:
    """Let a person say that nothing was charged, but never against what PortOne shows, nor too early."""
    attempt = _unresolved(case)
    _require_answer(case)
    against = [record for record in case.records if record.status != "failed"]
    if against:
        shown = ", ".join(f"{each.imp_uid} ({each.status})" for each in against)
        raise Refused(f"PortOne shows otherwise: {shown}.")
    quiet_at = max(attempt.started_at + case.quiet_period, attempt.payable_until or attempt.started_at)
    if case.asked_at < quiet_at:
        raise Refused(f"A request may still be under way; nothing is believed before {quiet_at:%Y-%m-%d %H:%M} UTC.")
    return attempt


def _unresolved(case: Case) -> Attempt:
    if case.attempt is None:
        raise Refused("Its attempt is settled by now; `accept` closes the discrepancy.")
    return case.attempt


def _require_answer(case: Case) -> None:
    if isinstance(case.finding, LookUpFailed):
        said = case.finding.answer.message
        raise Refused(f"PortOne does not answer{f' ({said})' if said else ''}. Try again later.")


def _charged_anew(attempt: Attempt) -> str:
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


_PROVED_BY_A_PERSON: Outcome = NotCharged(NotChargedReason.NOT_FOUND)
_STEPS: Mapping[Decision, Callable[[Case, Wish], Step]] = {
    Decision.LOOK_UP: _look_up,
    Decision.ACCEPT: _accept,
    Decision.REFUND: refund_step,
    Decision.CHARGE_AGAIN: _charge_again,
    Decision.VOID: _void,
}
