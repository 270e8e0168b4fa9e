"""Opening charges: the rows of periods that have started, for every due subscription or for one at this instant."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod, Opening, due_periods, within
from schedules.plans import CatchUp, Plan
from worker.database.bulk import as_rows
from worker.database.mapping import plan_of
from worker.domain.states import ChargeStatus
from worker.ledger.billed_opening import BilledPeriod, open_billed
from worker.ledger.due_subscriptions import DueSubscriptions
from worker.ledger.new_charges import NOTHING_TO_CHARGE, NewCharge, OpenedCharge, OpenedCharges, open_charges
from worker.ledger.subscription_status import settle_subscriptions

BEGAN = "its period began"
BEYOND = "it passed while as many charges were unpaid as the plan allows"

# Not `=`: an index of instants must not be gone through for a row whose id is known.
_ADVANCE = text("""
    UPDATE subscriptions s
    SET next_charge_at = v.next_charge_at, current_period_start = v.current_period_start,
        current_period_end = v.current_period_end,
        waiting_since = CASE WHEN v.waits THEN COALESCE(s.waiting_since, CAST(:now AS timestamptz)) END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        ids bigint[], expected timestamptz, next_charge_at timestamptz, current_period_start timestamptz,
        current_period_end timestamptz, waits boolean), unnest(v.ids) AS due_id
    WHERE s.id = due_id AND s.next_charge_at IS NOT DISTINCT FROM v.expected
""")


Decision = tuple[DueSubscriptions, Opening]
"""Due subscriptions, and what becomes of their periods that have started."""


def open_decided(session: Session, decided: Sequence[Decision], *, now: datetime) -> OpenedCharges:
    """Open the charges of locked subscriptions, and move them on; a period that has its charge already is left alone.

    In bulk where a charge is the plan's alone, and by bills of their own where it differs by adjustments. A trial is
    not over for it: its first charge has to be paid, or is settled with nothing to pay.
    """
    plain = [charge for due, opening in decided for charge in charges_of(due, opening)]
    opened = open_charges(session, plain, now=now)
    adjusted = [each for each in decided if each[0].is_adjusted]
    billed = _open_adjusted(session, adjusted, now) if adjusted else []
    advance(session, [advanced(due, opening) for due, opening in decided], now=now)
    if free := [each.subscription_id for each in billed if each.status is ChargeStatus.PAID]:
        settle_subscriptions(session, free, reason=NOTHING_TO_CHARGE, now=now)
    due_ids = [each.id for each in billed if each.status is ChargeStatus.DUE]
    return OpenedCharges([*opened.due, *due_ids], opened.void, paid=len(billed) - len(due_ids))


def _open_adjusted(session: Session, decided: Sequence[Decision], now: datetime) -> list[OpenedCharge]:
    """Open the first due period of each, then the second: what one period leaves, the next one uses."""
    opened: list[OpenedCharge] = []
    for number in range(max(len(opening.open) for _, opening in decided)):
        wanted = [_billed(due, opening.open[number]) for due, opening in decided if number < len(opening.open)]
        opened += open_billed(session, wanted, now=now).values()
    return opened


def _billed(due: DueSubscriptions, period: BillingPeriod) -> BilledPeriod:
    return BilledPeriod(
        subscription_id=due.ids[0],
        period=period,
        line=due.line,
        currency=due.currency,
        order_name=due.name,
        reason=BEGAN,
        queue=due.queue,
    )


def advance(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Move subscriptions to the first period that has no charge yet."""
    session.execute(_ADVANCE, {"rows": as_rows(rows), "now": now})


def open_due_now(
    session: Session,
    due: DueSubscriptions,
    *,
    now: datetime,
    until: datetime | None = None,
    on_time: bool = False,
    most: int | None = None,
) -> bool:
    """Open the charges of a locked subscription's periods that have started by now, however many no tick has opened.

    Those of `until` are opened that had started by then, for something else follows from there on. `on_time`: as if
    each had been opened when it began, as previews of what is to come want it, so that no catch-up policy skips any.
    Returns False, with nothing opened, when there are more than `most`.
    """
    opening = opening_of(due, now=until or now, on_time=on_time, cap=sys.maxsize if most is None else most + 1)
    if most is not None and len(opening.open) + len(opening.void) + len(opening.beyond) > most:
        return False
    open_decided(session, [(due, opening)], now=now)
    return True


def opening_of(due: DueSubscriptions, *, now: datetime, on_time: bool = False, cap: int = sys.maxsize) -> Opening:
    """Return what becomes of the first `cap` periods of a subscription that have started and have no charge yet."""
    plan = plan_of(due)
    return opening_by(replace(plan, catch_up=CatchUp.ALL) if on_time else plan, due, now=now, cap=cap)


def opening_by(plan: Plan, due: DueSubscriptions, *, now: datetime, cap: int) -> Opening:
    """Return what becomes of the first `cap` periods: what the plan's catch-up policy and its limit leave open.

    Behind a dead key each further charge is one more that is unpaid; with a good one, what is behind is caught up with.
    """
    opening = due_periods(plan, due.anchor_on, next_charge_at=due.next_charge_at, now=now, cap=cap)
    if due.has_key and due.unpaid < plan.max_open_charges:
        return opening
    return within(opening, max(plan.max_open_charges - due.unpaid, 0))


def charges_of(due: DueSubscriptions, opening: Opening) -> Iterator[NewCharge]:
    """Return the charges to open in bulk: those that their plan alone makes up, and the void ones.

    A period that the catch-up policy skips gets a void one: nothing due is forgotten. It uses up no adjustment.
    """
    for period in () if due.is_adjusted else opening.open:
        yield _charge(due, period, ChargeStatus.DUE, BEGAN)
    for period in opening.void:
        yield _charge(due, period, ChargeStatus.VOID, f"skipped by the plan's catch-up policy ({due.catch_up})")
    for period in opening.beyond:
        yield _charge(due, period, ChargeStatus.VOID, f"{BEYOND} ({due.max_open_charges})")


def advanced(due: DueSubscriptions, opening: Opening) -> Mapping[str, Any]:
    """Return where subscriptions stand once the charges of an opening, which has one at least, are open."""
    newest = max((*opening.open, *opening.void, *opening.beyond), key=lambda period: period.start)
    return {
        "ids": due.ids,
        "expected": due.next_charge_at,
        "next_charge_at": opening.next_charge_at,
        "current_period_start": newest.start,
        "current_period_end": newest.end,
        "waits": bool(opening.beyond),
    }


def _charge(due: DueSubscriptions, period: BillingPeriod, status: ChargeStatus, reason: str) -> NewCharge:
    return NewCharge(
        subscription_ids=due.ids,
        period_start=period.start,
        period_end=period.end,
        amount=due.line.amount,
        tax_free=due.line.tax_free,
        vat_amount=due.line.vat_amount,
        currency=due.currency,
        order_name=due.name,
        status=status,
        reason=reason,
        queue=due.queue,
    )
