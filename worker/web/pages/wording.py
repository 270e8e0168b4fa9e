"""Every text that customers read, in Korean and English, and the version of it that they agree to. Pure.

A change of what is agreed to needs a new VERSION: consent is recorded with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from worker.web.pages.wording_en import ENGLISH
from worker.web.pages.wording_ko import KOREAN

VERSION = "2026-12"


class Language(StrEnum):
    KOREAN = "ko"
    ENGLISH = "en"

    @property
    def other(self) -> Language:
        return Language.ENGLISH if self is Language.KOREAN else Language.KOREAN


WORDS: Mapping[Language, Mapping[str, str]] = {Language.KOREAN: KOREAN, Language.ENGLISH: ENGLISH}


def wording_version(language: Language) -> str:
    """Return the name of a text for the record of consent: its version and language."""
    return f"{VERSION}-{language}"


def choose_language(wanted: str | None, accept_language: str | None) -> Language:
    """Return the language that the URL asks for, else the browser's preference; Korean when it has none."""
    if wanted in set(Language):
        return Language(wanted)
    liked = {Language.KOREAN: 0.0, Language.ENGLISH: 0.0}
    for part in (accept_language or "").lower()[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        primary = tag.strip().partition("-")[0]
        if primary in set(Language):
            liked[Language(primary)] = max(liked[Language(primary)], _weight(weight))
    return Language.ENGLISH if liked[Language.ENGLISH] > liked[Language.KOREAN] else Language.KOREAN


def _weight(text: str) -> float:
    """Return a preference from 0 to 1; a missing one is 1, a malformed one 0."""
    try:
        return min(1.0, max(0.0, float(text))) if text else 1.0
    except ValueError:
        return 0.0
