"""When a customer who was told of something that comes is told of it once more. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What a notice of something that comes says: how much, in won, and on which day."""

    amount: int
    on: datetime

    def is_worse_than(self, before: Told) -> bool:
        """Return whether it costs the customer more, or earlier, than what they were told before."""
        return self.amount > before.amount or self.on < before.on
