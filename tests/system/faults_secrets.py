"""Nothing secret or personal may stand in anything that was printed: a whole run's logs and outputs are searched."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha1
from pathlib import Path

CARD_NUMBER = re.compile(r"(?<![0-9A-Za-z.-])(?:\d{4}[ -]?){3}\d{3,4}(?![0-9A-Za-z-])")  # and no part of a UUID
MASKED_CARD = re.compile(r"\d{4,8}\*{2,}\d{0,4}")
IMP_SECRET = re.compile(r"imp_secret", re.IGNORECASE)
TOKEN_LIKE = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def assert_nothing_secret_was_printed(folder: Path, ledger: Path, secrets: Iterable[str]) -> None:
    """Search every file of a folder for secrets, the sandbox's access tokens, imp_secret, and card numbers."""
    words = {*secrets, *access_tokens(ledger)}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert files, f"nothing was printed into {folder}"
    leaks = [f"{path.name}: {leak}" for path in files for leak in _leaks(path.read_text(errors="replace"), words)]
    assert leaks == [], "\n".join(leaks[:20])


def access_tokens(ledger: Path) -> list[str]:
    """Return every access token that a sandbox can have issued, from its ledger; it must have ended."""
    with closing(sqlite3.connect(ledger)) as connection:
        state = dict(connection.execute("SELECT name, value FROM state"))
    drawn = range(1, int(state["drawn"]) + 1)
    tokens = [sha1(f"{state['seed']}:token:{number}".encode()).hexdigest() for number in drawn]
    assert any(token in state["token"] for token in tokens), "the sandbox makes its tokens in another way now"
    return tokens


def _leaks(text: str, words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if word in text:
            yield f"{word!r}, as in {_around(text, text.index(word))!r}"
    for pattern in (MASKED_CARD, IMP_SECRET, TOKEN_LIKE):
        if found := pattern.search(text):
            yield f"{pattern.pattern}, as in {_around(text, found.start())!r}"
    for found in CARD_NUMBER.finditer(text):
        if _is_card_number(found.group()):
            yield f"a card number, as in {_around(text, found.start())!r}"


def _is_card_number(text: str) -> bool:
    """Check Luhn's digit, which a random number passes one time in ten."""
    digits = [int(digit) for digit in reversed(text) if digit.isdigit()]
    return sum(digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(digits)) % 10 == 0


def _around(text: str, place: int) -> str:
    return text[max(0, place - 60) : place + 80]
