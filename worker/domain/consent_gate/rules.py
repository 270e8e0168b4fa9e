"""What consent and which message a charge needs, by date: data, each with its text and its source.

To be read by a lawyer: these are the rules as public pages report them. A rule that changes is not edited: it ends on a
date, and another one begins. A charge is judged by those in force on the day on which its period begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from worker.domain.previews import Sentence

VERSION = "2026-12"
"""Of this list, as the documents name it."""


class Event(StrEnum):
    """What a charge is the first of."""

    FREE_TO_PAID = "free_to_paid"  # a trial is over, or a period for which a discount left nothing to pay
    PRICE_INCREASE = "price_increase"  # a whole period costs more than the last one that was charged


class Wanted(StrEnum):
    CONSENT = "consent"  # of the customer, given at most so many days before
    MESSAGE = "message"  # to the customer, sent at least so many days before


class RuleCode(StrEnum):
    """A rule by what is stored of it. Codes are never used for something else."""

    CONSENT_TO_PAID = "consent_free_to_paid"
    CONSENT_TO_INCREASE = "consent_price_increase"
    NOTICE_OF_PAID = "notice_free_to_paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `days` are calendar days in the plan's time zone, the limit included; `until` is its first day off."""

    code: RuleCode
    event: Event
    wanted: Wanted
    days: int
    since: date
    until: date | None = None
    says: Sentence
    lacks: Sentence  # what is said of a charge that lacks it
    source: str

    def is_in_force(self, on: date) -> bool:
        return self.since <= on and (self.until is None or on < self.until)


_ACT = (
    "Act on the Consumer Protection in Electronic Commerce, article 13(6), and its Enforcement Decree, as public pages "
    "report them"
)
_CARDS = (
    "Financial Services Commission, rules for card merchants and payment agencies on subscription payments, as public "
    "pages report them"
)

RULES: tuple[Rule, ...] = (
    Rule(
        code=RuleCode.CONSENT_TO_PAID,
        event=Event.FREE_TO_PAID,
        wanted=Wanted.CONSENT,
        days=30,
        since=date(2025, 2, 14),
        says=Sentence(
            "Before a free service becomes a paid one, the customer agrees to it within the 30 days before, and is "
            "told how to withdraw that and what follows from it.",
            "무료로 제공하던 서비스를 유료 정기결제로 전환하려면 전환 전 30일 이내에 소비자의 동의를 받고, 동의를 "
            "철회하는 방법과 그 효과를 알려야 합니다.",
        ),
        lacks=Sentence(
            "the customer's consent to paying, given within the 30 days before",
            "유료 전환 전 30일 이내에 받은 고객의 동의",
        ),
        source=_ACT,
    ),
    Rule(
        code=RuleCode.CONSENT_TO_INCREASE,
        event=Event.PRICE_INCREASE,
        wanted=Wanted.CONSENT,
        days=30,
        since=date(2025, 2, 14),
        says=Sentence(
            "Before the amount of a regular payment rises, the customer agrees to it within the 30 days before, and is "
            "told how to withdraw that and what follows from it.",
            "정기결제 대금을 올리려면 인상 전 30일 이내에 소비자의 동의를 받고, 동의를 철회하는 방법과 그 효과를 "
            "알려야 합니다.",
        ),
        lacks=Sentence(
            "the customer's consent to the higher price, given within the 30 days before",
            "요금 인상 전 30일 이내에 받은 고객의 동의",
        ),
        source=_ACT,
    ),
    Rule(
        code=RuleCode.NOTICE_OF_PAID,
        event=Event.FREE_TO_PAID,
        wanted=Wanted.MESSAGE,
        days=7,
        since=date(2021, 11, 18),
        says=Sentence(
            "Before a free service becomes a paid one, the customer gets a message at least 7 days before.",
            "무료 서비스를 유료로 전환하려면 전환 7일 전까지 고객에게 알려야 합니다.",
        ),
        lacks=Sentence(
            "a message to the customer, sent 7 days before the first payment or earlier",
            "첫 결제 7일 전까지 고객에게 보낸 안내",
        ),
        source=_CARDS,
    ),
)

BY_CODE = {rule.code: rule for rule in RULES}
"""The newest rule of each code."""
