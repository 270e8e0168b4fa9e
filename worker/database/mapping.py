"""Rows to values and back: plans, and attempts with everything that deciding about them takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from schedules.cadences import parse_cadence
from schedules.dunning_text import parse_dunning
from schedules.end_of_dunning import DunningEnd, GivenUpAs, parse_arrears
from schedules.notices import parse_notices
from schedules.plans import CatchUp, GateMode, Plan
from worker.domain.attempt import Attempt, AttemptPlan, ChargeTerms, RetryTerms, WindowFacts
from worker.domain.gateway import ChargeRequest
from worker.domain.states import Via

_AS_TEXT = frozenset({"cadence", "time_zone", "dunning", "arrears", "notices"})

PLAN_COLUMNS = """
    p.code, p.name, p.amount, p.tax_free, p.vat_amount, p.currency, p.cadence, p.time_zone, p.charge_hour,
    p.trial_days, p.catch_up, p.dunning, p.max_open_charges, p.dunning_end, p.dunning_end_charges, p.key_deadline_days,
    p.grace_days, p.arrears, p.notices, p.gate
"""
"""The columns of a plan `p` that `plan_of` reads."""

OWN_PLAN_COLUMNS = PLAN_COLUMNS.replace(
    "p.amount, p.tax_free, p.vat_amount,",
    """COALESCE(v.amount, p.amount) AS amount, COALESCE(v.tax_free, p.tax_free) AS tax_free,
    CASE WHEN v.amount IS NULL THEN p.vat_amount ELSE v.vat_amount END AS vat_amount,""",
)
"""The same columns, with the price `v` of plan_prices where a subscription has a later version of it."""

# Few calendars count that, so it is read for them alone. Keys are found by the subscriptions that have them now.
_TRIED_AT = """
    CASE WHEN p.dunning LIKE '%tries%' THEN ARRAY(
        SELECT t.started_at
        FROM subscriptions keyed
        CROSS JOIN LATERAL (SELECT id FROM charges WHERE subscription_id = keyed.id OFFSET 0) tried
        CROSS JOIN LATERAL (
            SELECT id, started_at FROM attempts
            WHERE charge_id = tried.id AND billing_key_id = k.id AND via = 'again' AND status <> 'not_charged'
            OFFSET 0) t
        WHERE keyed.billing_key_id = k.id {but}
        ORDER BY t.started_at DESC LIMIT 99)
    END AS tried_at
"""

_TERMS_OF_ITS_CHARGE = """
    c.id AS charge_id, c.subscription_id, c.period_start, c.period_end, c.amount, c.tax_free, c.vat_amount, c.currency,
    c.order_name, c.declines, c.first_declined_at, c.deferrals,
    s.code AS subscription_code,
    k.id AS billing_key_id, k.customer_uid, k.pg, k.channel_key,
    s.next_charge_at, p.time_zone, p.charge_hour, p.dunning
"""

OF_ITS_CHARGE = f"{_TERMS_OF_ITS_CHARGE}, {_TRIED_AT.format(but='')}"
"""The columns that a new attempt is made from: a charge `c` with subscription `s`, billing key `k` and plan `p`."""

KNOWN_ATTEMPT = f"""
    {_TERMS_OF_ITS_CHARGE}, {_TRIED_AT.format(but="AND t.id <> a.id")},
    a.id AS attempt_id, a.number, a.merchant_uid, a.sends, a.lookups, a.started_at, a.refusal,
    a.via, a.window_until, a.resume_at,
    (SELECT max(h.until) FROM sweeps h
     WHERE h.holds_claims AND (h.finished_at IS NULL OR h.finished_at >= h.until) AND h.id >= COALESCE((
        SELECT max(id) FROM sweeps WHERE holds_claims AND reason = 'clock'), 0)) AS held_until,
    ARRAY(SELECT DISTINCT unnest(o.opened_pgs) FROM window_orders o WHERE o.merchant_uid = a.merchant_uid)
        AS opened_pgs,
    (SELECT bool_and(o.billing_key_id IS NOT NULL) FROM window_orders o WHERE o.merchant_uid = a.merchant_uid)
        AS registers
"""  # noqa: S608 - constants only
"""The columns of `known_attempt`, of attempts `a` joined by OF_AN_ATTEMPT.

