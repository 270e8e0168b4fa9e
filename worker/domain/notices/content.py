"""What a notice says, made of what it is about: the texts, and the same as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from schedules.notices import NoticeKind
from worker.domain.notices.texts import LANGUAGES, TEXTS, Texts, all_texts
from worker.domain.notices.wording import day, money, reason
from worker.domain.outcomes import DeclineKind


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a notice is about, as far as there is something to say of it. Sums are won."""

    kind: NoticeKind
    subscription: str  # its code
    plan: str  # its name
    zone: ZoneInfo
    amount: int | None = None
    date: datetime | None = None
    before: int | None = None  # the price until now
    refunded: int | None = None  # of the amount, in all
    decline: DeclineKind | None = None
    next_try: datetime | None = None
    until: datetime | None = None  # the customer has what was paid
    receipt: str | None = None
    link: str | None = None


def content_of(about: About, *, source: str = "", texts: Texts = TEXTS) -> Mapping[str, Any]:
    """Return what is kept of a notice and told in its event; `source` is the id of the event that it follows."""
    known = {language: _known(about, language) for language in LANGUAGES}
    return {
        "texts": all_texts(texts, about.kind, known),
        "amount": about.amount if about.refunded is None else about.refunded,
        "currency": None if about.amount is None else "KRW",
        "receipt_url": about.receipt,
        "follows": source or None,
        "on": None if about.date is None else about.date.astimezone(UTC).isoformat(),
    }


def _known(about: About, language: str) -> dict[str, str | None]:
    return {
        "plan": about.plan,
        "subscription": about.subscription,
        "amount": _money(about.amount, language),
        "before": _money(about.before, language),
        "refunded": _money(about.refunded, language),
        "date": _day(about.date, about.zone, language),
        "next_try": _day(about.next_try, about.zone, language),
        "until": _day(about.until, about.zone, language),
        "reason": None if about.decline is None else reason(about.decline, language),
        "receipt": about.receipt,
        "link": about.link,
    }


def _money(amount: int | None, language: str) -> str | None:
    return None if amount is None else money(amount, language)


def _day(at: datetime | None, zone: ZoneInfo, language: str) -> str | None:
    return None if at is None else day(at, zone, language)
