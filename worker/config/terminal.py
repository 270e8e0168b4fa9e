"""Text as a terminal may get it: what would act on it instead of being read is taken out. Pure.

Texts of PGs, CSV files and unknown senders are shown to operators. An escape sequence in one could repaint a question
before money moves, and characters that turn the text direction could turn one amount into another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(text: str) -> str:
    """Return a text whose controls, direction marks and other unprintable letters are replaced; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


def one_line(text: str) -> str:
    """Return the same on one line, so that a text cannot pass for a line of its own."""
    return plain(text).replace("\n", " ")


def escaped(document: str) -> str:
    """Return a JSON document in which what is not printable is spelt by its number, which means the same."""
    if all(each.isprintable() or each == "\n" for each in document):
        return document
    return "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in document)


def plain_event(_logger: Any, _method: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a log event whose texts are plain: structlog's processor for what is shown on a terminal."""
    return {name: _plain_value(name, value) for name, value in event.items()}


def _plain_value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return plain(value) if name in {"event", "exception", "stack"} else one_line(value)


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
