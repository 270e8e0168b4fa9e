"""The e-mail address of a subscription, for its notices: given by choice, and erased at any time."""

from __future__ import annotations

from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.domain.notices.addresses import read_address, read_language
from worker.subscriptions import email_queries


def give_address(sessions: Sessions, code: str, address: str, *, language: str = "ko", now: datetime) -> str:
    """Send the notices of a subscription to an address from now on, and return its code. Raises Refused."""
    of, to, spoken = read_code(code), read_address(address), read_language(language)
    with sessions.begin() as session:
        email_queries.set_address(session, of, to, spoken, now=now)
    return of


def erase_address(sessions: Sessions, code: str) -> str:
    """Delete the address of a subscription, and return its code. Raises Refused where there is none."""
    of = read_code(code)
    with sessions.begin() as session:
        if not email_queries.erase(session, of):
            raise Refused(f"Subscription {of} has no e-mail address, so there is none to erase.")
    return of
