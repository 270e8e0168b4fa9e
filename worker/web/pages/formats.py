"""Formats of money, dates and cadences for customers, in Korean and English. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.cadences import Anchored, Cron, Unit, parse_cadence
from worker.web.pages.wording import Language

_WEEKDAYS = {Language.KOREAN: "월화수목금토일", Language.ENGLISH: ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_CRON_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAYS_OF_WEEK = {
    Language.KOREAN: tuple("일월화수목금토"),
    Language.ENGLISH: ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
}
_ONE = {
    Language.KOREAN: {Unit.DAY: "매일", Unit.WEEK: "매주", Unit.MONTH: "매월", Unit.YEAR: "매년"},
    Language.ENGLISH: {unit: f"every {unit}" for unit in Unit},
}
_MANY = {
    Language.KOREAN: {Unit.DAY: "{}일마다", Unit.WEEK: "{}주마다", Unit.MONTH: "{}개월마다", Unit.YEAR: "{}년마다"},
    Language.ENGLISH: {unit: f"every {{}} {unit}s" for unit in Unit},
}
_OTHERWISE = {Language.KOREAN: "정해진 날짜마다", Language.ENGLISH: "on the agreed dates"}


def won(amount: int, language: Language) -> str:
    return f"{amount:,}원" if language is Language.KOREAN else f"₩{amount:,}"


def day(instant: datetime, zone: str, language: Language) -> str:
    """Return the date in a time zone, with its weekday."""
    local = instant.astimezone(ZoneInfo(zone))
    weekday = _WEEKDAYS[language][local.weekday()]
    if language is Language.KOREAN:
        return f"{local.year}년 {local.month}월 {local.day}일 ({weekday})"
    return f"{weekday}, {local.day} {_MONTHS[local.month - 1]} {local.year}"


def moment(instant: datetime, zone: str, language: Language) -> str:
    """Return date and time in a time zone, with the zone's name."""
    local = instant.astimezone(ZoneInfo(zone))
    clocks = _clocks(local, zone, language)
    if language is Language.KOREAN:
        half, hour = ("오전", local.hour) if local.hour < 12 else ("오후", local.hour % 12 or 12)
        minute = f" {local.minute}분" if local.minute else ""
        return f"{day(instant, zone, language)} {half} {hour}시{minute} ({clocks})"
    return f"{day(instant, zone, language)}, {local:%H:%M} ({clocks})"


def _clocks(local: datetime, zone: str, language: Language) -> str:
    """Return a zone's city, or its offset where it has none: POSIX calls Etc/GMT+3 what customers call UTC-3."""
    korean = language is Language.KOREAN
    if zone == "Asia/Seoul":
        return "한국 시간" if korean else "Korean time"
    area, _, place = zone.rpartition("/")
    if area in {"", "Etc"}:
        return _offset(local)
    return f"{place.replace('_', ' ')} {'시간' if korean else 'time'}"


def _offset(local: datetime) -> str:
    """Return the offset from UTC, as in UTC-3 and UTC+5:30."""
    minutes = round((local.utcoffset() or timedelta()) / timedelta(minutes=1))
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def cadence(text: str, language: Language) -> str:
    """Return a plan's cadence in words that fit into a sentence. Raises InvalidCadence."""
    match parse_cadence(text):
        case Anchored(every=1, unit=unit):
            return _ONE[language][unit]
        case Anchored(every=every, unit=unit):
            return _MANY[language][unit].format(every)
        case Cron(expression=expression):
            return _cron(expression, language)


def _cron(expression: str, language: Language) -> str:
    """Return simple schedules in words; for others the page shows the next dates."""
    _, _, of_month, month, of_week = expression.split()
    if month != "*" or (of_month != "*" and of_week != "*"):
        return _OTHERWISE[language]
    if of_month == of_week == "*":
        return _ONE[language][Unit.DAY]
    korean = language is Language.KOREAN
    if of_month == "L":
        return "매월 말일" if korean else "on the last day of every month"
    if re.fullmatch(r"[0-9]{1,2}", of_month):
        return f"매월 {int(of_month)}일" if korean else f"on day {int(of_month)} of every month"
    if (weekday := _weekday(of_week)) is not None:
        name = _DAYS_OF_WEEK[language][weekday]
        return f"매주 {name}요일" if korean else f"every {name}"
    return _OTHERWISE[language]


def _weekday(text: str) -> int | None:
    """Return one day of the week, 0 being Sunday as in cron; None for more than one."""
    if text in _CRON_DAYS:
        return _CRON_DAYS.index(text)
    return int(text) % 7 if re.fullmatch(r"[0-7]", text) else None
