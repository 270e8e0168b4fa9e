"""Where a charge stands, put together from its row and its attempts, for the sentence that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schedules.open_hours import OpenHours
from worker.domain.consent_gate.rules import RuleCode
from worker.domain.states import AttemptStatus, Via, WaitReason
from worker.ledger.history import ChargeDetails
from worker.ledger.subscription_holds import BY_THEMSELVES
from worker.operations.explain_charge import ChargeState, LastAttempt


def charge_state(row: ChargeDetails, attempts: Sequence[Mapping[str, Any]]) -> ChargeState:
    """Return where a charge stands; `attempts` are all of its own, the newest last."""
    return ChargeState(
        charge_id=row.id,
        status=row.status,
        blocker=row.blocked_by,
        status_reason=row.status_reason,
        declines=row.declines,
        next_attempt_at=row.next_attempt_at,
        paid_at=row.paid_at,
        subscription=row.subscription_status,
        subscription_code=row.subscription,
        key=row.key_status,
        stop_scope=row.stop_scope,
        stop_reason=row.stop_reason,
        open_hours=OpenHours(*(row.open_hours or ())),
        stopped_by=row.stopped_by,
        hold_reason=row.hold_reason,
        held_by=None if row.held_by in BY_THEMSELVES else row.held_by,
        first_charge_id=row.first_charge_id,
        discrepancy_id=row.discrepancy_id,
        attempt=_last_of(attempts),
        amount=row.amount,
        refunded=row.refunded,
        paid_elsewhere=row.paid_elsewhere,
        written_off_at=row.written_off_at,
        is_postponed=row.wait_reason is WaitReason.POSTPONED,
        awaits_consent_since=row.awaits_consent_since,
        gate_held_since=row.gate_held_since,
        gate_lacks=tuple(map(RuleCode, row.gate_lacks or ())),
    )


def _last_of(attempts: Sequence[Mapping[str, Any]]) -> LastAttempt | None:
    if not attempts:
        return None
    names = ("number", "status_reason", "started_at", "lease_until", "next_lookup_at", "flag_reason")
    last = attempts[-1]
    until = last["window_until"] if last["via"] == Via.WINDOW else None
    return LastAttempt(status=AttemptStatus(last["status"]), window_until=until, **{name: last[name] for name in names})
