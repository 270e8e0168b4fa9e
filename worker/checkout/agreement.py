"""A customer agrees: the consent is recorded, and what a window may do is committed before one can open."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from worker.checkout import order_queries, queries
from worker.checkout.consent import agreed_to, record_consent
from worker.checkout.links import find_checkout, offered_pgs, terms_of
from worker.checkout.queries import CheckoutRow
from worker.checkout.window_order import channel_entries, prepare_window
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.domain.errors import RefusalCode, Refused
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import CheckoutStatus, ConsentSource
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger import window_attempts
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import hold_policy_of
from worker.pg import window
from worker.pg.channels import channel_for
from worker.pg.window.request import Buyer, CallbackUrls, WindowRequest

MAX_WINDOWS = 50
"""Windows that one checkout may open; more is no customer."""

MAX_WORDING_LENGTH = 40
HELD = "Payments are held just now; please try again later."


def agree(
    sessions: Sessions,
    settings: Settings,
    code: str,
    *,
    wording: str,
    buyer: Buyer,
    pg_choice: str | None,
    callback_urls: CallbackUrls,
    owed: int | None = None,
    given_up: int | None = None,
    source: ConsentSource = ConsentSource.CHECKOUT,
    terms: ShownTerms | None = None,
    now: datetime,
) -> dict[str, Any]:
    """Record the consent, commit the attempt or the key, and return the parameters of `IMP.request_pay`.

    When a customer agrees again, in another tab or after a decline, the window is of the same order: PortOne takes each
    once. `owed` is the sum that the customer was shown as owed, `given_up` the one that they were shown as not charged
    to the new key. Raises Refused, and OwedAmountChanged when one is another by now; then nothing is changed.
    """
    if not 1 <= len(wording) <= MAX_WORDING_LENGTH or not wording.isprintable():
        raise Refused("The version of the wording is missing.")
    with sessions.begin() as session:  # a transaction of its own: every process waits for the row that it may touch
        allowed = charging_is_allowed(session, hold_policy_of(settings), now=now)
    with sessions.begin() as session:
        checkout = _lock_usable(session, code, now)
        pg = _pg(session, settings, checkout, pg_choice)
        if not allowed or window_attempts.is_stopped(session, pg, checkout.subscription_id):
            raise Refused(HELD, code=RefusalCode.BUSY)
        prepared = prepare_window(session, settings, checkout, pg, now)
        use, order = prepared.use, prepared.order
        agreed = agreed_to(session, checkout, owed=owed, given_up=given_up, now=now)
        record_consent(session, checkout, prepared.key_id, agreed, source=source, wording=wording, terms=terms, now=now)
        request = WindowRequest(
            use=use,
            channel=channel_for(channel_entries(settings, use), pg, use, sandbox=not settings.live),
            order=order,
            customer_uid=prepared.customer_uid,
            buyer=buyer,
            callback_urls=callback_urls,
        )
        parameters = window.build(request)  # raises Refused, and everything above is rolled back
        order_queries.record_opened(
            session,
            checkout.id,
            merchant_uid=order.merchant_uid,
            pg=pg,
            charge_id=prepared.charge_id,
            billing_key_id=prepared.key_id,
            amount=order.amount,
            now=now,
        )
        values = {
            "reason": f"agreed to wording {wording}; a payment window may open",
            "wording": wording,
            "window_until": now + WINDOW_LIFE,
            "next_lookup_at": now + queries.FIRST_LOOKUP_AFTER,
        }
        if not queries.mark_opened(session, checkout.id, values, now=now):
            raise Refused("This link has been used already.", code=RefusalCode.LINK)
    return parameters


def _lock_usable(session: Session, code: str, now: datetime) -> CheckoutRow:
    checkout = queries.lock(session, code) or find_checkout(session, code)
    if checkout.status is CheckoutStatus.DONE:
        raise Refused(
            "This is done already; nothing more is to be paid or registered with this link.", code=RefusalCode.LINK
        )
    if checkout.status is CheckoutStatus.EXPIRED or now >= checkout.expires_at:
        raise Refused("This link has expired; ask for a new one.", code=RefusalCode.LINK)
    if checkout.windows >= MAX_WINDOWS:
        raise Refused("This link was used too often; ask for a new one.", code=RefusalCode.LINK)
    return checkout


def _pg(session: Session, settings: Settings, checkout: CheckoutRow, choice: str | None) -> str:
    """Return the PG: a link's own, or the customer's choice, which may change with each window. Raises Refused."""
    choices = (checkout.pg,) if checkout.pg else offered_pgs(settings, checkout.purpose, terms_of(session, checkout))
    pg = choice or checkout.chosen_pg or (choices[0] if len(choices) == 1 else None)
    if not choices:
        raise Refused("Nothing that is set up here can take this amount; please contact the shop.")
    if pg is None or pg not in choices:
        raise Refused(f"Choose how to pay: {' or '.join(choices)}.", code=RefusalCode.HOW_TO_PAY)
    return pg
