"""The product's restore guard, broken on purpose."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.simulation.charging.breakages import look_at_no_earlier_number
from tests.simulation.engine.worker_process import WorkerProcess
from worker.domain.states import SweepReason
from worker.ledger import charging_hold, settlement_values, write_back
from worker.reconciliation import backfill, compare
from worker.reconciliation import queries as reconciliation_queries

_THIS_SEND = " AND a.sends = v.sends AND a.started_at = v.started_at"
_THIS_SWEEP = " AND started_at = :started_at"


class BlindWorker(WorkerProcess):
    """Charges on any database."""

    watches = False


def backfill_known_attempts_only(patch: pytest.MonkeyPatch) -> None:
    """Backfill a payment only if its attempt exists; insert no missing rows, and hold no subscription for them."""
    look_at_no_earlier_number(patch)
    plan = backfill._plan

    def timid(session: Session, each: Any, *given: Any) -> Any:
        return None if each.local.attempt_id is None else plan(session, each, *given)

    patch.setattr(backfill, "_plan", timid)
    patch.setattr(compare, "_hold_unaccounted", lambda *_: None)


def end_the_hold_at_once(patch: pytest.MonkeyPatch) -> None:
    """Compare what PortOne has by now and resume charging, even with requests in progress."""
    look_at_no_earlier_number(patch)
    hold = charging_hold._hold

    def hasty(*given: Any, now: datetime, until: datetime, reason: SweepReason) -> None:
        assert until >= now
        hold(*given, now=now, until=now, reason=reason)

    patch.setattr(charging_hold, "_hold", hasty)


def forget_which_send_was_answered(patch: pytest.MonkeyPatch) -> None:
    """Treat an answer as that to the latest send of its merchant_uid."""
    look_at_no_earlier_number(patch)
    sql = str(write_back._WRITE_BACK)
    assert _THIS_SEND in sql
    patch.setattr(write_back, "_WRITE_BACK", text(sql.replace(_THIS_SEND, " AND a.sends = v.sends")))


def trust_attempt_ids(patch: pytest.MonkeyPatch) -> None:
    """Write an answer to whatever attempt and charge have its ids now."""
    look_at_no_earlier_number(patch)
    sql = str(write_back._WRITE_BACK)
    row = settlement_values.values_of

    def with_ids(settlement: Any) -> dict[str, Any]:
        attempt = settlement.attempt
        return {**row(settlement), "attempt_id": attempt.id, "charge_id": attempt.charge.id}

    for ours, theirs in (
        (_THIS_SEND, " AND a.sends = v.sends"),
        ("merchant_uid text,", "merchant_uid text, attempt_id bigint, charge_id bigint,"),
        ("a.merchant_uid = v.merchant_uid", "a.id = v.attempt_id"),
        ("before.merchant_uid = v.merchant_uid", "before.id = v.attempt_id"),
    ):
        assert ours in sql
        sql = sql.replace(ours, theirs)
    patch.setattr(write_back, "values_of", with_ids)
    patch.setattr(write_back, "_WRITE_BACK", text(sql))


def trust_sweep_ids(patch: pytest.MonkeyPatch) -> None:
    """Advance whatever reconciliation has the id now."""
    look_at_no_earlier_number(patch)
    sql = str(reconciliation_queries._ADVANCE)
    assert _THIS_SWEEP in sql
    patch.setattr(reconciliation_queries, "_ADVANCE", text(sql.replace(_THIS_SWEEP, "")))
