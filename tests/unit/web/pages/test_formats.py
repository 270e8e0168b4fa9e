"""Formats of money, dates and cadences, as customers read them in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.web.pages import formats
from worker.web.pages.wording import Language

KO, EN = Language.KOREAN, Language.ENGLISH


@pytest.mark.parametrize(
    ("cadence", "korean", "english"),
    [
        ("month", "매월", "every month"),
        ("3 months", "3개월마다", "every 3 months"),
        ("year", "매년", "every year"),
        ("2 weeks", "2주마다", "every 2 weeks"),
        ("day", "매일", "every day"),
        ("cron 0 9 1 * *", "매월 1일", "on day 1 of every month"),
        ("cron 0 9 L * *", "매월 말일", "on the last day of every month"),
        ("cron 0 9 * * 1", "매주 월요일", "every Monday"),
        ("cron 0 9 * * sun", "매주 일요일", "every Sunday"),
        ("cron 0 9 * * 7", "매주 일요일", "every Sunday"),
        ("cron 30 9 * * *", "매일", "every day"),
        ("cron 0 9 1 */3 *", "정해진 날짜마다", "on the agreed dates"),  # the page names the next dates
        ("cron 0 9 1 * 1", "정해진 날짜마다", "on the agreed dates"),
        ("cron 0 9 * * 1-5", "정해진 날짜마다", "on the agreed dates"),
    ],
)
def test_cadence_in_words(cadence: str, korean: str, english: str):
    assert (formats.cadence(cadence, KO), formats.cadence(cadence, EN)) == (korean, english)


@pytest.mark.parametrize(
    ("hour", "zone", "korean", "english"),
    [
        (1, "Asia/Seoul", "2026년 11월 22일 (일) 오전 10시 (한국 시간)", "Sun, 22 November 2026, 10:00 (Korean time)"),
        (3, "Asia/Seoul", "2026년 11월 22일 (일) 오후 12시 (한국 시간)", "Sun, 22 November 2026, 12:00 (Korean time)"),
        # the date is the zone's, not that of UTC
        (15, "Asia/Seoul", "2026년 11월 23일 (월) 오전 0시 (한국 시간)", "Mon, 23 November 2026, 00:00 (Korean time)"),
        (
            0,
            "America/New_York",
            "2026년 11월 21일 (토) 오후 7시 (New York 시간)",
            "Sat, 21 November 2026, 19:00 (New York time)",
        ),
        # POSIX writes the zones of the sea the other way round than people do
        (12, "Etc/GMT+3", "2026년 11월 22일 (일) 오전 9시 (UTC-3)", "Sun, 22 November 2026, 09:00 (UTC-3)"),
        (12, "Etc/GMT-9", "2026년 11월 22일 (일) 오후 9시 (UTC+9)", "Sun, 22 November 2026, 21:00 (UTC+9)"),
        (12, "Etc/UTC", "2026년 11월 22일 (일) 오후 12시 (UTC)", "Sun, 22 November 2026, 12:00 (UTC)"),
        # names without a city
        (12, "NZ-CHAT", "2026년 11월 23일 (월) 오전 1시 45분 (UTC+13:45)", "Mon, 23 November 2026, 01:45 (UTC+13:45)"),
    ],
)
def test_moment_in_the_plans_time_zone(hour: int, zone: str, korean: str, english: str):
    instant = datetime(2026, 11, 22, hour, tzinfo=UTC)
    assert (formats.moment(instant, zone, KO), formats.moment(instant, zone, EN)) == (korean, english)


def test_won_in_both_languages():
    assert (formats.won(9900, KO), formats.won(1_234_567, EN)) == ("9,900원", "₩1,234,567")
