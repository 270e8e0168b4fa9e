"""What a checkout is about and how far it has come, as values that a page puts into words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from schedules.periods import first_start, next_start
from schedules.plans import Plan
from worker.checkout import subject_queries
from worker.checkout.links import find_checkout, offered_pgs
from worker.checkout.subject_queries import ChargeRow, SubscriptionRow
from worker.checkout.view_status import KeyAvailability, Superseded, key_availability, paid_in_windows, superseded
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.domain.previews import Sentence
from worker.domain.states import BILLED_SUBSCRIPTIONS, ChargeStatus, CheckoutPurpose, CheckoutStatus
from worker.ledger import changes, charges
from worker.ledger.charges import FirstCharge
from worker.ledger.terms import OwnTerms, own_terms
from worker.ledger.upcoming import periods_from, upcoming_periods
from worker.pg.facts import vat_of
from worker.subscriptions.arrears import NOTHING, Arrears, arrears_of
from worker.subscriptions.start_terms import anchor_of, starts_now

SHOWN_PERIODS = 3
"""Periods of which a page shows what they come to, where they differ from the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutView:
    """Everything a page shows, free of any language. Amounts are won, `vat` is a part of `amount`.

    `amount` is that of a whole period, or of the charge that is paid. `coming` is what the next periods come to, where
    that is another sum, for discounts, credits and what is charged once, up to the first of the changes that are
    `planned`, as the customer was told of them. `charges_now`: agreeing leads to a charge at
    once, by the window or right after it. `first_charge_at` is when the first one will be made otherwise; None where
    there is none ahead. `owed` is what a replaced key will be charged with at once, for `owed_periods` periods:
    everything that is open, to the won, whatever it waits for. But for `given_up` won, the older periods that begin at
    `given_up_periods`: by the plan's terms, no new key is charged with those. `pgs` are to choose from, `pg` was chosen
    last. `decline_message` is what the PG said about the last decline. `paid` is what was paid in windows of this
    checkout, 0 before it is done. `paid_until` is the end of the subscription's last period that was paid, also once it
    is over. `superseded` is why the link is of no use any more, though it was not used.
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
    decline_message: str | None
    paid: int = 0
    owed_periods: int = 0
    given_up: int = 0
    given_up_periods: tuple[datetime, ...] = ()
    paid_until: datetime | None = None
    superseded: Superseded | None = None
    key: KeyAvailability = KeyAvailability.WORKS
    coming: tuple[int, ...] = ()
    planned: tuple[Sentence, ...] = ()

    @property
    def first_amount(self) -> int:
        """What is charged first: at once, if anything is."""
        return self.coming[0] if self.coming else self.amount


def view(sessions: Sessions, settings: Settings, code: str, *, now: datetime) -> CheckoutView:
    """Return a checkout as a page shows it now. Raises Refused for an unknown code."""
    with sessions() as session:
        checkout = find_checkout(session, code)
        about = subject_queries.subscription_by_code(session, checkout.subscription_code)
        own = own_terms(session, about.id)
        plan = own.plan
        charge_id = checkout.paid_charge_id
        charge = None if charge_id is None else subject_queries.charge_by_id(session, charge_id)
        kept = charges.first_charge(session, checkout.subscription_id)
        later = own_terms(session, about.id, without=None if kept is None else kept.unpaid_id)
        key = key_availability(session, checkout)
        paid = paid_in_windows(session, checkout)
        purpose = checkout.purpose
        arrears = arrears_of(session, about, now=now) if purpose is CheckoutPurpose.REPLACE else NOTHING
        upcoming = upcoming_periods(
            session, about.id, about.anchor_on, about.next_charge_at, now=now, count=SHOWN_PERIODS
        )
        planned = changes.planned(session, about.id)
        changes_at = min((each.effective_at for each in planned), default=None)
        coming = [each.bill.amount for each in upcoming if changes_at is None or each.period.start < changes_at]
    arrears = arrears.chargeable if checkout.status is CheckoutStatus.DONE else arrears.by_new_key(plan.arrears)
    terms = charge if purpose is CheckoutPurpose.PAY and charge is not None else plan
    times = _times(purpose, about, plan, charge, kept, arrears, now)
    if purpose is CheckoutPurpose.REGISTER and times["period_start"] is not None:
        coming = _from_first(own, later, times.pop("anchor_on"), times["period_start"], kept)
        if not coming[0]:  # there is nothing to pay for it
            times |= {"charges_now": False, "first_charge_at": times["period_end"]}
    return CheckoutView(
        code=checkout.code,
        purpose=purpose,
        status=checkout.status,
        expired=checkout.status is CheckoutStatus.EXPIRED or now >= checkout.expires_at,
        expires_at=checkout.expires_at,
        subscription=checkout.subscription_code,
        plan=plan.code,
        name=terms.order_name if isinstance(terms, ChargeRow) else plan.name,
        amount=terms.amount,
        tax_free=terms.tax_free,
        vat=vat_of(terms.amount, terms.tax_free, terms.vat_amount),
        currency=terms.currency,
        cadence=str(plan.cadence),
        time_zone=str(plan.time_zone),
        trial_days=plan.trial_days,
        with_payment=checkout.with_payment,
        owed=arrears.amount,
        owed_periods=arrears.count,
        given_up=arrears.given_up_amount,
        given_up_periods=tuple(each.period_start for each in arrears.given_up),
        paid_until=about.paid_until,
        pg=checkout.chosen_pg or checkout.pg,
        pgs=(checkout.pg,) if checkout.pg else offered_pgs(settings, purpose, terms),
        decline_message=checkout.decline_message,
        paid=paid,
        superseded=superseded(checkout, charge),
        key=key,
        coming=tuple(coming) if any(amount != plan.amount for amount in coming) else (),
        planned=tuple(Sentence(**each.preview["sentence"]) for each in planned),
        **times,
    )


def _from_first(
    own: OwnTerms, later: OwnTerms, anchor_on: date, start: datetime, kept: FirstCharge | None
) -> list[int]:
    """Return what the first periods come to; one that a window was opened to pay is open, and keeps its amount.

    `later` are the terms without it: it becomes void if the subscription begins on another day.
    """
    periods = periods_from(own.plan, anchor_on, start, count=SHOWN_PERIODS)
    if kept is not None and kept.period_start == start:
        return [kept.amount, *(bill.amount for bill in own.bills(periods[1:]))]
    return [bill.amount for bill in later.bills(periods)]


def _times(
    purpose: CheckoutPurpose,
    about: SubscriptionRow,
    plan: Plan,
    charge: ChargeRow | None,
    kept: FirstCharge | None,
    arrears: Arrears,
    now: datetime,
) -> dict[str, Any]:
    """Return when what is charged, and for which period."""
    times: dict[str, Any] = {"charges_now": False, "first_charge_at": None, "next_charge_at": about.next_charge_at}
    times |= {"period_start": None, "period_end": None}
    if purpose is CheckoutPurpose.PAY and charge is not None:
        return times | {"charges_now": True, "period_start": charge.period_start, "period_end": charge.period_end}
    if purpose is CheckoutPurpose.REPLACE:
        return times | {"charges_now": arrears.amount > 0, "next_charge_at": arrears.next_charge_at}
    if about.status in BILLED_SUBSCRIPTIONS:
        return times
    # Paid in a window, whose key has not come yet.
    if kept is not None and kept.status == ChargeStatus.PAID and not kept.is_refunded:
        following = next_start(plan, about.anchor_on, after=kept.period_end)
        return times | {"first_charge_at": kept.period_end, "next_charge_at": following}
    anchor_on = about.anchor_on if charge is not None else anchor_of(plan, about.anchor_on, now=now)
    start = first_start(plan, anchor_on)
    charges_now = starts_now(plan, anchor_on, now=now)
    end = next_start(plan, anchor_on, after=start)
    return times | {
        "anchor_on": anchor_on,
        "charges_now": charges_now,
        "first_charge_at": None if charges_now else start,
        "next_charge_at": end,
        "period_start": start,
        "period_end": end,
    }
