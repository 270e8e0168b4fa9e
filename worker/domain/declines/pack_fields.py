"""Reading the tables of a pack: what each field must be, and in which line it is not. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.domain.outcomes import About

MOST_PROBLEMS = 20

_HEADER = re.compile(r"^\s*\[")
_KEY = re.compile(r"^\s*(\w+)\s*=")
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")


class InvalidPack(ValueError):
    """A pack that cannot be used; the message has a line for each problem: file, line, and what is expected."""


@dataclass(frozen=True, slots=True)
class PackText:
    """A pack as it was read, and everything that was found wrong with it so far."""

    file: str
    tables: Mapping[str, Any]
    lines: tuple[str, ...]
    problems: list[tuple[int, str]]  # each with its line

    @classmethod
    def parse(cls, file: str, text: str) -> PackText:
        """Parse TOML. Raises InvalidPack."""
        try:
            tables = tomllib.loads(text)
        except RecursionError:
            raise InvalidPack(f"{file}: it is nested too deeply") from None
        except tomllib.TOMLDecodeError as error:
            at = _AT.search(str(error))
            line = at[1] if at else len(text.splitlines())  # without one it is the end of the document
            raise InvalidPack(f"{file}:{line}: it is no TOML: {_AT.sub('', str(error))}") from None
        return cls(file, tables, tuple(text.splitlines()), [])

    @property
    def head(self) -> Fields:
        """What stands above the first table."""
        return Fields(self, {name: value for name, value in self.tables.items() if not _is_table(value)}, None)

    def array(self, name: str) -> list[Fields]:
        """Return the tables of an array, [[name]], each with the line it begins in."""
        found = self.tables.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.wrong(None, f"{name} must be tables, each below a line [[{name}]]")
            return []
        header = re.compile(rf"^\s*\[\[\s*{name}\s*\]\]")
        begins = [number for number, line in enumerate(self.lines, 1) if header.match(line)]
        known = begins if len(begins) == len(found) else [None] * len(found)  # written in another way: without lines
        return [Fields(self, values, line) for values, line in zip(found, known, strict=True)]

    def wrong(self, line: int | None, text: str) -> None:
        said = f"{self.file}: {text}" if line is None else f"{self.file}:{line}: {text}"
        self.problems.append((line or 0, said))

    def refuse_if_wrong(self) -> None:
        """Raise InvalidPack with what was found wrong, if anything."""
        if self.problems:
            left = len(self.problems) - MOST_PROBLEMS
            more = [f"{self.file}: {left} more problems are left out"] if left > 0 else []
            said = [text for _, text in sorted(self.problems, key=lambda problem: problem[0])]
            raise InvalidPack("\n".join([*said[:MOST_PROBLEMS], *more]))


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one table. What is not as it must be is added to the problems of its file, and read as nothing."""

    of: PackText
    values: Mapping[str, Any]
    line: int | None

    def only(self, *known: str) -> None:
        """Refuse every other field."""
        for name in self.values:
            if name not in known:
                self.wrong(name, f"{name!r:.40} is no field here; there are {', '.join(known)}")

    def text(self, name: str, *, most: int = 200, needed: bool = False) -> str:
        value = self.values.get(name, "")
        if name not in self.values:
            if needed:
                self.wrong(None, f"{name} is missing")
        elif not isinstance(value, str) or not value.strip() or len(value) > most:
            self.wrong(name, f"{name} must be a text of 1 to {most} characters")
            return ""
        return str(value)

    def texts(self, name: str, *, most: int = 2000, longest: int = 2000) -> tuple[str, ...]:
        value = self.values.get(name, [])
        if not isinstance(value, list) or (name in self.values and not value) or len(value) > most:
            self.wrong(name, f'{name} must be a list of 1 to {most} texts, such as ["..."]')
            return ()
        for each in value:
            if not isinstance(each, str) or not len(each.strip()) > 0 or len(each) > longest:
                self.wrong(name, f"{name} has {each!r:.40}, which must be a text of 1 to {longest} characters")
                return ()
        return tuple(value)

    def choice(self, name: str, known: Iterable[str], *, needed: bool = True) -> str | None:
        known = list(known)
        value = self.values.get(name)
        if name not in self.values:
            if needed:
                self.wrong(None, f"{name} is missing: one of {', '.join(known)}")
            return None
        if value not in known:
            self.wrong(name, f"{name} is {value!r:.40}, but must be one of {', '.join(known)}")
            return None
        return str(value)

    def about(self) -> About | None:
        found = self.choice("about", list(About), needed=False)
        return None if found is None else About(found)

    def version(self, *, needed: bool) -> int | None:
        value = self.values.get("version")
        if "version" not in self.values and not needed:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.wrong("version", "version must be a whole number, 1 or more")
            return None
        return value

    def wrong(self, name: str | None, text: str) -> None:
        self.of.wrong(self._line_of(name), text)

    def _line_of(self, name: str | None) -> int | None:
        """Return the line of a field, or else that of its table."""
        start = self.line or 0
        for number, line in enumerate(self.of.lines[start:], start + 1):
            if _HEADER.match(line) and "=" not in line and not line.strip().endswith(","):
                break
            if (found := _KEY.match(line)) and found[1] == name:
                return number
        return self.line


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))
