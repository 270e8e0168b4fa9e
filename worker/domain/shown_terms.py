"""The terms that a customer agreed to, as they were shown: kept whole, so that they can be shown years later. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from worker.domain.errors import Refused

LONGEST_TEXT = 20_000
"""Characters of what was shown, and of how to withdraw."""

LONGEST_WORDING = 40
"""Characters of the name of a text: its version and language."""


@dataclass(frozen=True, slots=True)
class ShownTerms:
    """The text that a customer has seen and agreed to, and what it said about withdrawing. Raises Refused if empty."""

    text: str
    withdrawal: str

    def __post_init__(self) -> None:
        for name, said in (("text", self.text), ("way to withdraw", self.withdrawal)):
            if not said.strip() or len(said) > LONGEST_TEXT or "\0" in said:
                raise Refused(
                    f"The {name} that the customer was shown has {len(said):,} characters; give what was shown, 1 to "
                    f"{LONGEST_TEXT:,} characters."
                )

    def digest(self, wording: str) -> str:
        """Return what two of these have in common that say the same under the same name."""
        parts = (wording, self.text, self.withdrawal)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def require_wording(wording: str) -> None:
    """Raise Refused for what cannot be the name of a text."""
    if not 1 <= len(wording) <= LONGEST_WORDING or not wording.isprintable():
        raise Refused(
            f"The wording {wording!r:.60} must name the text that was agreed to, such as 2027-03-ko, in 1 to "
            f"{LONGEST_WORDING} characters."
        )
