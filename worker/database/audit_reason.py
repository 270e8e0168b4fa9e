"""The reason of an act that no column holds: set for the transaction, and written into the audit by its triggers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_GIVE = text("SELECT set_config('again.reason', :reason, true), set_config('again.at', :at, true)")


def give_reason(session: Session, reason: str, *, now: datetime) -> None:
    """Set why, and when, the following acts of this transaction are done."""
    session.execute(_GIVE, {"reason": reason, "at": now.isoformat()})
