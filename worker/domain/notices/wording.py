"""Amounts, days and declines as notices put them, in Korean and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from worker.domain.outcomes import DeclineKind

_REASONS: Mapping[DeclineKind, Mapping[str, str]] = {
    DeclineKind.SOFT: {
        "ko": "잔액이나 한도를 확인해 주세요.",
        "en": "Please check your balance or your limit.",
    },
    DeclineKind.HARD: {
        "ko": "등록하신 결제수단으로는 더 이상 결제할 수 없으니 다른 결제수단을 등록해 주세요.",
        "en": "The payment method that you registered cannot be charged any more; please register another one.",
    },
    DeclineKind.UNMATCHED: {
        "ko": "결제수단을 확인해 주세요.",
        "en": "Please check your payment method.",
    },
}


def money(amount: int, language: str) -> str:
    """Return an amount in won as customers read it."""
    return f"{amount:,}원" if language == "ko" else f"{amount:,} KRW"


def day(at: datetime, zone: ZoneInfo, language: str) -> str:
    """Return the day of an instant in a zone, as customers read it."""
    local = at.astimezone(zone)
    return f"{local.year}년 {local.month}월 {local.day}일" if language == "ko" else f"{local:%Y-%m-%d}"


def reason(kind: DeclineKind, language: str) -> str | None:
    """Return why a payment was declined, in a customer's words and never in the PG's."""
    return _REASONS.get(kind, {}).get(language)
