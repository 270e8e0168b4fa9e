"""What the next charges of a subscription differ by: discounts, credits, one-off items and carried amounts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AdjustmentKind(StrEnum):
    DISCOUNT = "discount"  # off the plan's line, for some periods or for ever
    CREDIT = "credit"  # won to the customer's credit, used up by the next charges
    ONE_OFF = "one_off"  # charged once, with the next charge
    CARRIED = "carried"  # a charge that came to less than its PG takes, owed with the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """One that is open, so that the next charge differs by it. Amounts are won.

    A discount takes `percent` off, or `amount` at most, for `periods_left` more charges (None: for ever), and none of a
    period that starts at `ends_at` or later. Of a credit, `left` is what is left of `amount`. `id` is None while it is
    not written down.
    """

    id: int | None
    kind: AdjustmentKind
    description: str
    amount: int | None = None
    percent: int | None = None
    tax_free: int = 0
    left: int | None = None
    periods_left: int | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What becomes of an adjustment by one charge.

    `amount` is what it has changed the charge by; `left` and `periods_left` are what is left of it afterwards.
    """

    adjustment: Adjustment
    amount: int
    left: int | None
    periods_left: int | None
    is_used_up: bool
