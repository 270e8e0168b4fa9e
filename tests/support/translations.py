"""Comparing a Korean page with its English one: what a reader finds in the one has to be in the other.

Every checker takes pages and returns what differs, so that it can be tried on planted changes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
HANGUL = re.compile(r"[가-힣]")
MARK = re.compile(r"#+ |\||- |\d+\. ")
"""What a heading, a row of a table and an item of a list begin with."""

COMMENT = re.compile(r" +# .*$", re.MULTILINE)
LABEL = re.compile(r'"[^"]*"|(?<=\(\[)[^]]*|(?<=-- )[^-]+(?= -->)|PortOne|포트원')
"""What a diagram says to its reader: names of nodes and edges stay as they are."""

NOT_BOLD = re.compile(r"""[^\w\s*]\*\*(?=[가-힣])""")
"""An end of bold that GitHub shows as two asterisks: after punctuation and right before a letter."""


@dataclass(frozen=True)
class Translation:
    """The names and texts of an English page and of its Korean one."""

    name: str
    korean_name: str
    text: str
    korean_text: str

    @property
    def pages(self) -> tuple[str, str]:
        """The English text and the Korean one."""
        return self.text, self.korean_text


def names_of_translations(documents: Mapping[str, str]) -> dict[str, str]:
    """Return which English page each Korean page translates, by their names."""
    return {
        name: name.replace("README.ko.md", "README.md").replace("docs/ko/", "docs/")
        for name in documents
        if name == "README.ko.md" or name.startswith("docs/ko/")
    }


def different_code(translation: Translation) -> list[str]:
    """Return the commands, settings, states and other code that a section of only one of the two pages quotes."""
    pairs = zip_longest(*(sections(text) for text in translation.pages), fillvalue="")
    return [
        f"{_heading(korean)}: {code}" for english, korean in pairs for code in sorted(_code(english) ^ _code(korean))
    ]


def _code(text: str) -> set[str]:
    return {" ".join(code.split()) for code in CODE.findall(text)}


def sections(text: str) -> list[str]:
    """Return a page's sections, each from its heading on, without examples."""
    return re.split(r"^(?=#)", FENCED.sub("(example)", text), flags=re.MULTILINE)[1:]


def _heading(section: str) -> str:
    return section.partition("\n")[0]


def different_examples(translation: Translation) -> list[str]:
    """Return the fenced examples that differ in more than their comments and a diagram's labels."""

    def bare(example: str | None) -> str:
        text = COMMENT.sub("", example or "")
        return LABEL.sub("", text) if text.startswith("```mermaid") else text

    pairs = zip_longest(*(FENCED.findall(text) for text in translation.pages))
    return [korean or english for english, korean in pairs if bare(english) != bare(korean)]


def different_outline(translation: Translation) -> list[str]:
    """Return the sections whose levels, paragraphs, rows or items are not as many."""
    pairs = zip_longest(*(sections(text) for text in translation.pages), fillvalue="")
    return [
        f"{_heading(korean or english)}: {_outline(english)} != {_outline(korean)}"
        for english, korean in pairs
        if _outline(english) != _outline(korean)
    ]


def _outline(section: str) -> list[str]:
    """Return the kinds of a section's heading, paragraphs, examples, rows and items, in their order."""
    kinds: list[str] = []
    for block in section.strip().split("\n\n"):
        marks = [found[0] for line in block.splitlines() if (found := MARK.match(line))]
        kinds += marks or [block if block == "(example)" else "paragraph"]
    return kinds


def different_first_cells(translation: Translation) -> list[str]:
    """Return the rows whose first cell is another one in English, where the Korean page leaves it in English."""
    pairs = zip_longest(*(re.findall(r"^\| (.*?) \|", text, re.MULTILINE) for text in translation.pages), fillvalue="")
    return [korean for english, korean in pairs if not HANGUL.search(korean) and english != korean]


def different_numbers(translation: Translation) -> list[str]:
    """Return the numbers that the English page writes in digits and the Korean one nowhere."""
    english, korean = (
        set(NUMBER.findall(LINK.sub("", CODE.sub("", FENCED.sub("", text))))) for text in translation.pages
    )
    return sorted(english - korean)


def different_links(translation: Translation, documents: Mapping[str, str]) -> list[str]:
    """Return the pages and sections to which a section of only one of the two links.

    A link to a translation is as good as one to the original.
    """

    def places(name: str, section: str) -> set[str]:
        return {_place(name, found["path"], found["anchor"], documents) for found in LINK.finditer(section)}

    return [
        f"{_heading(korean)}: {place}"
        for english, korean in zip_longest(*(sections(text) for text in translation.pages), fillvalue="")
        for place in sorted(places(translation.name, english) ^ places(translation.korean_name, korean))
    ]


def _place(page: str, path: str, anchor: str | None, documents: Mapping[str, str]) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    originals = names_of_translations(documents)
    if anchor is None:
        return originals.get(target, target)
    anchors = [anchor_of(heading) for heading in HEADING.findall(FENCED.sub("", documents[target]))]
    section = anchors.index(anchor) if anchor in anchors else anchor
    return f"{originals.get(target, target)}, section {section}"


def anchor_of(heading: str) -> str:
    """Return how GitHub and the site name the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def unclosed_bold(text: str) -> list[str]:
    """Return the ends of bold text that GitHub does not take for ends."""
    return [text[max(0, found.start() - 20) : found.end()] for found in NOT_BOLD.finditer(FENCED.sub("", text))]
