"""The product, broken on purpose, in ways that a careless change could bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.changes import apply_due, charge_acts
from worker.changes.apply_due import AppliedChanges
from worker.changes.kind import ChangePolicy, Circumstances
from worker.changes.kinds import cancel, change_plan, paid_elsewhere, void, write_off
from worker.changes.kinds.change_price import ChangePrice
from worker.changes.prorated import Prorated, open_prorated
from worker.changes.registry import KINDS
from worker.changes.subjects import lock_subject
from worker.database.engine import Sessions
from worker.domain import settlement
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.domain.outcomes import Declined, DeclineKind
from worker.domain.pricing import bill
from worker.domain.pricing.adjustments import Adjustment
from worker.domain.refund_settlement import RefundSettlement
from worker.domain.states import ChargeStatus
from worker.ledger import changes, collecting, consent_gate, refunds
from worker.ledger.voiding import VoidedCharge


def end_in_another_transaction(patch: pytest.MonkeyPatch) -> None:
    """Do what a change asks for in one transaction, and write in the next that it was done."""

    def halves(
        total: AppliedChanges, sessions: Sessions, code: str, policy: ChangePolicy, now: datetime
    ) -> AppliedChanges:
        with sessions.begin() as session:
            subject = lock_subject(session, subscription=code, charge=None)
            change = changes.next_due(session, subject.id, now=now)
            if change is None:
                return total
            kind = KINDS[change.kind]
            given = Circumstances(
                at=change.effective_at, now=now, reason=change.reason, policy=policy, change_id=change.id
            )
            said = kind.apply(session, subject, kind.read(change.parameters), given).sentence.en
        with sessions.begin() as session:
            changes.end(session, [change.id], ChangeStatus.APPLIED, reason=said, now=now)
        return total

    patch.setattr(apply_due, "_with", halves)


def forget_unused_days_when_applied(patch: pytest.MonkeyPatch) -> None:
    """Charge more than the preview has said: what was paid for the same days is not taken off."""

    def forgetful(*given: Any, **named: Any) -> Prorated:
        return open_prorated(*given, **(named if named["change_id"] is None else named | {"unused": 0}))

    patch.setattr(change_plan, "open_prorated", forgetful)


def discount_a_won_less(patch: pytest.MonkeyPatch) -> None:
    """Take off a won less than the discount says; items still add up."""
    honest = bill._discount

    def stingy(each: Adjustment, amount: int) -> int:
        return max(honest(each, amount) - 1, 0)

    patch.setattr(bill, "_discount", stingy)


def say_done_and_do_nothing(patch: pytest.MonkeyPatch, kind: ChangeKind) -> None:
    """Say that what is unpaid was dealt with, and leave it as it is."""
    module, function, answer = _DOES[kind]
    patch.setattr(module, function, lambda *_, **__: answer)


_DOES: dict[ChangeKind, tuple[Any, str, Any]] = {
    ChangeKind.VOID: (void, "void", [VoidedCharge(1, 1)]),
    ChangeKind.WRITE_OFF: (write_off, "write_off", [1]),
    ChangeKind.PAID_ELSEWHERE: (paid_elsewhere, "pay_elsewhere", True),
    ChangeKind.POSTPONE: (collecting, "postpone", True),
    ChangeKind.COLLECT: (collecting, "collect_now", ChargeStatus.PAST_DUE),
    ChangeKind.CANCEL: (cancel, "void", []),
    ChangeKind.OVERRIDE_GATE: (consent_gate, "override", True),
}


def forgive_in_flight(patch: pytest.MonkeyPatch) -> None:
    """Void a charge whose outcome is not known."""
    patch.setattr(charge_acts, "_require_not_in_flight", lambda *_: None)
    patch.setattr(void, "void", _void_whatever)


def _void_whatever(session: Session, charge_ids: Sequence[int], **_: Any) -> Sequence[int]:
    sql = "UPDATE charges SET status = 'void', next_attempt_at = NULL, wait_reason = NULL WHERE id = ANY(:ids)"
    session.execute(text(sql), {"ids": list(charge_ids)})
    return charge_ids


def dun_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Try a declined charge every day, though its calendar is spent."""
    patch.setattr(settlement, "next_dunning_try", lambda _, __, now: now + timedelta(days=1))


def take_hard_declines_as_soft(patch: pytest.MonkeyPatch) -> None:
    """Try a dead key again."""
    honest = settlement._declined

    def hopeful(attempt: Any, outcome: Declined, *rest: Any) -> Any:
        return honest(attempt, replace(outcome, kind=DeclineKind.SOFT), *rest)

    patch.setattr(settlement, "_declined", hopeful)


def deduct_what_was_not_paid(patch: pytest.MonkeyPatch) -> None:
    """Let the unused days of an unpaid period be worth something."""
    patch.setattr(change_plan, "require_paid", lambda *_: None)
    patch.setattr(change_plan, "cut", lambda *_, **__: None)


def raise_prices_without_consent(patch: pytest.MonkeyPatch) -> None:
    """Raise a price at once, though its customer has to agree first."""
    patch.setattr(ChangePrice, "waits_for", lambda *_: None)


def forget_refunds(patch: pytest.MonkeyPatch) -> None:
    """Write a refund down as completed, and not how much of the charge is refunded by now."""
    honest = refunds.settle

    def forgetful(session: Session, refund: Any, settled: RefundSettlement, **named: Any) -> Any:
        return honest(session, refund, replace(settled, refunded=0), **named)

    patch.setattr(refunds, "settle", forgetful)