Holds that were ended early, or started before a clock was set, hold no longer.
"""

OF_AN_ATTEMPT = """
    CROSS JOIN LATERAL (SELECT * FROM charges WHERE id = a.charge_id OFFSET 0) c
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM billing_keys WHERE id = a.billing_key_id OFFSET 0) k
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
"""
"""The charge `c` of an attempt `a`, its subscription `s`, the key `k` it was made with, and the plan `p`: by their ids.

OFFSET 0 keeps them from becoming a join, whose order statistics would decide: whole tables were read for a hundred.
"""


def attempt_plan(
    row: Row[Any],
    *,
    number: int,
    merchant_uid: str,
    due_at: datetime | None = None,
    window: WindowFacts | None = None,
    earlier: Sequence[str] = (),
    may_have_lost_windows: bool = False,
) -> AttemptPlan:
    """Return the attempt that is to be made next. Raises ValueError or LookupError for an unreadable plan."""
    return AttemptPlan(
        number=number,
        request=_request(row, merchant_uid),
        charge=ChargeTerms(
            id=row.charge_id,
            subscription_id=row.subscription_id,
            billing_key_id=row.billing_key_id,
            due_at=due_at,
            earlier=tuple(earlier),
            may_have_lost_windows=may_have_lost_windows,
        ),
        retry=retry_terms(row),
        window=window,
    )


def known_attempt(row: Row[Any]) -> Attempt:
    """Return an attempt that was made. Raises ValueError or LookupError for an unreadable plan."""
    return Attempt(
        id=row.attempt_id,
        number=row.number,
        request=_request(row, row.merchant_uid),
        charge=ChargeTerms(id=row.charge_id, subscription_id=row.subscription_id, billing_key_id=row.billing_key_id),
        retry=retry_terms(row),
        sends=row.sends,
        lookups=row.lookups,
        started_at=row.started_at,
        refusal=row.refusal,
        via=Via(row.via),
        window=_window_facts(row),
        held_until=row.held_until,
    )


def _request(row: Row[Any], merchant_uid: str) -> ChargeRequest:
    return ChargeRequest(
        customer_uid=row.customer_uid,
        merchant_uid=merchant_uid,
        amount=row.amount,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
        currency=row.currency,
        name=row.order_name,
        pg=row.pg,
        channel_key=row.channel_key,
    )


def retry_terms(row: Row[Any]) -> RetryTerms:
    """Return what the next try of a charge depends on, of a row with OF_ITS_CHARGE. Raises as `attempt_plan` does."""
    return RetryTerms(
        dunning=_dunning(row.dunning),
        time_zone=ZoneInfo(row.time_zone),
        charge_hour=row.charge_hour,
        declines=row.declines,
        first_declined_at=row.first_declined_at,
        deferrals=row.deferrals,
        period_end=row.period_end,
        next_charge_at=row.next_charge_at,
        tried_at=tuple(row.tried_at or ()),
    )


_dunning = lru_cache(maxsize=256)(parse_dunning)  # plans have few calendars, and each claim reads hundreds of rows


def _window_facts(row: Row[Any]) -> WindowFacts | None:
    if row.window_until is None:
        return None
    return WindowFacts(
        payable_until=row.window_until,
        resume_at=row.resume_at,
        opened_pgs=frozenset(row.opened_pgs),
        registers_key=bool(row.registers),
    )


def plan_columns(plan: Plan) -> dict[str, Any]:
    """Return the columns of a plan's row, all but its id and created_at."""
    values = {field.name: getattr(plan, field.name) for field in fields(plan)}
    return {name: str(value) if name in _AS_TEXT else value for name, value in values.items()}


def plan_of(row: Any) -> Plan:
    """Return the plan of any row that has its columns. Raises ValueError or LookupError for an unreadable one."""
    return Plan(
        code=row.code,
        name=row.name,
        amount=row.amount,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
        currency=row.currency,
        cadence=parse_cadence(row.cadence),
        time_zone=ZoneInfo(row.time_zone),
        charge_hour=row.charge_hour,
        trial_days=row.trial_days,
        catch_up=CatchUp(row.catch_up),
        dunning=parse_dunning(row.dunning),
        max_open_charges=row.max_open_charges,
        dunning_end=DunningEnd(row.dunning_end),
        dunning_end_charges=GivenUpAs(row.dunning_end_charges),
        key_deadline_days=row.key_deadline_days,
        grace_days=row.grace_days,
        arrears=parse_arrears(row.arrears),
        notices=parse_notices(row.notices),
        gate=None if row.gate is None else GateMode(row.gate),
    )
