"""Claiming due charges: the attempt and its merchant_uid are committed before PortOne hears of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.clock import read
from worker.database.mapping import attempt_plan
from worker.database.planning import plan_by_index
from worker.domain.attempt import Attempt, AttemptPlan, WindowFacts
from worker.domain.charge_limits import LimitCheck, enforce_run_limits
from worker.domain.clock import Clock
from worker.domain.merchant_uid import derive
from worker.domain.states import AttemptStatus
from worker.domain.stop_scopes import EVERYTHING
from worker.ledger.blockers import parameters
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import HoldPolicy
from worker.ledger.day_totals import enforce_day_limits
from worker.ledger.queues import Wanted, due_charges, waiting_queues

log = structlog.get_logger()

CLAIM_ADVISORY_LOCK = 0x6167_6169  # "agai": held shared by every claim, exclusively by `again stop`

# IS TRUE hides the states from the planner, which would read the queues from end to end for them.
_CLAIM = text("""
    WITH v AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
            AS v(charge_id bigint, billing_key_id bigint, number smallint, merchant_uid text)
    ), claimed AS (
        UPDATE charges SET status = 'charging', status_reason = 'claimed', status_at = :now, next_attempt_at = NULL,
            wait_reason = NULL
        WHERE id = ANY(ARRAY(SELECT charge_id FROM v)) AND (status IN ('due', 'past_due')) IS TRUE
          AND awaits_consent_since IS NULL AND gate_held_since IS NULL
        RETURNING id
    )
    INSERT INTO attempts AS a (charge_id, billing_key_id, number, merchant_uid, status, status_reason, status_at,
                               sends, started_at, lease_until)
    SELECT v.charge_id, v.billing_key_id, v.number, v.merchant_uid, 'started', 'claimed', :now, 1, :now, :lease_until
    FROM v JOIN claimed ON claimed.id = v.charge_id
    ON CONFLICT (merchant_uid) DO UPDATE
        SET status = 'started', status_reason = 'sent again after a proof that nothing was charged', status_at = :now,
            via = 'again', sends = a.sends + 1, started_at = :now, lease_until = :lease_until, settled_at = NULL,
            lookups = 0, billing_key_id = excluded.billing_key_id
        WHERE a.status = 'not_charged' AND a.charge_id = excluded.charge_id
    RETURNING a.id, a.charge_id, a.sends
""")


class ClaimConflict(RuntimeError):
    """A due charge could not get its attempt row: another process was faster. The whole claim is rolled back."""


def may_claim(session: Session, clock: Clock, hold_policy: HoldPolicy | None) -> datetime | None:
    """Return the instant by which a claim in this transaction is made; None while nothing may be claimed.

    That is while `again stop` waits, and while charging is held, as by `hold_policy` when the database may have
    forgotten payments or its clock was set. Raises WrongDatabase.
    """
    _let_stops_wait(session)
    if hold_policy is not None and not charging_is_allowed(session, hold_policy, now=clock):
        return None
    return read(session, clock)


def claim(
    session: Session,
    *,
    now: datetime,
    limit: int,
    lease: timedelta,
    prefix: str,
    queues: Mapping[str, Wanted] | None = None,
    check: LimitCheck | None = None,
) -> list[Attempt]:
    """Claim due charges with an attempt row each: what is wanted of `queues`; the caller commits, then sends.

    Without `queues`, up to `limit` of each queue are claimed. `now` is asked of the database in this very transaction
    (`may_claim`): leases and quiet periods count from it. Claims nothing while `again stop` holds or has set the
    switch. Raises ClaimConflict, and LimitExceeded or SubscriptionLimitsExceeded when a limit of `check` forbids it;
    the claim must then be rolled back.
    """
    _let_stops_wait(session)
    asked = parameters(session, now=now)
    if EVERYTHING in asked["stopped"]:
        return []
    plan_by_index(session)
    if queues is None:
        queues = {queue: Wanted(limit) for queue in waiting_queues(session)}
    shut = {*asked["stopped"], *asked["closed"]}
    open_queues = {queue: each for queue, each in queues.items() if queue not in shut}
    wanted = _due(session, asked, open_queues, prefix=prefix)
    if not wanted:
        return []
    if check is not None:
        enforce_run_limits(list(wanted.values()), check)
    rows = [_attempt_row(plan) for plan in wanted.values()]
    claimed = session.execute(_CLAIM, {"rows": as_rows(rows), "now": now, "lease_until": now + lease}).all()
    if len(claimed) != len(wanted):
        raise ClaimConflict(f"{len(wanted)} charges were due and {len(claimed)} could be claimed; trying again")
    attempts = [
        wanted[row.charge_id].claimed(attempt_id=row.id, sends=row.sends, now=now)
        for row in sorted(claimed, key=_by_charge)
    ]
    if check is not None:
        enforce_day_limits(session, attempts, check, now=now)
    return attempts


def _let_stops_wait(session: Session) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": CLAIM_ADVISORY_LOCK})


def _by_charge(row: Row[Any]) -> int:
    return int(row.charge_id)


def _due(
    session: Session, asked: Mapping[str, Any], queues: Mapping[str, Wanted], *, prefix: str
) -> dict[int, AttemptPlan]:
    """Lock due charges and make their attempts ready.

    What cannot be made ready is left out and named: a row that is wrong, such as one whose plan's time zone this
    machine does not know, must not keep the others from being charged.
    """
    left_out: list[int] = []
    while True:
        due = due_charges(session, queues, asked, left_out=left_out)
        ready: dict[int, AttemptPlan] = {}
        for row in due:
            try:
                ready[row.charge_id] = _plan(row, prefix)
            except (ValueError, LookupError, OSError) as error:
                log.error("charge cannot be claimed", charge_id=row.charge_id, reason=str(error))  # noqa: TRY400
                left_out.append(row.charge_id)
        if ready or not due:
            return ready


def _plan(row: Row[Any], prefix: str) -> AttemptPlan:
    """Return the attempt to be made. What was proved not charged is sent again as it was, under its own key."""
    number = (row.last_number or 0) + 1
    merchant_uid, window = None, None
    if row.last_status == AttemptStatus.NOT_CHARGED:
        number, merchant_uid = row.last_number, row.last_merchant_uid
        window = None if row.last_window_until is None else WindowFacts(payable_until=row.last_window_until)
    return attempt_plan(
        row,
        number=number,
        merchant_uid=merchant_uid or derive(prefix, row.subscription_code, row.period_start, number),
        due_at=row.due_at,
        window=window,
        earlier=row.earlier,
        may_have_lost_windows=row.may_have_lost_windows,
    )


def _attempt_row(plan: AttemptPlan) -> dict[str, Any]:
    return {
        "charge_id": plan.charge.id,
        "billing_key_id": plan.charge.billing_key_id,
        "number": plan.number,
        "merchant_uid": plan.request.merchant_uid,
    }
