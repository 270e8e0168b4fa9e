"""What looks like the same customer twice is refused, unless it is meant."""

from __future__ import annotations

from sqlalchemy.orm import Session

from worker.database.tables.billing import BillingKey
from worker.domain.errors import Refused
from worker.subscriptions import duplicate_queries


def require_no_look_alike(session: Session, code: str) -> None:
    """Refuse what may be the same customer once more. Raised inside the transaction, so nothing of it is written."""
    if (other := duplicate_queries.of_reference(session, code)) is not None:
        raise Refused(
            f"The customer of {other} has a running subscription to the same plan, by a reference that differs in "
            "case, width or spaces only. Use that one, or give --allow-duplicates if they are two customers."
        )


def require_no_same_key(session: Session, code: str, name: str) -> None:
    """Refuse a key that pays for the same plan already: most likely one customer, who would pay twice."""
    if (other := duplicate_queries.of_key(session, code)) is not None:
        raise Refused(
            f"The billing key given as {name} pays for the same plan already, for subscription {other}: it would be "
            "charged for both. Give --allow-duplicates if that is meant."
        )


def require_meant(session: Session, code: str, given: str | None, key: BillingKey | None) -> None:
    """Refuse a bare number that may be a customer_uid not added yet, and is another customer's key by its id."""
    if given is None or key is None or not given.isdigit() or key.customer_uid == given:
        return
    if (other := duplicate_queries.of_another_customer(session, code)) is not None:
        raise Refused(
            f"{given} is the id of a billing key that pays for {other}, of another customer. If you mean that key, "
            f"give #{given}; the customer_uid {given} is none that is known, and `again key add` adds one."
        )
