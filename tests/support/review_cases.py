"""Cases of discrepancies as a review sees them, and what a decision about them would do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.attempts import QUIET_PERIOD, RULES, STARTED_AT, attempt, record
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.errors import Refused
from worker.domain.gateway import Found
from worker.domain.states import ChargeStatus
from worker.review.case import Case, ChargeFacts, Decision, DecisionRequest
from worker.review.decisions import plan_step
from worker.review.step import Step

QUIET = STARTED_AT + QUIET_PERIOD
FIRST, SECOND = "imps_000000000001", "imps_000000000002"
TWO = (record(imp_uid=SECOND), record())
"""A duplicate, and the payment that our records count."""


def charge(status: ChargeStatus = ChargeStatus.PAID, *, counted: str | None = FIRST, **changes: Any) -> ChargeFacts:
    facts = ChargeFacts(
        id=17, status=status, amount=9900, tax_free=0, currency="KRW", counted=frozenset({counted} if counted else ())
    )
    return replace(facts, **changes)


def case(*records: Any, kind: DiscrepancyKind = DiscrepancyKind.PAID_TWICE, **changes: Any) -> Case:
    usual = Case(
        id=3,
        kind=kind,
        status=DiscrepancyStatus.OPEN,
        status_reason="found",
        status_at=STARTED_AT,
        decided_by=None,
        imp_uid=SECOND,
        charge=charge(),
        attempt=None,
        started_refund=None,
        finding=Found(records),
        others=(),
        asked_at=QUIET,
        quiet_period=QUIET_PERIOD,
        rules=RULES,
    )
    return replace(usual, **changes)


def unresolved(*records: Any, **changes: Any) -> Case:
    usual = {"imp_uid": "", "attempt": attempt(), "charge": charge(ChargeStatus.CHARGING, counted=None)}
    return case(*records, kind=DiscrepancyKind.UNRESOLVED, **(usual | changes))


def step(decision: Decision, subject: Case, **options: Any) -> Step:
    return plan_step(subject, DecisionRequest(decision=decision, note="because", **options))


def refusal(decision: Decision, subject: Case, **options: Any) -> str:
    with pytest.raises(Refused) as refused:
        step(decision, subject, **options)
    return str(refused.value)
