"""The Korean pages say what the English ones say: the same code, examples, outline, rows, numbers and links."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.translations import (
    Translation,
    different_code,
    different_examples,
    different_first_cells,
    different_links,
    different_numbers,
    different_outline,
    names_of_translations,
    unclosed_bold,
)

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text() for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
}
ORIGINALS = names_of_translations(DOCUMENTS)
MOST_LINES_BEFORE_THE_LINK = 4


def translation_of(korean_name: str) -> Translation:
    name = ORIGINALS[korean_name]
    return Translation(name, korean_name, DOCUMENTS[name], DOCUMENTS[korean_name])


def links_differ(translation: Translation) -> list[str]:
    changed = {translation.name: translation.text, translation.korean_name: translation.korean_text}
    return different_links(translation, DOCUMENTS | changed)


CHECKS: dict[str, Callable[[Translation], list[str]]] = {
    "code": different_code,
    "examples": different_examples,
    "outline": different_outline,
    "first cells": different_first_cells,
    "numbers": different_numbers,
    "links": links_differ,
    "bold": lambda translation: unclosed_bold(translation.korean_text),
}


@pytest.mark.parametrize("korean_name", ORIGINALS)
@pytest.mark.parametrize("check", CHECKS)
def test_korean_page_says_what_the_english_one_says(check: str, korean_name: str):
    assert CHECKS[check](translation_of(korean_name)) == []


def test_readme_handbook_and_glossary_are_translated():
    assert ORIGINALS == {
        "README.ko.md": "README.md",
        "docs/ko/glossary.md": "docs/glossary.md",
        "docs/ko/operations.md": "docs/operations.md",
    }


@pytest.mark.parametrize("korean_name", ORIGINALS)
def test_korean_and_english_page_link_each_other_at_the_top(korean_name: str):
    page = translation_of(korean_name)
    for text, other in zip(page.pages, (page.korean_name, page.name), strict=True):
        assert re.search(
            rf"\[(한국어|English)\]\([./\w]*{Path(other).name}\)",
            "\n".join(text.splitlines()[:MOST_LINES_BEFORE_THE_LINK]),
        )


def test_korean_glossary_has_each_korean_term_once():
    terms = re.findall(r"^\| \*\*.+?\*\* \| (.+?) \|", DOCUMENTS["docs/ko/glossary.md"], re.MULTILINE)
    assert len(terms) == len(set(terms)) > 40


# A check, the page that changes, what is changed, and what it becomes.
PLANTED = [
    ("code", "docs/operations.md", "`again stop kakaopay`", "`again stop payco`"),
    ("code", "docs/ko/operations.md", "`again doctor broker beat`", "`again doctor beat`"),
    ("code", "docs/ko/operations.md", "`AGAIN_MAX_IN_FLIGHT`", "`AGAIN_MAX_AMOUNT`"),
    ("code", "README.md", "`AGAIN_BROKER_URL`, ", ""),
    ("code", "docs/glossary.md", "`again stop`", "`again halt`"),
    ("examples", "docs/operations.md", "-P prefork -c 3", "-P prefork -c 4"),
    ("examples", "docs/ko/operations.md", "again review list\n```", "```"),
    ("examples", "README.md", "look -- the same --> settle", "look -- the same --> claim"),
    ("examples", "README.ko.md", "│ payments really made                         │  2,325 │\n", ""),
    ("outline", "docs/operations.md", "\n### Flower", "\nOne more paragraph.\n\n### Flower"),
    ("outline", "docs/ko/operations.md", "## 불변 조건", "### 불변 조건"),
    ("outline", "README.md", "MIT licence.", "MIT licence.\n\n## Support"),
    ("outline", "README.ko.md", "3. **결과를 모르면", "**결과를 모르면"),
    ("outline", "docs/glossary.md", "| **Tick** |", "| **Tack** | a tick |\n| **Tick** |"),
    ("first cells", "docs/operations.md", "| needs a decision |", "| needs an operator |"),
    ("first cells", "docs/ko/glossary.md", "| **Tick** |", "| **Tock** |"),
    ("numbers", "docs/operations.md", "Version 14 or newer", "Version 15 or newer"),
    ("numbers", "README.md", "creates 1,000", "creates 2,000"),
    ("links", "docs/operations.md", "(security.md#flower)", "(security.md#broker)"),
    (
        "links",
        "docs/ko/operations.md",
        "[중지와 재개](#중지와-재개), [청구 보류](#청구-보류)",
        "[청구 보류](#청구-한도)",
    ),
    ("links", "docs/ko/operations.md", "(../billing-rules.md#too-much-unpaid)", "(../billing-rules.md)"),
    ("links", "README.ko.md", "(docs/ko/operations.md#운영-시작)", "(docs/ko/operations.md#배포)"),
    ("bold", "docs/ko/operations.md", "보류**하고", "보류(hold)**하고"),
]


@pytest.mark.parametrize(
    ("check", "name", "old", "new"), PLANTED, ids=[f"{check} of {name}" for check, name, *_ in PLANTED]
)
def test_planted_change_of_one_page_is_noticed(check: str, name: str, old: str, new: str):
    (korean_name,) = (korean for korean, english in ORIGINALS.items() if name in (korean, english))
    page = translation_of(korean_name)
    assert old in DOCUMENTS[name]
    text, korean_text = (
        each.replace(old, new) if each is DOCUMENTS[name] else each for each in (page.text, page.korean_text)
    )
    assert CHECKS[check](Translation(page.name, page.korean_name, text, korean_text)) != []
