"""Resolving a discrepancy: examine both sides, then do exactly what the operator agreed to, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.clock import Clock
from worker.domain.discrepancy_rules import refunded
from worker.domain.errors import Refused
from worker.domain.gateway import Found, Gateway, LookUpFailed, PaymentRecord
from worker.domain.lookup_evidence import outcome_of_lookup
from worker.domain.merchant_uid import parse
from worker.domain.outcomes import Outcome, Unknown
from worker.domain.retry_policy import RetryPolicy
from worker.domain.settlement import settle
from worker.domain.states import ChargeStatus
from worker.ledger import end_of_dunning, found_payments
from worker.ledger.lookup_queue import forget_refusal
from worker.ledger.subscription_status import settle_subscriptions
from worker.ledger.voiding import void
from worker.ledger.write_back import apply_settlements
from worker.refunds.carry_out import RefundContext
from worker.review import decision_queries, queries
from worker.review.case import Case, Decision, DecisionRequest, StartedRefund
from worker.review.decisions import plan_step
from worker.review.queries import DiscrepancyDetails
from worker.review.refund import decided_meanwhile, refund_payment
from worker.review.step import Step

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was done, in a sentence; `is_open` when the discrepancy still waits for an operator."""

    sentence: str
    is_open: bool
    charge_id: int | None
    charge_status: ChargeStatus | None


@dataclass(frozen=True, slots=True)
class ReviewService:
    """Reviews discrepancies on behalf of `by`, who is recorded as having decided."""

    sessions: Sessions
    gateway: Gateway
    clock: Clock
    policy: RetryPolicy
    by: str

    async def examine(self, discrepancy_id: int) -> Case:
        """Return the case of a discrepancy, asking PortOne now. Raises Refused for an unknown id."""
        row, attempt = await asyncio.to_thread(self._known, discrepancy_id)
        asked_at = self.clock()
        finding, *others = await asyncio.gather(
            *(self.gateway.look_up(each) for each in (row.merchant_uid, *row.other_merchant_uids))
        )
        return self._case(row, attempt, finding, others, asked_at)

    async def resolve(self, discrepancy_id: int, request: DecisionRequest, *, agreed: Step) -> Resolution:
        """Do what was agreed to, if it would still do the same. Raises Refused, and then the discrepancy stays open."""
        case = await self.examine(discrepancy_id)
        step = plan_step(case, request)
        if step.fingerprint() != agreed.fingerprint():
            raise Refused(f"This has changed since you agreed. Now: {step.sentence} Nothing was done; decide again.")
        if step.refund is not None and step.payment is not None:
            case = case.with_payment(await refund_payment(self._refunds, case, step.refund, step.payment, by=self.by))
        resolution = await asyncio.to_thread(self._write, case, request, step)
        log.info(
            "discrepancy reviewed", discrepancy_id=case.id, decision=request.decision.value, open=resolution.is_open
        )
        return resolution

    @property
    def _refunds(self) -> RefundContext:
        return RefundContext(self.sessions, self.gateway, self.clock, self.policy)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _known(self, discrepancy_id: int) -> tuple[DiscrepancyDetails, Attempt | None]:
        """Read our side first: what changes while PortOne is asked, the guards of the decision detect."""
        with self.sessions() as session:
            row = queries.find_details(session, discrepancy_id)
            if row is None:
                raise Refused(
                    f"There is no discrepancy {discrepancy_id}. `again review list --all` shows all there are."
                )
            return row, _unknown_attempt(session, row)

    def _case(
        self,
        row: DiscrepancyDetails,
        attempt: Attempt | None,
        finding: Found | LookUpFailed,
        others: list[Found | LookUpFailed],
        asked_at: datetime,
    ) -> Case:
        return Case(
            id=row.id,
            kind=row.kind,
            status=row.status,
            status_reason=row.status_reason,
            status_at=row.status_at,
            decided_by=row.decided_by,
            imp_uid=row.imp_uid,
            charge=row.charge,
            attempt=attempt,
            started_refund=_started_refund(row.evidence),
            finding=finding,
            others=tuple(record for each in others if isinstance(each, Found) for record in each.records),
            asked_at=asked_at,
            quiet_period=self.policy.quiet_period,
            rules=self.policy.rules,
        )

    # --- writing ------------------------------------------------------------------------------------------------------

    def _write(self, case: Case, request: DecisionRequest, step: Step) -> Resolution:
        """Write the decision: all of it, or nothing when another process was faster."""
        outcome = step.outcome
        if step.decision is Decision.REFUND and case.attempt is not None:
            outcome = outcome_of_lookup(
                case.attempt, case.finding, now=case.asked_at, quiet_period=case.quiet_period, rules=case.rules
            )
        reason = f"{step.decision}: {request.note} ({step.sentence.rstrip('.')})"
        if isinstance(outcome, Unknown):
            return _still_open(case, step, outcome)
        with self.sessions.begin() as session:
            if not decision_queries.mark_resolved(session, case.id, reason=reason, by=self.by, now=self.clock()):
                _record_refund(session, case, step)
                return _refund_already_sent(case, step)
            if outcome is not None:
                self._settle(session, case, step, outcome, reason)
            elif step.decision is Decision.ACCEPT and step.payment is not None:
                self._pay(session, case, step.payment, reason)
            _record_refund(session, case, step)
            return _resolved(session, case, step)

    def _pay(self, session: Session, case: Case, payment: PaymentRecord, reason: str) -> None:
        """Let a payment of another amount pay its charge."""
        charge, parts = case.charge, parse(payment.merchant_uid)
        if charge is None or parts is None:
            raise decided_meanwhile(case)
        backfill = queries.backfill_of_charge(session, charge.id, payment, parts, reason=reason)
        if not found_payments.backfill_payments(session, [backfill], now=self.clock()):
            raise decided_meanwhile(case)
        settle_subscriptions(session, [backfill.subscription_id], reason="paid", now=self.clock())
        end_of_dunning.undo_settled(session, [backfill.subscription_id], reason="it was paid", now=self.clock())

    def _settle(self, session: Session, case: Case, step: Step, outcome: Outcome, reason: str) -> None:
        """Settle the attempt as a look-up would; the operator's reason replaces that of a decision without evidence."""
        attempt, now = case.attempt, self.clock()
        if attempt is None:
            raise decided_meanwhile(case)
        settlement = settle(attempt, outcome, now=now, policy=self.policy)
        if step.decision in {Decision.ACCEPT, Decision.CHARGE_AGAIN, Decision.VOID}:
            settlement = replace(settlement, reason=reason)
        if step.decision is Decision.CHARGE_AGAIN:
            settlement = replace(settlement, next_attempt_at=now)
            forget_refusal(session, attempt.id)
        if not apply_settlements(session, [settlement], now=now).settled:
            raise decided_meanwhile(case)
        if step.decision is Decision.VOID:
            voided = void(session, [attempt.charge.id], reason=reason, now=now)
            owners = [each.subscription_id for each in voided]
            settle_subscriptions(session, owners, reason="what it owed is void", now=now)


