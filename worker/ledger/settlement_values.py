"""What a settlement writes to its attempt and its charge, by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.domain.outcomes import NO_ANSWER, DeclineKind
from worker.domain.settlement import Settlement


def values_of(settlement: Settlement) -> Mapping[str, Any]:
    """Return what a settlement writes, by the columns of the write-back."""
    answer = settlement.answer
    kind: DeclineKind | None = settlement.decline_kind
    return {
        "merchant_uid": settlement.attempt.request.merchant_uid,
        "sends": settlement.attempt.sends,
        "started_at": settlement.attempt.started_at,
        "attempt_status": settlement.attempt_status,
        "reason": settlement.reason,
        "answered": answer != NO_ANSWER,
        "imp_uid": answer.imp_uid,
        "pg_tid": answer.pg_tid,
        "http_status": answer.http_status,
        "code": answer.code,
        "message": answer.message,
        "decline_kind": kind,
        "refusal": settlement.refusal,
        "raw": answer.raw,
        "next_lookup_at": settlement.next_lookup_at,
        "flag": settlement.flag,
        "failure": settlement.failure,
        "charge_status": settlement.charge_status,
        "next_attempt_at": settlement.next_attempt_at,
        "wait_reason": settlement.wait_reason,
        "paid_at": settlement.paid_at,
        "declines": settlement.declines,
        "first_declined_at": settlement.first_declined_at,
        "deferrals": settlement.deferrals,
    }
