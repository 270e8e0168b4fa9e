"""Creating a checkout: one link, for one customer and one purpose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from worker.checkout import queries, subject_queries
from worker.checkout.queries import CheckoutRow
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.domain.errors import RefusalCode, Refused
from worker.domain.identifiers import is_code, new_code, read_code
from worker.domain.states import ChargeStatus, CheckoutPurpose, SubscriptionStatus, Via
from worker.ledger import window_attempts
from worker.ledger.terms import own_terms
from worker.pg import catalog
from worker.pg.channels import entry_pgs
from worker.subscriptions.start_terms import Terms, amount_objection, anchor_of, pg_objection, starts_now

_INSTEAD = {
    CheckoutPurpose.REGISTER: "it waits for its first billing key, so there is none to replace; leave `--replace` out.",
    CheckoutPurpose.REPLACE: (
        "it has had its first billing key; `--replace` makes a link that registers another one, and `--charge ID` one "
        "that pays an overdue charge by hand."
    ),
}


@dataclass(frozen=True, slots=True)
class CheckoutLink:
    """What a link is made of. Sign both, for a code alone opens no page. From `expires_at` on it starts nothing new."""

    code: str
    expires_at: datetime

    def has_expired(self, now: datetime) -> bool:
        return now >= self.expires_at


def create_link(
    sessions: Sessions,
    settings: Settings,
    *,
    subscription: str | None = None,
    charge: int | None = None,
    purpose: CheckoutPurpose | None = None,
    pg: str | None = None,
    with_payment: bool = False,
    now: datetime,
) -> CheckoutLink:
    """Create a checkout and return its link, to be signed. Raises Refused for what no page could carry out.

    Without a purpose it is what the subscription needs: its first key, or another one. `with_payment` lets a window
    that can (Kakao Pay's) charge the first period while it registers; after any other it is charged at once.
    """
    if (subscription is None) == (charge is None):
        raise Refused("Give a subscription's code or a charge's number, not both.")
    link = CheckoutLink(new_code(), now + timedelta(seconds=settings.link_seconds))
    with sessions.begin() as session:
        if charge is not None:
            values, terms = _to_pay(session, charge, purpose)
        else:
            values, terms = _to_register(session, subscription or "", purpose, with_payment, settings, now)
        _require_channel(settings, CheckoutPurpose(values["purpose"]), pg, terms, with_payment)
        values |= {"code": link.code, "expires_at": link.expires_at, "pg": pg, "with_payment": with_payment}
        queries.add(session, values, now=now)
    return link


def find_checkout(session: Session, code: str) -> CheckoutRow:
    """Return a checkout. Raises Refused for an unknown code."""
    found = queries.find(session, code) if is_code(code) else None
    if found is None:
        raise Refused("This link leads to nothing; ask for a new one.", code=RefusalCode.LINK)
    return found


def terms_of(session: Session, checkout: CheckoutRow) -> Terms:
    """Return the amounts that a checkout is about: those of the charge that it pays, else of each whole period."""
    if checkout.purpose is CheckoutPurpose.PAY:
        assert checkout.charge_id is not None, "a checkout that pays has its charge"
        return subject_queries.charge_by_id(session, checkout.charge_id)
    return own_terms(session, checkout.subscription_id).plan


def offered_pgs(settings: Settings, purpose: CheckoutPurpose, terms: Terms) -> tuple[str, ...]:
    """Return the PGs that a customer may choose from: those that can take it, now and with every later charge."""
    in_window = purpose is CheckoutPurpose.PAY
    return tuple(pg for pg in _channels(settings, purpose) if pg_objection(terms, pg, in_window=in_window) is None)


def _channels(settings: Settings, purpose: CheckoutPurpose) -> tuple[str, ...]:
    return entry_pgs(settings.payment_channels if purpose is CheckoutPurpose.PAY else settings.key_channels)


def _to_pay(session: Session, charge_id: int, purpose: CheckoutPurpose | None) -> tuple[dict[str, Any], Terms]:
    if purpose not in {None, CheckoutPurpose.PAY}:
        raise Refused("A charge can be paid; a key is registered for a subscription.")
    charge = window_attempts.locked_charge(session, charge_id)
    if charge is None:
        raise Refused(f"There is no charge {charge_id}. `again charge list` shows those there are.")
    terms = subject_queries.charge_by_id(session, charge_id)
    by_hand = charge.status == ChargeStatus.CHARGING and charge.last_via == Via.WINDOW
    if not (charge.is_payable or by_hand):
        raise Refused(
            f"Charge {charge_id} is {charge.status}; only one that is past due, or was given up, is paid by hand."
        )
    if charge.in_question:
        raise Refused(f"PortOne shows money for charge {charge_id} that is in question; see `again review list` first.")
    subscription = subject_queries.subscription_by_code(session, terms.subscription_code)
    values = {"purpose": CheckoutPurpose.PAY, "subscription_id": subscription.id, "charge_id": charge_id}
    return values, terms


def _to_register(
    session: Session,
    written: str,
    purpose: CheckoutPurpose | None,
    with_payment: bool,
    settings: Settings,
    now: datetime,
) -> tuple[dict[str, Any], Terms]:
    code = read_code(written)
    found = subject_queries.find_subscription(session, code)
    if found is None:
        raise Refused(f"There is no subscription {written!r:.60}. `again subscription list` shows those there are.")
    needed = CheckoutPurpose.REGISTER if found.status is SubscriptionStatus.PENDING else CheckoutPurpose.REPLACE
    if found.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}:
        raise Refused(
            f"Subscription {code} is {found.status}, which is for good; it needs no billing key.", code=RefusalCode.OVER
        )
    if purpose not in {None, needed}:
        raise Refused(f"Subscription {code} is {found.status}: {_INSTEAD[needed]}")
    if with_payment and needed is not CheckoutPurpose.REGISTER:
        raise Refused("Only the first key is registered with a payment. `--charge` makes a link that pays what is due.")
    plan = own_terms(session, found.id).plan
    if objection := amount_objection(plan, None, max_amount=settings.max_amount):
        raise Refused(f"Subscription {code} costs {plan.amount:,} {plan.currency}, but {objection}.")
    if with_payment and not starts_now(plan, anchor_of(plan, found.anchor_on, now=now), now=now):
        raise Refused(f"Nothing of subscription {code} is due today, so its key is registered without a payment.")
    return {"purpose": needed, "subscription_id": found.id, "charge_id": None}, plan


def _require_channel(
    settings: Settings, purpose: CheckoutPurpose, pg: str | None, terms: Terms, with_payment: bool
) -> None:
    choices = _channels(settings, purpose)
    if pg is not None and pg not in choices:
        raise Refused(f"{pg!r:.40} is no channel for this; choose {' or '.join(choices) or 'none'}.")
    if with_payment and pg is not None and not catalog.charges_in_window(pg):
        name = catalog.PGS[pg].name
        raise Refused(f"{name} charges nothing in that window; leave the payment out, and it is made right afterwards.")
    in_window = purpose is CheckoutPurpose.PAY
    objections = [pg_objection(terms, each, in_window=in_window) for each in ((pg,) if pg else choices)]
    if all(objections):
        raise Refused(f"{terms.amount:,} KRW cannot be paid: {'; '.join(filter(None, objections))}.")
