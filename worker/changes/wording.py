"""How changes are put into words, and how their parameters are read: the same for every kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from worker.domain.errors import Refused
from worker.domain.previews import Sentence


def day_en(instant: datetime, zone: ZoneInfo) -> str:
    """Return the day of an instant in a zone, as English sentences have it."""
    return f"{instant.astimezone(zone):%Y-%m-%d}"


def day_ko(instant: datetime, zone: ZoneInfo) -> str:
    """Return the day of an instant in a zone, as Korean sentences have it."""
    local = instant.astimezone(zone)
    return f"{local.year}년 {local.month}월 {local.day}일"


def won(amount: int) -> str:
    """Return an amount as English sentences have it."""
    return f"{amount:,} KRW"


def joined(sentences: Collection[Sentence]) -> Sentence:
    """Return several sentences as one text in each language."""
    return Sentence(" ".join(each.en for each in sentences), " ".join(each.ko for each in sentences))


def refuse_parameters(parameters: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise Refused for a parameter that a kind of change does not have."""
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        listed = ", ".join(sorted(known)) or "none"
        raise Refused(f"There is no parameter {unknown[0]!r:.40} of such a change; it has {listed}.")
