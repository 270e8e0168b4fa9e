"""Agreeing to the terms that a subscription has, once more: before a trial becomes paid, or when a consent is too old.

Nothing changes but that a consent is on record. What the consent gate has held for want of it is released.
"""

from __future__ import annotations

from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.errors import RefusalCode, Refused
from worker.domain.shown_terms import ShownTerms, require_wording
from worker.domain.states import ConsentSource, SubscriptionStatus
from worker.ledger import charges, consents
from worker.ledger.consents import Consent
from worker.ledger.terms import own_terms
from worker.subscriptions.locking import lock_running


def agree_to_terms(
    sessions: Sessions,
    code: str,
    *,
    amount: int | None,
    wording: str,
    source: ConsentSource,
    terms: ShownTerms | None = None,
    now: datetime,
) -> Consent:
    """Write down that the customer has agreed to what a subscription costs, and return the consent.

    `amount` is what they were shown as the price of a whole period, in won, discounts not counted; None for what it is
    now. Raises Refused when it is another one, for a subscription that is over, and for one that has no key yet: its
    customer agrees with the first one.
    """
    require_wording(wording)
    with sessions.begin() as session:
        charges.lock_open_charges(session, code)
        row = lock_running(session, code, "agreed to")
        if row.status is SubscriptionStatus.PENDING:
            raise Refused(
                f"Subscription {code} waits for its first billing key, and its customer agrees with that: `again "
                f"checkout link {code}`.",
                code=RefusalCode.WRONG_STATE,
            )
        plan = own_terms(session, row.id).plan
        if amount not in {None, plan.amount}:
            raise Refused(
                f"A period of subscription {code} costs {plan.amount:,} KRW, and not {amount:,} KRW as was shown; show "
                "it to the customer, and ask again.",
                code=RefusalCode.CHANGED,
            )
        return consents.to_change(
            session,
            row.id,
            amount=plan.amount,
            effective_at=row.next_charge_at or now,
            source=source,
            wording=wording,
            terms=terms,
            now=now,
        )
