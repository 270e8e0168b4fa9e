"""What each field of a plan must be, and a list of everything that is not so."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from schedules.cadences import Anchored, Cron, longest_period
from schedules.dunning import DunningCalendar

LOWEST_AMOUNT = 100  # KRW; assumed: card PGs decline a smaller payment
HIGHEST_AMOUNT = 1_000_000_000  # KRW; a higher price is a typing error
LONGEST_NAME = 40  # characters; documented: PortOne's order name
LONGEST_TRIAL = 730  # days
MOST_OPEN_CHARGES = 1000  # charges; practically no limit
LONGEST_KEY_DEADLINE = 365  # days
LONGEST_GRACE = 365  # days

EXPECTED = {
    "code": "1 to 40 characters of a-z, 0-9, - and _",
    "name": "1 to 40 characters without control characters or emoji, since payment gateways cannot store them",
    "amount": f"a whole number of won from {LOWEST_AMOUNT} to {HIGHEST_AMOUNT}, without decimals or separators",
    "tax_free": "a whole number of won from 0 to the amount, without decimals or separators",
    "vat_amount": "none, or a whole number of won from 0 to amount less tax_free, without decimals or separators",
    "currency": "KRW, the only currency supported so far",
    "cadence": "a cadence such as 'month', '2 weeks' or 'cron 0 9 1 * *'",
    "time_zone": "a time zone by its IANA name, such as Asia/Seoul",
    "charge_hour": "a whole hour from 0 to 23",
    "trial_days": f"a whole number of days from 0 to {LONGEST_TRIAL}",
    "catch_up": "all, latest or skip",
    "dunning": "days after the first decline such as '1,3,5,7', or none; docs/dunning.md has the rest",
    "max_open_charges": f"a whole number of unpaid charges from 1 to {MOST_OPEN_CHARGES}",
    "dunning_end": "leave, cancel or pause",
    "dunning_end_charges": "uncollectible or void",
    "key_deadline_days": f"none, or a whole number of days from 1 to {LONGEST_KEY_DEADLINE}",
    "grace_days": f"a whole number of days from 0 to {LONGEST_GRACE}",
    "arrears": "all, none or newest N, such as 'newest 1'",
    "notices": "none, or notices such as 'renewal 7, trial 7, price 30, declined, paid, refunded, canceled'",
    "gate": "strict, warn or off, or none for what the setting AGAIN_CONSENT_GATE says",
}


@dataclass(frozen=True)
class Problem:
    """One invalid field of a plan; `value` is None when it is missing."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        found = "missing" if self.value is None else f"{self.value!r:.60}"
        return f"{self.field} is {found} but must be {self.expected}"


def problems_in(values: Mapping[str, object]) -> tuple[Problem, ...]:
    """Return every field among `values` that breaks its rule; missing fields are not checked."""
    wrong = (
        Problem(field, values[field], expected)
        for field, expected in EXPECTED.items()
        if field in values and not _is_right(field, values)
    )
    return (*wrong, *_problems_of_dunning(values))


def _problems_of_dunning(values: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a problem where tries that come before the next period never come."""
    calendar, cadence = values.get("dunning"), values.get("cadence")
    if not isinstance(calendar, DunningCalendar) or not isinstance(cadence, Anchored | Cron) or calendar.is_plain:
        return
    longest = longest_period(cadence)
    for rule in calendar.rules:
        first = rule.days[0] if rule.days else 1
        if rule.tries and first >= longest:
            reason = f"no try of '{rule}' comes before the next period of a cadence of '{cadence}'"
            yield Problem("dunning", str(calendar), f"{EXPECTED['dunning']} ({reason})")


def _is_right(field: str, values: Mapping[str, object]) -> bool:
    value = values[field]
    match field:
        case "code":
            return isinstance(value, str) and re.fullmatch(r"[a-z0-9_-]{1,40}", value) is not None
        case "name":
            return isinstance(value, str) and _is_order_name(value)
        case "currency":
            return value == "KRW"
        case "amount" | "tax_free" | "charge_hour" | "trial_days" | "max_open_charges" | "grace_days":
            return _is_whole(value, *_bounds(field, values))
        case "vat_amount" | "key_deadline_days":
            return value is None or _is_whole(value, *_bounds(field, values))
        case _:
            return True  # typed values, which are valid by construction


def _bounds(field: str, values: Mapping[str, object]) -> tuple[int, int]:
    """Return the least and the most a number may be; an invalid amount bounds no other field."""
    amount, tax_free = values.get("amount"), values.get("tax_free")
    most = amount if _is_whole(amount, LOWEST_AMOUNT, HIGHEST_AMOUNT) else HIGHEST_AMOUNT
    taxed = most - tax_free if _is_whole(tax_free, 0, most) else most
    return {
        "amount": (LOWEST_AMOUNT, HIGHEST_AMOUNT),
        "tax_free": (0, most),
        "vat_amount": (0, taxed),
        "charge_hour": (0, 23),
        "trial_days": (0, LONGEST_TRIAL),
        "max_open_charges": (1, MOST_OPEN_CHARGES),
        "key_deadline_days": (1, LONGEST_KEY_DEADLINE),
        "grace_days": (0, LONGEST_GRACE),
    }[field]


def _is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    """Return whether a value is an int in bounds; True and 1.0 are not."""
    return type(value) is int and least <= value <= most


def _is_order_name(name: str) -> bool:
    within = 1 <= len(name) <= LONGEST_NAME and name == name.strip()
    return within and all(_is_storable(character) for character in name)


def _is_storable(character: str) -> bool:
    """Return whether payment gateways can store a character; many have a Korean code page (assumed).

    Not storable are characters outside the Basic Multilingual Plane, controls, format marks, lone surrogates and line
    separators. A symbol is storable if that code page has it: ㈜ and ★ are, emoji are not.
    """
    kind = unicodedata.category(character)
    if ord(character) > 0xFFFF or kind.startswith("C") or kind in {"Zl", "Zp"}:
        return False
    return kind not in {"So", "Me"} or _is_in_korean_code_page(character)


def _is_in_korean_code_page(character: str) -> bool:
    try:
        character.encode("cp949")
    except UnicodeEncodeError:
        return False
    return True
