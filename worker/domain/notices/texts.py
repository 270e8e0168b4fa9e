"""What notices say, in Korean and English: a title, and lines of which those that have nothing to say are left out."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from schedules.notices import NoticeKind

LANGUAGES = ("ko", "en")

NAMES = frozenset(
    {"plan", "amount", "date", "reason", "next_try", "before", "refunded", "until", "receipt", "link", "subscription"}
)
"""What a text may name in braces. A line that names something which is not known of a notice is left out."""

_OF_ALL = frozenset({"plan", "subscription", "date"})

ALWAYS_KNOWN: Mapping[NoticeKind, frozenset[str]] = {
    NoticeKind.RENEWAL: _OF_ALL | {"amount"},
    NoticeKind.TRIAL: _OF_ALL | {"amount"},
    NoticeKind.PRICE: _OF_ALL | {"amount", "before"},
    NoticeKind.DECLINED: _OF_ALL | {"amount", "reason"},
    NoticeKind.PAID: _OF_ALL | {"amount"},
    NoticeKind.REFUNDED: _OF_ALL | {"amount", "refunded"},
    NoticeKind.CANCELED: _OF_ALL,
}
"""What is known of every notice of a kind; a title may name nothing else, since it cannot be left out."""

AT_TIMES_KNOWN: Mapping[NoticeKind, frozenset[str]] = {
    NoticeKind.DECLINED: frozenset({"next_try", "link"}),
    NoticeKind.PAID: frozenset({"receipt"}),
    NoticeKind.CANCELED: frozenset({"until"}),
}
"""What is known of some notices of a kind, and not of others."""


@dataclass(frozen=True, slots=True)
class Template:
    """A title and the lines of a body, with names in braces."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoticeText:
    """One notice in one language, as it is sent."""

    title: str
    body: str


Texts = Mapping[tuple[NoticeKind, str], Template]

TEXTS: Texts = {
    (NoticeKind.RENEWAL, "ko"): Template(
        "[{plan}] 정기결제 예정 안내",
        (
            "{date}에 {plan} 이용요금 {amount}이 결제될 예정입니다.",
            "계속 이용하지 않으시려면 그 전에 해지해 주세요.",
        ),
    ),
    (NoticeKind.RENEWAL, "en"): Template(
        "[{plan}] Your subscription renews soon",
        (
            "{plan} renews on {date}, and {amount} will be charged.",
            "If you do not want to continue, cancel before then.",
        ),
    ),
    (NoticeKind.TRIAL, "ko"): Template(
        "[{plan}] 무료 체험 종료 및 유료 전환 안내",
        (
            "{plan} 무료 체험이 {date}에 끝나고 유료로 전환되어 {amount}이 결제될 예정입니다.",
            "유료로 이용하지 않으시려면 그 전에 해지해 주세요.",
        ),
    ),
    (NoticeKind.TRIAL, "en"): Template(
        "[{plan}] Your free trial ends soon",
        (
            "Your free trial of {plan} ends on {date}; {amount} will then be charged for the paid subscription.",
            "If you do not want to pay for it, cancel before then.",
        ),
    ),
    (NoticeKind.PRICE, "ko"): Template(
        "[{plan}] 이용요금 변경 안내",
        (
            "{date}부터 {plan} 이용요금이 {before}에서 {amount}으로 변경됩니다.",
            "변경된 요금에 동의하지 않으시면 그 전에 해지하실 수 있습니다.",
        ),
    ),
    (NoticeKind.PRICE, "en"): Template(
        "[{plan}] The price changes",
        (
            "From {date} on, {plan} costs {amount} instead of {before}.",
            "If you do not agree to the new price, you can cancel before then.",
        ),
    ),
    (NoticeKind.DECLINED, "ko"): Template(
        "[{plan}] 결제 실패 안내",
        (
            "{plan} 이용요금 {amount}이 결제되지 않았습니다. {reason}",
            "{next_try}에 다시 결제를 시도합니다.",
            "결제하거나 결제수단을 변경하시려면: {link}",
        ),
    ),
    (NoticeKind.DECLINED, "en"): Template(
        "[{plan}] Your payment was declined",
        (
            "{amount} for {plan} could not be charged. {reason}",
            "We will try again on {next_try}.",
            "To pay, or to change how you pay: {link}",
        ),
    ),
    (NoticeKind.PAID, "ko"): Template(
        "[{plan}] 결제 완료 안내",
        (
            "{plan} 이용요금 {amount}이 {date}에 결제되었습니다.",
            "영수증: {receipt}",
        ),
    ),
    (NoticeKind.PAID, "en"): Template(
        "[{plan}] Your payment",
        ("{amount} for {plan} was charged on {date}.", "Receipt: {receipt}"),
    ),
    (NoticeKind.REFUNDED, "ko"): Template(
        "[{plan}] 환불 안내",
        ("{plan} 이용요금 {amount} 중 지금까지 {refunded}이 환불되었습니다.",),
    ),
    (NoticeKind.REFUNDED, "en"): Template(
        "[{plan}] Your refund",
        ("Of the {amount} for {plan}, {refunded} has been refunded so far.",),
    ),
    (NoticeKind.CANCELED, "ko"): Template(
        "[{plan}] 해지 완료 안내",
        ("{plan} 구독이 해지되었습니다. 더 이상 결제되지 않습니다.", "{until}까지는 계속 이용하실 수 있습니다."),
    ),
    (NoticeKind.CANCELED, "en"): Template(
        "[{plan}] Your subscription is canceled",
        ("{plan} is canceled, and nothing more will be charged.", "You can go on using it until {until}."),
    ),
}


def written(template: Template, known: Mapping[str, str | None]) -> NoticeText:
    """Return a text with what is known of a notice."""
    values = {name: value for name, value in known.items() if value is not None}
    lines = [line.format_map(values) for line in template.lines if names_in(line) <= set(values)]
    return NoticeText(template.title.format_map(values), "\n".join(lines).strip("\n"))


def names_in(line: str) -> set[str]:
    """Return what a line names in braces. Raises ValueError where its braces cannot be read."""
    return {name for _, name, _, _ in string.Formatter().parse(line) if name is not None}


def all_texts(texts: Texts, kind: NoticeKind, known: Mapping[str, Mapping[str, str | None]]) -> dict[str, Any]:
    """Return a notice in every language, by what is known of it in each, as it is stored."""
    return {each: asdict(written(texts[kind, each], known[each])) for each in LANGUAGES}
