"""Billing keys: what one must be, added and found. Refusals show a customer_uid masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from unicodedata import normalize

from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.database.tables.billing import BillingKey
from worker.domain import identifiers
from worker.domain.errors import Refused
from worker.domain.identifiers import masked
from worker.domain.states import BillingKeyStatus
from worker.pg import catalog
from worker.subscriptions import key_queries

LONGEST_LABEL = 60

# Longer than a masked card number, whatever stands between its digits but a mask; a full one has no business here.
_CARD_NUMBER = re.compile(r"\d(?:(?:[^\w*•●]|_){0,3}\d){11,}")
_CHANNEL_KEY = re.compile(r"[!-~]{1,55}")

EXPECTED: Mapping[str, str] = {
    "customer_uid": identifiers.CUSTOMER_UID_EXPECTED,
    "pg": catalog.EXPECTED_PG,
    "channel_key": "1 to 55 printable ASCII characters without spaces, or nothing",
    "label": f"at most {LONGEST_LABEL} printable characters, and no full card number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A billing key as someone gives it: texts that may be wrong."""

    customer_uid: str = field(repr=False)
    pg: str
    channel_key: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", normalize("NFC", self.label))

    @property
    def wrong(self) -> tuple[str, ...]:
        """Name the fields that are not what EXPECTED says."""
        right = {
            "customer_uid": identifiers.is_customer_uid(self.customer_uid),
            "pg": self.pg in catalog.PGS,
            "channel_key": not self.channel_key or _CHANNEL_KEY.fullmatch(self.channel_key) is not None,
            "label": is_label(self.label),
        }
        return tuple(name for name, is_right in right.items() if not is_right)


def is_label(text: str) -> bool:
    """Return whether a text can be shown with every mention of a key, as a masked card number can."""
    return len(text) <= LONGEST_LABEL and text.isprintable() and _CARD_NUMBER.search(text) is None


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
