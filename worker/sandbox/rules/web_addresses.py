"""Validating web addresses given by a client: where to redirect to, where to send webhooks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

LONGEST_ADDRESS = 2000  # characters
MOST_NOTICE_URLS = 5  # a sanity bound of the sandbox, not PortOne's


def is_web_address(value: Any) -> bool:
    """Return whether a value is an absolute http or https address: never `javascript:`, `data:` or a path."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ADDRESS or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 (reading it is what checks it)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "\\" not in value


def origin(value: str | None) -> str | None:
    """Return the Origin header of a page; None if it is missing, "null", or not an origin."""
    if value is None or not is_web_address(value):
        return None
    parts = urlsplit(value)
    return value if f"{parts.scheme}://{parts.netloc}" == value and _is_plain(parts.netloc) else None


def with_query(address: str, values: Mapping[str, str]) -> str:
    """Return an address with more query parameters; it may have some already, and keeps its fragment."""
    parts = urlsplit(address)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *values.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def read_notice_urls(value: Any) -> tuple[str, ...]:
    """Return one address or a list of them [documented]; what is not a web address is ignored [assumed]."""
    given = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(each for each in given if is_web_address(each)))[:MOST_NOTICE_URLS]


def _is_plain(netloc: str) -> bool:
    return all(character.isascii() and (character.isalnum() or character in ".-:[]") for character in netloc)
