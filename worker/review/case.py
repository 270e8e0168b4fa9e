"""The case of one discrepancy: what our records have, what PortOne shows now, and what an operator may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain.attempt import Attempt
from worker.domain.declines import DeclineRules
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus, refunded
from worker.domain.gateway import Found, LookUpFailed, PaymentRecord
from worker.domain.states import ChargeStatus


class Decision(StrEnum):
    LOOK_UP = "look-up"  # settle the attempt by what PortOne shows now, as reconciliation would
    ACCEPT = "accept"  # take what PortOne shows as it is; no money moves
    REFUND = "refund"  # refund one payment
    CHARGE_AGAIN = "charge-again"  # the operator has proof that nothing was charged
    VOID = "void"  # the same proof, and the period is not owed


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """What an operator asks for. `note` says why; PortOne gets it as the reason of a refund."""

    decision: Decision
    note: str = ""
    imp_uid: str | None = None
    tax_free: int | None = None
    vat_amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFacts:
    """The charge that a discrepancy is about. `counted` holds the imp_uids that our records count as its payment."""

    id: int
    status: ChargeStatus
    amount: int
    tax_free: int
    vat_amount: int | None = None  # as stated with the payment; None: the PG works it out
    currency: str
    counted: frozenset[str]
    paid_elsewhere: bool = False  # then none of PortOne's payments counts


@dataclass(frozen=True, slots=True)
class StartedRefund:
    """A refund that was recorded before PortOne was asked for it, and may still be in progress."""

    imp_uid: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that a decision about one discrepancy rests on. Evidence is as old as `asked_at`."""

    id: int
    kind: DiscrepancyKind
    status: DiscrepancyStatus
    status_reason: str
    status_at: datetime
    decided_by: str | None
    imp_uid: str  # PortOne's payment that it is about; empty for none
    charge: ChargeFacts | None
    attempt: Attempt | None  # only while its outcome is unknown
    started_refund: StartedRefund | None
    finding: Found | LookUpFailed  # what PortOne has under the merchant_uid now
    others: tuple[PaymentRecord, ...]  # and under the other merchant_uids by which the charge was paid
    asked_at: datetime
    quiet_period: timedelta
    rules: DeclineRules = field(repr=False)

    @property
    def records(self) -> tuple[PaymentRecord, ...]:
        """What PortOne shows of this charge now; nothing when it did not answer."""
        found = self.finding.records if isinstance(self.finding, Found) else ()
        return (*found, *(record for record in self.others if record not in found))

    @property
    def refund_in_progress(self) -> StartedRefund | None:
        """A refund that may still land: started within the quiet period, and not shown by PortOne yet."""
        started = self.started_refund
        if started is None or self.asked_at >= started.at + self.quiet_period:
            return None
        landed = any(each.imp_uid == started.imp_uid and refunded(each) == each.amount for each in self.records)
        return None if landed else started

    def with_payment(self, payment: PaymentRecord) -> Case:
        """Return the same case with a payment as PortOne shows it now."""

        def updated(records: tuple[PaymentRecord, ...]) -> tuple[PaymentRecord, ...]:
            return tuple(payment if each.imp_uid == payment.imp_uid else each for each in records)

        finding = Found(updated(self.finding.records)) if isinstance(self.finding, Found) else self.finding
        return replace(self, finding=finding, others=updated(self.others))


def money(amount: int, currency: str) -> str:
    return f"{amount:,} {currency}"
