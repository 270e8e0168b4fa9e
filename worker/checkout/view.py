"""What a checkout is about and how it stands, as values that a page puts into words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from schedules.periods import first_start, next_start
from schedules.plans import Plan
from worker.checkout.links import CHARGE, SUBSCRIPTION, find_checkout, offered_pgs
from worker.checkout.view_status import KeyAvailability, Superseded, key_availability, paid_in_windows, superseded
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.domain.states import BILLED_SUBSCRIPTIONS, ChargeStatus, CheckoutPurpose, CheckoutStatus
from worker.ledger import charges
from worker.pg.facts import vat_of
from worker.subscriptions.arrears import NOTHING, Arrears, arrears_of
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import anchor_of, starts_now


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutView:
    """Everything a page shows, free of any language. Amounts are won, `vat` is a part of `amount`.

    `charges_now`: agreeing leads to a charge at once, by the window or right after it. `first_charge_at` is when the
    first one will be made otherwise; None where there is none ahead. `owed` is what a replaced key will be charged with
    at once, for `owed_periods` periods: everything that is open, to the won, whatever it waits for. `pgs` are to choose
    from, `pg` was chosen last. `said` is the PG's last refusal. `paid` is what was paid in windows of this checkout, 0
    before it is done. `paid_until` is the end of the subscription's last period that was paid, also once it is over.
    """

    code: str
    purpose: CheckoutPurpose
    status: CheckoutStatus
    expired: bool
    expires_at: datetime
    subscription: str
    plan: str
    name: str
    amount: int
    tax_free: int
    vat: int
    currency: str
    cadence: str
    time_zone: str
    trial_days: int
    charges_now: bool
    with_payment: bool
    first_charge_at: datetime | None
    next_charge_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    owed: int
    pg: str | None
    pgs: tuple[str, ...]
    said: str | None
    paid: int = 0
    owed_periods: int = 0
    paid_until: datetime | None = None
    superseded: Superseded | None = None
    key: KeyAvailability = KeyAvailability.WORKS


def view(sessions: Sessions, settings: Settings, code: str, *, now: datetime) -> CheckoutView:
    """Show a checkout as it stands. Raises Refused for a code that is none."""
    with sessions() as session:
        row = find_checkout(session, code)
        about = session.execute(SUBSCRIPTION, {"code": row.subscription_code}).one()
        plan = plan_of(plan_row(session, about.plan_code))
        charge = None if row.paid_charge_id is None else session.execute(CHARGE, {"id": row.paid_charge_id}).one()
        kept = charges.first_charge(session, row.subscription_id)
        key = key_availability(session, row)
        paid = paid_in_windows(session, row)
        purpose = CheckoutPurpose(row.purpose)
        arrears = arrears_of(session, about, now=now) if purpose is CheckoutPurpose.REPLACE else NOTHING
    if row.status == CheckoutStatus.DONE:
        arrears = arrears.chargeable
    terms = charge if purpose is CheckoutPurpose.PAY and charge is not None else plan
    times = _times(purpose, about, plan, charge, kept, arrears, now)
    return CheckoutView(
        code=row.code,
        purpose=purpose,
        status=CheckoutStatus(row.status),
        expired=row.status == CheckoutStatus.EXPIRED or now >= row.expires_at,
        expires_at=row.expires_at,
        subscription=row.subscription_code,
        plan=plan.code,
        name=terms.order_name if terms is charge and charge is not None else plan.name,
        amount=terms.amount,
        tax_free=terms.tax_free,
        vat=vat_of(terms.amount, terms.tax_free, terms.vat_amount),
        currency=terms.currency,
        cadence=str(plan.cadence),
        time_zone=str(plan.time_zone),
        trial_days=plan.trial_days,
        with_payment=row.with_payment,
        owed=arrears.amount,
        owed_periods=arrears.count,
        paid_until=about.paid_until,
        pg=row.chosen_pg or row.pg,
        pgs=(row.pg,) if row.pg else offered_pgs(settings, purpose, terms),
        said=row.said,
        paid=paid,
        superseded=superseded(row, charge),
        key=key,
        **times,
    )


def _times(
    purpose: CheckoutPurpose,
    about: Row[Any],
    plan: Plan,
    charge: Row[Any] | None,
    kept: Row[Any] | None,
    arrears: Arrears,
    now: datetime,
) -> dict[str, Any]:
    """Say when what is charged, and for which period."""
    times: dict[str, Any] = {"charges_now": False, "first_charge_at": None, "next_charge_at": about.next_charge_at}
    times |= {"period_start": None, "period_end": None}
    if purpose is CheckoutPurpose.PAY and charge is not None:
        return times | {"charges_now": True, "period_start": charge.period_start, "period_end": charge.period_end}
    if purpose is CheckoutPurpose.REPLACE:
        return times | {"charges_now": arrears.amount > 0, "next_charge_at": arrears.next_charge_at}
    if about.status in BILLED_SUBSCRIPTIONS:
        return times
    if (
        kept is not None and kept.status == ChargeStatus.PAID and not kept.given_back
    ):  # in a window, whose key has not come
        following = next_start(plan, about.anchor_on, after=kept.period_end)
        return times | {"first_charge_at": kept.period_end, "next_charge_at": following}
    anchor_on = about.anchor_on if charge is not None else anchor_of(plan, about.anchor_on, now=now)
    start = first_start(plan, anchor_on)
    at_once = starts_now(plan, anchor_on, now=now)
    end = next_start(plan, anchor_on, after=start)
    return times | {
        "charges_now": at_once,
        "first_charge_at": None if at_once else start,
        "next_charge_at": end,
        "period_start": start,
        "period_end": end,
    }
