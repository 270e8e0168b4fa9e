"""Billing keys: added and found. Refusals show a customer_uid masked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.database.tables.billing import BillingKey
from worker.domain.customer_uid import masked
from worker.domain.errors import Refused
from worker.domain.states import BillingKeyStatus
from worker.subscriptions import key_queries
from worker.subscriptions.key_rules import EXPECTED, NewKey


def add_key(sessions: Sessions, key: NewKey, *, now: datetime) -> int:
    """Add an active billing key and return its id. Raises Refused for one that is wrong or known already."""
    if key.wrong:
        raise Refused(" ".join(f"{_named(key, name)} must be {EXPECTED[name]}." for name in key.wrong))
    with sessions.begin() as session:
        added = key_queries.add(
            session,
            customer_uid=key.customer_uid,
            pg=key.pg,
            channel_key=key.channel_key or None,
            label=key.label,
            reason="added by hand",
            now=now,
        )
        if added is None:
            matching = key_queries.matching(session, key.customer_uid)
            known = next(each.id for each in matching if each.customer_uid == key.customer_uid)
            shown = masked(key.customer_uid)
            raise Refused(f"This customer_uid ({shown}) is billing key {known} already, which stays as it is.")
    return added


def usable_key(session: Session, text: str) -> BillingKey:
    """Find an active billing key by its id or its customer_uid. Raises Refused when there is none, or two."""
    found = key_queries.matching(session, text) if text.isprintable() else ()
    if not found:
        number = text.removeprefix("#")
        shown = f"id {number}" if len(number) < 12 and number.isdigit() else f"customer_uid {masked(text)}"
        raise Refused(f"There is no billing key with {shown}. `again key list` shows those there are.")
    if len(found) > 1:
        raise Refused("The key given is the id of one billing key and the customer_uid of another. Give an id as #ID.")
    key = found[0]
    if key.status is not BillingKeyStatus.ACTIVE:
        reason = f" ({key.status_reason})" if key.status_reason else ""
        raise Refused(f"Billing key {key.id} is {key.status}{reason} and cannot be charged. Use another key.")
    return key


def _named(key: NewKey, name: str) -> str:
    if name == "customer_uid":
        return f"The customer_uid, which has {len(key.customer_uid)} characters,"
    if name == "label":
        return "The label"  # it may hold what it must not
    return f"{name} {getattr(key, name)!r:.60}"