def _unknown_attempt(session: Session, row: DiscrepancyDetails) -> Attempt | None:
    try:
        return None if row.attempt_id is None else queries.find_unknown_attempt(session, row.attempt_id)
    except (ValueError, LookupError, OSError) as error:
        raise Refused(f"The plan of subscription {row.subscription} cannot be read: {error}.") from None


def _started_refund(evidence: Mapping[str, Any]) -> StartedRefund | None:
    refund = evidence.get("refund")
    if refund is None:
        return None
    return StartedRefund(refund["imp_uid"], refund["by"], datetime.fromisoformat(refund["at"]))


def _record_refund(session: Session, case: Case, step: Step) -> None:
    """Record on the charge how much of its own payment was refunded."""
    if step.payment is None or case.charge is None:
        return
    counts = step.decision is Decision.ACCEPT or step.payment.imp_uid in case.charge.counted
    record = next((each for each in case.records if each.imp_uid == step.payment.imp_uid), None)
    if counts and record is not None and refunded(record):
        found_payments.record_refunds(session, {case.charge.id: refunded(record)})


def _resolved(session: Session, case: Case, step: Step) -> Resolution:
    if case.charge is None:
        return _unchanged(case, step.sentence, is_open=False)
    status = queries.charge_status(session, case.charge.id)
    return Resolution(step.sentence, is_open=False, charge_id=case.charge.id, charge_status=status)


def _still_open(case: Case, step: Step, outcome: Unknown) -> Resolution:
    sentence = f"{step.sentence} What PortOne shows now does not settle the attempt ({outcome.reason}): decide again."
    return _unchanged(case, sentence, is_open=True)


def _refund_already_sent(case: Case, step: Step) -> Resolution:
    """The discrepancy was resolved concurrently, and the refund has gone through. Raises Refused if there was none."""
    if step.refund is None:
        raise decided_meanwhile(case)
    return _unchanged(
        case, f"{step.sentence} The discrepancy was resolved by another process meanwhile.", is_open=False
    )


def _unchanged(case: Case, sentence: str, *, is_open: bool) -> Resolution:
    charge = case.charge
    return Resolution(
        sentence, is_open, None if charge is None else charge.id, None if charge is None else charge.status
    )
