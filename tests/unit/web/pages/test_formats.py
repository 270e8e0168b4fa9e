"""What customers read is said as people say it, in both languages, and nothing is missing in one of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from worker.web.pages import formats
from worker.web.pages.wording import VERSION, WORDS, Language, choose_language, wording_version

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


def test_languages_have_the_same_texts_with_the_same_values():
    assert WORDS[KO].keys() == WORDS[EN].keys()
    for name, korean in WORDS[KO].items():
        assert set(re.findall(r"\{(\w+)\}", korean)) == set(re.findall(r"\{(\w+)\}", WORDS[EN][name])), name


@pytest.mark.parametrize(
    ("wanted", "accepted", "chosen"),
    [
        (None, None, KO),
        (None, "en-US,en;q=0.9", EN),
        (None, "ko-KR,ko;q=0.9,en-US;q=0.8", KO),
        (None, "en;q=0.8,ko;q=0.9", KO),
        (None, "ja,en;q=0.5", EN),
        (None, "ja", KO),
        (None, "en;q=nonsense", KO),
        (None, "*", KO),
        ("en", "ko", EN),  # the address says more than the browser
        ("ko", "en", KO),
        ("<script>", "en", EN),
        (None, ";q=;,,en" * 1000, KO),  # neither is said to be liked
    ],
)
def test_language_of_a_page_follows_the_url_then_the_browser(
    wanted: str | None, accepted: str | None, chosen: Language
):
    assert choose_language(wanted, accepted) is chosen


def test_consent_names_the_version_and_language_of_the_text():
    assert wording_version(EN) == f"{VERSION}-en"


AGREED = (
    *("consent_register", "consent_register_now", "consent_replace", "consent_replace_owed", "consent_overdue"),
    *("cancel", "cancel_no_contact", "vat_included", "no_vat", "no_charge_now", "charged_now", "replace_owed"),
)
KNOWN = {"2026-11": "c477066cbaec14de"}


def test_changed_wording_needs_a_new_version():
    import hashlib

    agreed = "\n".join(WORDS[language][name] for language in Language for name in AGREED)
    digest = hashlib.sha256(agreed.encode()).hexdigest()[:16]
    assert KNOWN[VERSION] == digest, f"give the wording a new VERSION and write {digest} beside it"
