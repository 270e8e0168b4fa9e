"""What notices say: every kind in both languages, with what is known, and nothing of what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schedules.notices import NoticeKind
from worker.domain.events.types import EventType
from worker.domain.notices.content import About, content_of
from worker.domain.notices.following import notice_after
from worker.domain.notices.texts import LANGUAGES, NAMES, TEXTS, names_in
from worker.domain.outcomes import DeclineKind

AT = datetime(2026, 3, 31, 16, tzinfo=UTC)  # April in Seoul


def about(kind: NoticeKind, **known: object) -> About:
    basics = {"kind": kind, "subscription": "7ZK3M9QX2VB4C", "plan": "골드", "zone": ZoneInfo("Asia/Seoul")}
    return About(**{**basics, "amount": 9900, "date": AT, **known})  # type: ignore[arg-type]


def body(said: object, language: str) -> str:
    return str(said["texts"][language]["body"])  # type: ignore[index]


def test_every_kind_has_a_text_in_every_language_with_known_names():
    assert set(TEXTS) == {(kind, language) for kind in NoticeKind for language in LANGUAGES}
    for template in TEXTS.values():
        assert {name for line in (template.title, *template.lines) for name in names_in(line)} <= NAMES


@pytest.mark.parametrize("kind", NoticeKind)
def test_no_text_has_braces_or_empty_lines_left_whatever_is_known(kind: NoticeKind):
    full = about(
        kind,
        before=8900,
        refunded=3000,
        decline=DeclineKind.SOFT,
        next_try=AT,
        until=AT,
        receipt="https://pg.example.com/1",
        link="https://pay.example.com/c/1",
    )
    least = about(kind, before=8900, refunded=3000, decline=DeclineKind.SOFT)
    for said in (content_of(full), content_of(least)):
        for language in LANGUAGES:
            title, text = said["texts"][language]["title"], body(said, language)
            assert "골드" in title
            assert "{" not in title + text
            assert "None" not in title + text
            assert all(line.strip() for line in text.split("\n"))


def test_amount_and_day_are_those_of_the_plans_zone():
    said = content_of(about(NoticeKind.RENEWAL))
    assert body(said, "ko").startswith("2026년 4월 1일에 골드 이용요금 9,900원이 결제될 예정입니다.")
    assert body(said, "en").startswith("골드 renews on 2026-04-01, and 9,900 KRW will be charged.")
    assert (said["amount"], said["currency"], said["follows"]) == (9900, "KRW", None)


def test_line_is_left_out_of_what_is_not_known():
    with_link = content_of(about(NoticeKind.DECLINED, decline=DeclineKind.HARD, link="https://pay.example.com/c/1"))
    without = content_of(about(NoticeKind.DECLINED, decline=DeclineKind.HARD))
    assert "https://pay.example.com/c/1" in body(with_link, "ko")
    assert body(without, "ko").count("\n") == 0
    assert "다른 결제수단을 등록해 주세요" in body(without, "ko")


@pytest.mark.parametrize(
    ("kind", "data", "notice"),
    [
        (EventType.CHARGE_DECLINED, {"decline": "soft"}, NoticeKind.DECLINED),
        (EventType.CHARGE_DECLINED, {"decline": "hard"}, NoticeKind.DECLINED),
        (EventType.CHARGE_DECLINED, {"decline": "config"}, None),
        (EventType.CHARGE_DECLINED, {"decline": "transient"}, None),
        (EventType.CHARGE_PAID, {"attempt": {}, "charge": {"amount": 9900}}, NoticeKind.PAID),
        (EventType.CHARGE_PAID, {"attempt": None, "charge": {"amount": 9900}}, None),
        (EventType.CHARGE_REFUNDED, {}, NoticeKind.REFUNDED),
        (EventType.SUBSCRIPTION_CANCELED, {}, NoticeKind.CANCELED),
        (EventType.SUBSCRIPTION_ENDED, {}, None),
    ],
)
def test_notice_follows_what_concerns_the_customer(kind: EventType, data: dict[str, object], notice: NoticeKind | None):
    assert notice_after(kind, data) is notice
