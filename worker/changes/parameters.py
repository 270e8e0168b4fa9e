"""Parameters of changes as they come from commands and hosts: read into whole won, counts and names, or refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from schedules.plan_rules import problems_in
from worker.domain.changes import LONGEST_COMMENT, LONGEST_REASON
from worker.domain.errors import Refused

_SPOKEN = {
    "tax_free": "tax-free part",
    "max_uses": "number of uses",
    "periods": "number of periods",
    "version": "version of the price",
}
"""How a sentence calls a parameter whose name alone would not make one."""


def whole(parameters: Mapping[str, Any], name: str, least: int, most: int, *, unit: str = "won") -> int:
    """Return a whole number of a unit from `least` to `most`, given as a number or as text. Raises Refused."""
    value = parameters.get(name)
    number = value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}", value.strip()):
        number = int(value)
    if type(number) is not int or not least <= number <= most:
        found = "missing" if value is None else f"{value!r:.40}"
        raise Refused(
            f"The {_SPOKEN.get(name, spoken(name))} is {found} but must be a whole number of {unit} from {least:,} to "
            f"{most:,}, without decimals or separators."
        )
    return number


def optional_whole(parameters: Mapping[str, Any], name: str, least: int, most: int, *, unit: str = "won") -> int | None:
    """Return a whole number as `whole`, or None where it is not given."""
    return None if parameters.get(name) is None else whole(parameters, name, least, most, unit=unit)


def name_of(parameters: Mapping[str, Any], default: str | None = None) -> str:
    """Return the name that customers read, in one Unicode form. Raises Refused for one that a PG could not store."""
    given = parameters.get("name")
    if given is None and default is not None:
        return default
    name = unicodedata.normalize("NFC", given) if isinstance(given, str) else given
    if problems := problems_in({"name": name}):
        raise Refused(f"The name is {given!r:.60} but must be {problems[0].expected}.")
    return str(name)


def only_one(parameters: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return which of these parameters is given. Raises Refused unless it is exactly one."""
    given = [name for name in names if parameters.get(name) is not None]
    if len(given) != 1:
        listed = ", ".join(map(spoken, names[:-1]))
        raise Refused(f"Give one of {listed} and {spoken(names[-1])}, and only one.")
    return given[0]


def spoken(name: str) -> str:
    """Return a parameter's name as sentences have it: tax-free."""
    return name.replace("_", "-")


def require_words(reason: str, comment: str | None) -> None:
    """Raise Refused for a change without a reason, and for words that are longer than what is kept of them."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Refused(f"The reason has {len(reason):,} characters; say why in 1 to {LONGEST_REASON}.")
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise Refused(f"The comment has {len(comment):,} characters; shorten it to {LONGEST_COMMENT:,} at most.")
