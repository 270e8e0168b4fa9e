"""What a plan says about the end of dunning: what becomes of the subscription, of what is unpaid, and who pays it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from schedules.errors import InvalidArrears

MOST_PERIODS_PAID = 1000  # practically all of them


class DunningEnd(StrEnum):
    """What becomes of a subscription whose dunning calendar is spent, or whose dead key was not replaced in time."""

    LEAVE = "leave"  # it stays past due, and its periods go on falling due
    CANCEL = "cancel"
    PAUSE = "pause"


class GivenUpAs(StrEnum):
    """What becomes of charges that are not collected any more: a status of theirs, by its value."""

    UNCOLLECTIBLE = "uncollectible"  # not charged any more, but owed: it can be paid by hand
    VOID = "void"  # not owed any more


@dataclass(frozen=True)
class ArrearsPolicy:
    """How many unpaid periods a new billing key pays: the newest `newest` ones, none for 0, all for None."""

    newest: int | None = None

    def __post_init__(self) -> None:
        if self.newest is not None and not 0 <= self.newest <= MOST_PERIODS_PAID:
            raise InvalidArrears(f"newest {self.newest}", f"the number must be from 1 to {MOST_PERIODS_PAID}")

    def __str__(self) -> str:
        if self.newest is None:
            return "all"
        return f"newest {self.newest}" if self.newest else "none"

    def older(self, unpaid: Sequence[object]) -> int:
        """Return how many of these periods, the oldest first, a new key does not pay."""
        return 0 if self.newest is None else max(len(unpaid) - self.newest, 0)


ALL_ARREARS = ArrearsPolicy()


def parse_arrears(text: str) -> ArrearsPolicy:
    """Return the policy in `all`, `newest 3` or `none`; `str` of it parses to an equal one. Raises InvalidArrears."""
    words = text.lower().split()
    if words == ["all"]:
        return ALL_ARREARS
    if words == ["none"]:
        return ArrearsPolicy(0)
    if len(words) == 2 and words[0] == "newest" and re.fullmatch(r"[0-9]{1,9}", words[1]) and int(words[1]):
        return ArrearsPolicy(int(words[1]))
    raise InvalidArrears(text, "it is none of all, newest N and none")
