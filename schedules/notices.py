"""What a plan lets its customers be told: some days ahead, and once it has happened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schedules.errors import InvalidNotices

LONGEST_LEAD = 60  # days ahead
NO_NOTICE = "none"


class NoticeKind(StrEnum):
    """What customers are told of, by the names that plans have for it."""

    RENEWAL = "renewal"  # the next period is charged soon
    TRIAL = "trial"  # a trial becomes a paid subscription soon
    PRICE = "price"  # the price rises soon
    DECLINED = "declined"
    PAID = "paid"
    REFUNDED = "refunded"
    CANCELED = "canceled"


AHEAD = frozenset({NoticeKind.RENEWAL, NoticeKind.TRIAL, NoticeKind.PRICE})
"""Of what is to come: told some days before. The others are told once it has happened."""


@dataclass(frozen=True)
class PlanNotices:
    """Which notices the customers of a plan get: `ahead` by their days before, and those after the fact."""

    ahead: Mapping[NoticeKind, int] = field(default_factory=dict)
    after: frozenset[NoticeKind] = frozenset()

    def __str__(self) -> str:
        return (
            ", ".join(
                f"{kind} {self.ahead[kind]}" if kind in self.ahead else kind.value
                for kind in NoticeKind
                if kind in self.ahead or kind in self.after
            )
            or NO_NOTICE
        )

    def __hash__(self) -> int:
        return hash(str(self))


def parse_notices(text: str) -> PlanNotices:
    """Return the notices in `renewal 7, declined`, or `none`; `str` of it parses to an equal one.

    Raises InvalidNotices.
    """
    if text.strip().lower() == NO_NOTICE:
        return PlanNotices()
    ahead: dict[NoticeKind, int] = {}
    after: set[NoticeKind] = set()
    for word in text.lower().split(","):
        kind, days = _read(text, word)
        if kind in ahead or kind in after:
            raise InvalidNotices(text, f"{kind} is there twice")
        if days is None:
            after.add(kind)
        else:
            ahead[kind] = days
    return PlanNotices(ahead, frozenset(after))


def _read(text: str, word: str) -> tuple[NoticeKind, int | None]:
    """Return the kind of one notice, and its days ahead. Raises InvalidNotices."""
    name, _, days = word.strip().partition(" ")
    if name not in set(NoticeKind):
        listed = ", ".join(NoticeKind)
        raise InvalidNotices(text, f"there is no notice {name!r:.30}, only {listed}" if name else "a name is missing")
    kind, days = NoticeKind(name), days.strip()
    if kind not in AHEAD:
        if days:
            raise InvalidNotices(text, f"{kind} is told once it has happened, so it has no days")
        return kind, None
    if re.fullmatch(r"[0-9]{1,4}", days) is None or not 1 <= int(days) <= LONGEST_LEAD:
        raise InvalidNotices(text, f"{kind} needs its days ahead, from 1 to {LONGEST_LEAD}, such as '{kind} 7'")
    return kind, int(days)
