"""SQL of the e-mail addresses of subscriptions: personal data, so no other table has any, and nothing logs them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.errors import Refused

_SET = text("""
    INSERT INTO subscription_emails AS e (subscription_id, address, language, given_at)
    SELECT id, :address, :language, :now FROM subscriptions WHERE code = :code
    ON CONFLICT (subscription_id) DO UPDATE SET
        address = excluded.address, language = excluded.language, given_at = excluded.given_at
    RETURNING subscription_id
""")

_ERASE = text("""
    DELETE FROM subscription_emails WHERE subscription_id = (SELECT id FROM subscriptions WHERE code = :code)
    RETURNING subscription_id
""")

_OF = text("""
    SELECT e.address, e.language FROM subscriptions s JOIN subscription_emails e ON e.subscription_id = s.id
    WHERE s.code = :code
""")


def set_address(session: Session, code: str, address: str, language: str, *, now: datetime) -> None:
    """Set the address of a subscription, in place of another one. Raises Refused for an unknown code."""
    values = {"code": code, "address": address, "language": language, "now": now}
    if session.execute(_SET, values).first() is None:
        raise Refused(f"There is no subscription {code}. `again subscription list` shows those there are.")


def erase(session: Session, code: str) -> bool:
    """Delete the address of a subscription; False where it has none."""
    return session.execute(_ERASE, {"code": code}).first() is not None


def address_of(session: Session, code: str) -> tuple[str, str] | None:
    """Return the address of a subscription and the language of its notices."""
    row = session.execute(_OF, {"code": code}).one_or_none()
    return None if row is None else (row.address, row.language)
