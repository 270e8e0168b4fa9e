"""A customer agrees: the consent is written down, and what a window may do is committed before one can open."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.checkout import order_queries as orders
from worker.checkout import queries
from worker.checkout.consent import consent
from worker.checkout.links import find_checkout, offered_pgs, terms_of
from worker.checkout.window_order import channel_entries, prepare_window
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.states import CheckoutPurpose, CheckoutStatus, ConsentSource
from worker.domain.window_evidence import WINDOW_LIFE
from worker.ledger import window_attempts
from worker.ledger.charging_hold import goes_on
from worker.ledger.database_identity import watch_of
from worker.pg import window
from worker.pg.channels import channel_for
from worker.pg.window.request import Buyer, CallbackUrls, WindowRequest

MAX_WINDOWS = 50
"""So often one checkout opens a window; beyond, something else than a customer is at work."""

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
    source: ConsentSource = ConsentSource.CHECKOUT,
    now: datetime,
) -> dict[str, Any]:
    """Write down the consent, commit the attempt or the key, and give the parameters of `IMP.request_pay`.

    Agreed to again, in another tab or after a refusal, the window is of the same order: PortOne takes each once. `owed`
    is the sum that the customer was shown as owed. Raises Refused, and OwedAmountChanged when it is another one by now;
    then nothing is changed.
    """
    if not 1 <= len(wording) <= MAX_WORDING_LENGTH or not wording.isprintable():
        raise Refused("The version of the wording is missing.")
    with sessions.begin() as session:  # by itself: everybody waits for the row that it may touch
        compared = goes_on(session, watch_of(settings), now=now)
    with sessions.begin() as session:
        row = _locked(session, code, now)
        pg = _pg(session, settings, row, pg_choice)
        if not compared or window_attempts.is_stopped(session, pg):
            raise Refused(HELD)
        prepared = prepare_window(session, settings, row, pg, now)
        use, order = prepared.use, prepared.order
        consent(session, row, prepared.key_id, source=source, wording=wording, owed=owed, now=now)
        request = WindowRequest(
            use=use,
            channel=channel_for(channel_entries(settings, use), pg, use, sandbox=not settings.live),
            order=order,
            customer_uid=prepared.customer_uid,
            buyer=buyer,
            callback_urls=callback_urls,
        )
        parameters = window.build(request)  # raises Refused, and everything above is rolled back
        orders.opened(
            session,
            row.id,
            merchant_uid=order.merchant_uid,
            pg=pg,
            charge_id=prepared.charge_id,
            billing_key_id=prepared.key_id,
            amount=order.amount,
            now=now,
        )
        reason = f"agreed to wording {wording}; a payment window may open"
        values = {
            "reason": reason,
            "wording": wording,
            "window_until": now + WINDOW_LIFE,
            "next_look_at": now + queries.FIRST_LOOK,
        }
        if not queries.opened(session, row.id, values, now=now):
            raise Refused("This link has been used already.")
    return parameters


def _locked(session: Session, code: str, now: datetime) -> Row[Any]:
    row = queries.locked(session, code) or find_checkout(session, code)
    if row.status == CheckoutStatus.DONE:
        raise Refused("This is done already; nothing more is to be paid or registered with this link.")
    if row.status == CheckoutStatus.EXPIRED or now >= row.expires_at:
        raise Refused("This link has expired; ask for a new one.")
    if row.windows >= MAX_WINDOWS:
        raise Refused("This link was used too often; ask for a new one.")
    return row


def _pg(session: Session, settings: Settings, row: Row[Any], choice: str | None) -> str:
    """Settle which PG it is: a link's own, or the customer's choice, which they may change with each window."""
    purpose = CheckoutPurpose(row.purpose)
    choices = (row.pg,) if row.pg else offered_pgs(settings, purpose, terms_of(session, row))
    pg = choice or row.chosen_pg or (choices[0] if len(choices) == 1 else None)
    if not choices:
        raise Refused("Nothing that is set up here can take this amount; please contact the shop.")
    if pg is None or pg not in choices:
        raise Refused(f"Choose how to pay: {' or '.join(choices)}.")
    return str(pg)
