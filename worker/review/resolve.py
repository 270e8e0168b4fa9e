"""A person decides about a discrepancy: examine both sides, say what would happen, then do exactly that or nothing."""

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
from worker.ledger import found_payments
from worker.ledger.lookup_queue import forget_refusal
from worker.ledger.subscription_status import settle_subscriptions
from worker.ledger.voiding import void
from worker.ledger.write_back import write_back
from worker.review import decision_queries, queries
from worker.review.case import BegunRefund, Case, Decision, Wish
from worker.review.decisions import plan
from worker.review.queries import DiscrepancyDetails
from worker.review.refund import give_back, overtaken
from worker.review.step import Step

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was done, in a sentence; `open` when the discrepancy still waits for a person."""

    said: str
    open: bool
    charge_id: int | None
    charge_status: ChargeStatus | None


@dataclass(frozen=True, slots=True)
class Review:
    """Who reviews, and with what. `by` is who is written down as having decided."""

    sessions: Sessions
    gateway: Gateway
    clock: Clock
    policy: RetryPolicy
    by: str

    async def examine(self, discrepancy_id: int) -> Case:
        """Put both sides together, asking PortOne now. Raises Refused for an id that is none."""
        row, attempt = await asyncio.to_thread(self._known, discrepancy_id)
        asked_at = self.clock()
        finding, *others = await asyncio.gather(
            *(self.gateway.look_up(each) for each in (row.merchant_uid, *row.other_merchant_uids))
        )
        return self._case(row, attempt, finding, others, asked_at)

    async def resolve(self, discrepancy_id: int, wish: Wish, *, agreed: Step) -> Resolved:
        """Do what was agreed to, if that is what it still comes to. Raises Refused; then the discrepancy stays open."""
        case = await self.examine(discrepancy_id)
        step = plan(case, wish)
        if step.fingerprint() != agreed.fingerprint():
            raise Refused(f"It is not as it was a moment ago. Now: {step.sentence} Nothing was done; decide again.")
        if step.refund is not None and step.payment is not None:
            case = case.showing(
                await give_back(
                    self.sessions, self.gateway, case, step.refund, step.payment, by=self.by, clock=self.clock
                )
            )
        resolved = await asyncio.to_thread(self._write, case, wish, step)
        log.info("discrepancy reviewed", discrepancy_id=case.id, decision=wish.decision.value, open=resolved.open)
        return resolved

    # --- what is known ----------------------------------------------------------------------------------------------

    def _known(self, discrepancy_id: int) -> tuple[DiscrepancyDetails, Attempt | None]:
        """Read our side first: what changes while PortOne is asked, the guards of the decision notice."""
        with self.sessions() as session:
            row = queries.known(session, discrepancy_id)
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
            begun=_begun(row.evidence),
            finding=finding,
            others=tuple(record for each in others if isinstance(each, Found) for record in each.records),
            asked_at=asked_at,
            quiet_period=self.policy.quiet_period,
        )

    # --- writing down -----------------------------------------------------------------------------------------------

    def _write(self, case: Case, wish: Wish, step: Step) -> Resolved:
        """Write the decision into the books: all of it, or nothing when somebody else was faster."""
        outcome = step.outcome
        if step.decision is Decision.REFUND and case.attempt is not None:
            outcome = outcome_of_lookup(case.attempt, case.finding, now=case.asked_at, quiet_period=case.quiet_period)
        said = f"{step.decision}: {wish.note} ({step.sentence.rstrip('.')})"
        if isinstance(outcome, Unknown):
            return _still_open(case, step, outcome)
        with self.sessions.begin() as session:
            if not decision_queries.decide(session, case.id, said=said, by=self.by, now=self.clock()):
                _note_refund(session, case, step)
                return _given_back_all_the_same(case, step)
            if outcome is not None:
                self._settle(session, case, step, outcome, said)
            elif step.decision is Decision.ACCEPT and step.payment is not None:
                self._pay(session, case, step.payment, said)
            _note_refund(session, case, step)
            return _resolved(session, case, step)

    def _pay(self, session: Session, case: Case, payment: PaymentRecord, said: str) -> None:
        """Let a payment of another amount pay its charge."""
        charge, parts = case.charge, parse(payment.merchant_uid)
        if charge is None or parts is None:
            raise overtaken(case)
        backfill = queries.backfill(session, charge.id, payment, parts, reason=said)
        if not found_payments.backfill_payments(session, [backfill], now=self.clock()):
            raise overtaken(case)
        settle_subscriptions(session, [backfill.subscription_id], reason="paid", now=self.clock())

    def _settle(self, session: Session, case: Case, step: Step, outcome: Outcome, said: str) -> None:
        """Settle the attempt as a look-up would; what a person alone has decided, its reason says."""
        attempt, now = case.attempt, self.clock()
        if attempt is None:
            raise overtaken(case)
        settlement = settle(attempt, outcome, now=now, policy=self.policy)
        if step.decision in {Decision.ACCEPT, Decision.CHARGE_AGAIN, Decision.VOID}:
            settlement = replace(settlement, reason=said)
        if step.decision is Decision.CHARGE_AGAIN:
            settlement = replace(settlement, next_attempt_at=now)
            forget_refusal(session, attempt.id)
        if not write_back(session, [settlement], now=now).settled:
            raise overtaken(case)
        if step.decision is Decision.VOID:
            voided = void(session, [attempt.charge.id], reason=said, now=now)
            owners = [each.subscription_id for each in voided]
            settle_subscriptions(session, owners, reason="what it owed is void", now=now)


def _unknown_attempt(session: Session, row: DiscrepancyDetails) -> Attempt | None:
    try:
        return None if row.attempt_id is None else queries.unknown_attempt(session, row.attempt_id)
    except (ValueError, LookupError, OSError) as error:
        raise Refused(f"The plan of subscription {row.subscription} cannot be read: {error}.") from None


def _begun(evidence: Mapping[str, Any]) -> BegunRefund | None:
    begun = evidence.get("refund")
    return None if begun is None else BegunRefund(begun["imp_uid"], begun["by"], datetime.fromisoformat(begun["at"]))


def _note_refund(session: Session, case: Case, step: Step) -> None:
    """Keep on the charge how much of its own payment was given back."""
    if step.payment is None or case.charge is None:
        return
    counts = step.decision is Decision.ACCEPT or step.payment.imp_uid in case.charge.counted
    record = next((each for each in case.records if each.imp_uid == step.payment.imp_uid), None)
    if counts and record is not None and refunded(record):
        found_payments.record_refunds(session, {case.charge.id: refunded(record)})


def _resolved(session: Session, case: Case, step: Step) -> Resolved:
    if case.charge is None:
        return _unchanged(case, step.sentence, is_open=False)
    status = queries.charge_status(session, case.charge.id)
    return Resolved(step.sentence, open=False, charge_id=case.charge.id, charge_status=status)


def _still_open(case: Case, step: Step, outcome: Unknown) -> Resolved:
    said = f"{step.sentence} What PortOne shows now settles the attempt not yet ({outcome.reason}): decide again."
    return _unchanged(case, said, is_open=True)


def _given_back_all_the_same(case: Case, step: Step) -> Resolved:
    """Say what somebody else's decision meanwhile does not undo. Raises Refused when there is no such thing."""
    if step.refund is None:
        raise overtaken(case)
    return _unchanged(case, f"{step.sentence} Somebody else has settled the discrepancy meanwhile.", is_open=False)


def _unchanged(case: Case, said: str, *, is_open: bool) -> Resolved:
    charge = case.charge
    return Resolved(said, is_open, None if charge is None else charge.id, None if charge is None else charge.status)
