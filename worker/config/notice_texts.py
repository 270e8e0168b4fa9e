"""The file of a merchant's own texts for notices, read once per process: a running worker keeps what it began with."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from worker.config.toml_files import text_of
from worker.domain.notices.merchant_texts import merchant_texts
from worker.domain.notices.texts import Texts

MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """Where the texts were read, and all texts, ours where the file says nothing."""

    path: str
    texts: Texts = field(repr=False)

    def __str__(self) -> str:
        return self.path


def notice_texts(value: object) -> object:
    """Read the file that a text names; any other value as it is. Raises ValueError with every problem, one per line."""
    return _read(value) if isinstance(value, str) else value


@cache
def _read(path: str) -> NoticeTexts:
    """Read and check a file.

    A worker's children are replaced by others all the time, and inherit over the fork what their parent has read: a
    file that is being edited, or is gone, must not keep them from charging.
    """
    texts, problems = merchant_texts(_tables(path))
    if problems:
        raise ValueError("\n".join(_first(path, problems)))
    return NoticeTexts(path, texts)


def _tables(path: str) -> dict[str, Any]:
    """Return what is in a TOML file. Raises ValueError."""
    text = text_of(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"{path} is no TOML: it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None


def _first(path: str, problems: list[str]) -> Iterator[str]:
    yield from (f"{path}: {each}" for each in problems[:MOST_PROBLEMS])
    if len(problems) > MOST_PROBLEMS:
        yield f"{path}: {len(problems) - MOST_PROBLEMS} more problems are left out"
