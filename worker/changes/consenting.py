"""The customer's consent to other terms, as the operator who asks for them has it: written down with the change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, Subject
from worker.domain.states import ConsentSource
from worker.ledger import changes
from worker.ledger.terms_consents import add_to_terms
from worker.subscriptions.terms_queries import standing


def write_consent(session: Session, subject: Subject, given: Circumstances) -> None:
    """Write down that the customer has agreed to the terms that a locked subscription has by now.

    They did when the change was asked for, which may be long before it takes effect. Without a billing key nothing can
    be charged, and whatever key comes is agreed to by itself.
    """
    now_standing = standing(session, subject.id)
    if now_standing.billing_key_id is None:
        return
    named = "" if given.change_id is None else f" (change {given.change_id})"
    values = {
        "checkout_id": None,
        "billing_key_id": now_standing.billing_key_id,
        "source": ConsentSource.OPERATOR,
        "wording": f"by command: {given.reason}{named}",
        "next_charge_at": now_standing.terms.next_charge_at,
    }
    add_to_terms(session, subject.id, values, agreed_at=_asked_at(session, given))


def _asked_at(session: Session, given: Circumstances) -> datetime:
    change = None if given.change_id is None else changes.found(session, given.change_id)
    return given.now if change is None else change.created_at
