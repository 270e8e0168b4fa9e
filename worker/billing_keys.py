"""Billing keys: what may be one, and adding and finding them. Refusals show a customer_uid masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from worker import channels, customer_uid
from worker.database import billing_keys
from worker.database.models import BillingKey
from worker.database.session import Sessions
from worker.lifecycle import BillingKeyStatus
from worker.refusals import Refused

LONGEST_LABEL = 60

# Longer than a masked card number; a full one has no business here.
_CARD_NUMBER = re.compile(r"\d(?:[ -]?\d){11,}")
_CHANNEL_KEY = re.compile(r"[!-~]{1,55}")

EXPECTED: Mapping[str, str] = {
    "customer_uid": customer_uid.EXPECTED,
    "pg": channels.EXPECTED,
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

    @property
    def wrong(self) -> tuple[str, ...]:
        """Name the fields that are not what EXPECTED says."""
        right = {
            "customer_uid": customer_uid.is_customer_uid(self.customer_uid),
            "pg": self.pg in channels.PGS,
            "channel_key": not self.channel_key or _CHANNEL_KEY.fullmatch(self.channel_key) is not None,
            "label": is_label(self.label),
        }
        return tuple(name for name, is_right in right.items() if not is_right)


def is_label(text: str) -> bool:
    """Say whether a text can be shown with every mention of a key, as a masked card number can."""
    return len(text) <= LONGEST_LABEL and text.isprintable() and _CARD_NUMBER.search(text) is None


def add_key(sessions: Sessions, key: NewKey, *, now: datetime) -> int:
    """Add an active billing key and return its id. Raises Refused for one that is wrong or known already."""
    if key.wrong:
        raise Refused(" ".join(f"{_named(key, name)} must be {EXPECTED[name]}." for name in key.wrong))
    with sessions.begin() as session:
        added = billing_keys.add(
            session,
            customer_uid=key.customer_uid,
            pg=key.pg,
            channel_key=key.channel_key or None,
            label=key.label,
            reason="added by hand",
            now=now,
        )
        if added is None:
            known = billing_keys.matching(session, key.customer_uid)
            ids = " or ".join(str(each.id) for each in known if each.customer_uid == key.customer_uid)
            shown = customer_uid.masked(key.customer_uid)
            raise Refused(f"This customer_uid ({shown}) is billing key {ids} already, which stays as it is.")
    return added


def usable_key(session: Session, text: str) -> BillingKey:
    """Find an active billing key by its id or its customer_uid. Raises Refused when there is none, or two."""
    found = billing_keys.matching(session, text)
    if not found:
        shown = f"id {text}" if len(text) < 12 and text.isdigit() else f"customer_uid {customer_uid.masked(text)}"
        raise Refused(f"There is no billing key with {shown}. `again key list` shows those there are.")
    if len(found) > 1:
        raise Refused(f"{text} is the id of one billing key and the customer_uid of another. Use ids only.")
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
