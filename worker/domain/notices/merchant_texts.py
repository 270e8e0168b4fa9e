"""Texts of notices in a merchant's own words, checked as a whole: nothing of them can fail when one is sent. Pure.

What a merchant does not say keeps our words.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from unicodedata import category

from schedules.notices import NoticeKind
from worker.domain.notices.texts import ALWAYS_KNOWN, AT_TIMES_KNOWN, LANGUAGES, TEXTS, Template, Texts

LONGEST = {"title": 100, "body": 4000}
"""Characters of each field, as it is written."""

UNSENDABLE = frozenset({"Cc", "Zl", "Zp"})
"""Unicode's categories of control characters and separators of lines: no database, or no e-mail, takes all of them."""


def merchant_texts(tables: Mapping[str, Any]) -> tuple[Texts, list[str]]:
    """Return our texts with what tables of kinds and languages say instead, and everything that is wrong with those."""
    texts = dict(TEXTS)
    problems: list[str] = []
    for kind, language, table in _tables(tables, problems):
        for field, value in table.items():
            place = f"[{kind}.{language}] {field}"
            wrong = list(_wrong(kind, field, value)) if field in LONGEST else [_no(field, "field", LONGEST)]
            problems += [f"{place if field in LONGEST else f'[{kind}.{language}]'} {each}" for each in wrong]
            if not wrong:
                texts[kind, language] = _with(texts[kind, language], field, value)
    return texts, problems


def _tables(tables: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[NoticeKind, str, Mapping[str, Any]]]:
    """Yield each table of a kind and a language; what is none of these is added to the problems."""
    for name, languages in tables.items():
        if name not in list(NoticeKind):
            problems.append(_no(name, "kind of notice", list(NoticeKind)))
        elif not isinstance(languages, dict):
            problems.append(f"{name} must be tables of its languages, such as [{name}.ko]")
        else:
            for language, table in languages.items():
                if language not in LANGUAGES:
                    problems.append(f"[{name}] {_no(language, 'language', LANGUAGES)}")
                elif not isinstance(table, dict):
                    problems.append(f"{name}.{language} must be a table, [{name}.{language}], with a title or a body")
                else:
                    yield NoticeKind(name), language, table


def _wrong(kind: NoticeKind, field: str, value: object) -> Iterator[str]:
    """Yield what is wrong with a title or a body."""
    if not isinstance(value, str):
        yield "must be a text in quotes"
    elif not value.strip():
        yield "is empty; leave it out to keep what Again says"
    elif len(value) > LONGEST[field]:
        yield f"has {len(value)} characters, more than {LONGEST[field]}"
    elif field == "title" and len(value.strip().splitlines()) > 1:
        yield "must be one line"
    elif any(category(each) in UNSENDABLE and each not in "\n\t" for each in value.strip()):
        yield "has a control character"
    elif field == "title":
        yield from _wrong_names(kind, value, ALWAYS_KNOWN[kind])
    else:
        yield from _wrong_lines(kind, value)


def _wrong_lines(kind: NoticeKind, body: str) -> Iterator[str]:
    always = ALWAYS_KNOWN[kind]
    known = always | AT_TIMES_KNOWN.get(kind, frozenset())
    wrong = [each for line in _lines(body) for each in _wrong_names(kind, line, known)]
    yield from dict.fromkeys(wrong)
    if not wrong and not any(line.strip() and not list(_wrong_names(kind, line, always)) for line in _lines(body)):
        yield f"would be empty at times: one line at least must name nothing but {_listed(always)}"


def _wrong_names(kind: NoticeKind, line: str, known: frozenset[str]) -> Iterator[str]:
    """Yield what is wrong with the names in the braces of a line."""
    try:
        parts = list(string.Formatter().parse(line))
    except ValueError:
        yield "has a brace without its other one; write {{ and }} for braces themselves"
        return
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            yield f"has {_shown(name, form, conversion)}: between braces there must be a name alone, such as {{plan}}"
        elif name not in known:
            yield f"names {{{name:.40}}}; for {kind} it may name {_listed(known)}"


def _shown(name: str, form: str | None, conversion: str | None) -> str:
    inside = f"{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
    return f"{{{inside:.40}}}"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"{{{each}}}" for each in sorted(names))


def _no(name: str, what: str, known: Any) -> str:
    return f"{name!r:.40} is no {what}; there are {', '.join(known)}"


def _lines(body: str) -> tuple[str, ...]:
    return tuple(line.rstrip() for line in body.strip().split("\n"))


def _with(template: Template, field: str, value: str) -> Template:
    if field == "title":
        return replace(template, title=value.strip())
    return replace(template, lines=_lines(value))
