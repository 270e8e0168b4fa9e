"""What a billing key must be before it is one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from unicodedata import normalize

from worker.domain import customer_uid
from worker.pg import catalog

LONGEST_LABEL = 60

# Longer than a masked card number, whatever stands between its digits but a mask; a full one has no business here.
_CARD_NUMBER = re.compile(r"\d(?:(?:[^\w*•●]|_){0,3}\d){11,}")
_CHANNEL_KEY = re.compile(r"[!-~]{1,55}")

EXPECTED: Mapping[str, str] = {
    "customer_uid": customer_uid.EXPECTED,
    "pg": catalog.EXPECTED,
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
            "customer_uid": customer_uid.is_customer_uid(self.customer_uid),
            "pg": self.pg in catalog.PGS,
            "channel_key": not self.channel_key or _CHANNEL_KEY.fullmatch(self.channel_key) is not None,
            "label": is_label(self.label),
        }
        return tuple(name for name, is_right in right.items() if not is_right)


def is_label(text: str) -> bool:
    """Say whether a text can be shown with every mention of a key, as a masked card number can."""
    return len(text) <= LONGEST_LABEL and text.isprintable() and _CARD_NUMBER.search(text) is None
