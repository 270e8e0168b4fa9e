"""CSV files as spreadsheets write them: UTF-8 with or without a mark, or CP949, which Korean Excel writes.

Read line by line: a file of any size takes the memory of one row.
"""

from __future__ import annotations

import csv
import io
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from worker.domain.errors import Refused

ENCODINGS = ("utf-8-sig", "cp949")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}

LONGEST_LINE = 1 << 20
"""Characters; a file of one endless line would be read into memory whole."""

_BLOCK = 1 << 20
_ROWS_PER_REPORT = 500

Progress = Callable[[int], None]
"""Told now and then how many bytes have been read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line of the file on which it begins, and its values, with spaces around them removed."""

    line: int
    cells: tuple[str, ...]


def separator_of(path: Path) -> str:
    """Find what separates the values: the one of SEPARATORS that the first line has most of.

    Raises Refused for what is no file on a disk: it is read more than once, so that nothing is imported of a bad one.
    """
    if not path.is_file():
        raise Refused(f"{path} is no file that can be read twice, such as a pipe; write it to a file first.")
    with path.open("rb") as file:
        first = next((line for line in iter(partial(file.readline, LONGEST_LINE), b"") if line.strip()), b"")
    return max(SEPARATORS, key=lambda separator: first.count(separator.encode()))


def read_csv(path: Path, progress: Progress) -> Iterator[Row]:
    """Return the rows that are not empty, the header first. Raises Refused for a file that is no such text."""
    encoding = _encoding(path)
    with path.open("rb") as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
        yield from _rows(path, text, partial(_report, file, progress))
        progress(file.tell())


def _rows(path: Path, text: io.TextIOWrapper, report: Callable[[], None]) -> Iterator[Row]:
    reader = csv.reader(_lines(path, text), strict=True, delimiter=separator_of(path))
    line = 1
    try:
        for number, cells in enumerate(reader):
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                yield Row(line, stripped)
            line = reader.line_num + 1
            if number % _ROWS_PER_REPORT == 0:
                report()
    except csv.Error as error:
        raise Refused(f"{path} cannot be read from line {line} on: {error}. Save it as CSV again.") from None


def _lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    for number, line in enumerate(iter(partial(text.readline, LONGEST_LINE), ""), 1):
        if len(line) == LONGEST_LINE:
            raise Refused(f"Line {number} of {path} has {LONGEST_LINE:,} characters or more; is it a CSV file?")
        yield line


def _report(file: BinaryIO, progress: Progress) -> None:
    progress(file.tell())


def columns_of(path: Path, header: Row | None, *, known: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    """Read a header, in any order and case. Raises Refused, with everything that is wrong with it."""
    if header is None:
        raise Refused(f"{path} is empty. Its first line must name the columns: {', '.join(required)}.")
    names = tuple(name.lower() for name in header.cells)
    if not set(names) & set(known):
        # Not quoted: without a header it is a customer's row, with a customer_uid in it.
        raise Refused(f"{path} does not name its columns in its first line. They are {', '.join(known)}.")
    problems = [
        *(f"the column {name} is missing" for name in required if name not in names),
        *(f"the column {name!r:.40} is unknown" for name in dict.fromkeys(names) if name not in known),
        *(f"the column {name} is there twice" for name in known if names.count(name) > 1),
    ]
    if problems:
        raise Refused(f"{path} has a wrong first line: {'; '.join(problems)}. The columns are {', '.join(known)}.")
    return names


def _encoding(path: Path) -> str:
    for encoding in ENCODINGS:
        if _decodes(path, encoding):
            return encoding
    raise Refused(f"{path} is neither UTF-8 nor CP949 text. Save it as CSV UTF-8.")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            for block in iter(partial(file.read, _BLOCK), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
