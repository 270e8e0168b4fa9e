"""Reading the source for the house rules: plain docstrings, retired words, test names, and where files stand.

Every checker takes a text (or names) and returns what breaks its rule, so that it can be tried on planted texts.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

LONGEST_TEST_NAME = 80  # characters
LONGEST_MODULE = 250  # lines
MOST_ROOT_FILES = 7  # modules directly in worker/

OPENINGS = re.compile(r"(Say|Says|Give|Gives|Tell|Tells|Make sure|See to it|(And )?[Ss]o (many|much|long|often|far))\b")
"""How a docstring does not begin: a function returns or does, and a constant is something in a unit."""

RETIRED = re.compile(
    r"\b(anew|begun|(un)?heed(s|ed|ing)?|mend(s|ed|ing)?|bent|all the same|nobody|somebody|whoever|strangers?)\b",
    re.IGNORECASE,
)
"""Words that CONTRIBUTING's dictionary replaces by the field's: roles for persons, and no archaic verbs."""

REPLACED = re.compile(
    r"\b((the|our) books|giv(e|es|en|ing) ((it|them|money|nothing) )?back|gave ((it|money) )?back|ladders?|rungs?"
    r"|a person|anybody|everybody)\b",
    re.IGNORECASE,
)
"""More of them, which documents may still quote: our records, refund, look-up backoff, operator or customer."""


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every docstring, those under constants and fields included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every string literal with a space in it, which is prose or SQL; docstrings too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def names_of_tests(source: str) -> list[str]:
    """Return the names of the test functions in a file, in order."""
    nodes = ast.walk(ast.parse(source))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node.name for node in functions if node.name.startswith("test_")]


def private_openings(source: str) -> list[str]:
    """Return the docstrings that begin with a verb of telling."""
    found = ((line, text.strip()) for line, text in docstrings(source))
    return [f"{line}: {text:.60}" for line, text in found if OPENINGS.match(text)]


def retired_words(source: str, *, with_messages: bool = True) -> list[str]:
    """Return the retired words in docstrings, comments and, unless left out, in messages."""
    texts = [*(messages if with_messages else docstrings)(source), *comments(source)]
    words = (RETIRED, REPLACED)
    return sorted({f"{line}: {found[0]}" for line, text in texts for each in words for found in each.finditer(text)})


def retired_in_names(source: str) -> list[str]:
    """Return the test names that hold a retired word."""
    return [name for name in names_of_tests(source) if RETIRED.search(name.replace("_", " "))]


def long_names(source: str) -> list[str]:
    """Return the test names that are too long to be read in a report."""
    return [name for name in names_of_tests(source) if len(name) > LONGEST_TEST_NAME]


def repeated_names(sources: Iterable[str]) -> list[str]:
    """Return the test names that stand more than once among the files of one room."""
    counted = Counter(name for source in sources for name in names_of_tests(source))
    return sorted(name for name, times in counted.items() if times > 1)


def long_modules(sources: Mapping[PurePosixPath, str]) -> list[str]:
    """Return the modules that should be split, with their lines."""
    lines = {path: len(source.splitlines()) for path, source in sources.items()}
    return [f"{path}: {count} lines" for path, count in sorted(lines.items()) if count > LONGEST_MODULE]


def astray(tests: Iterable[PurePosixPath], modules: Iterable[PurePosixPath]) -> list[str]:
    """Return the unit test files (relative to `tests/unit`) that are named after no module of their room.

    `room/test_x.py` and `room/test_x_aspect.py` name `room/x.py` or the package `room/x/`; the latter may also be
    tested by `room/x/test_anything.py` only if its own modules are named. Modules are relative to `worker` or to the
    root of the repository.
    """
    known = {str(path.with_suffix("")).removesuffix("/__init__") for path in modules}

    def names_a_module(test: PurePosixPath) -> bool:
        words = test.stem.removeprefix("test_").split("_")
        stems = ("_".join(words[:count]) for count in range(1, len(words) + 1))
        return any(str(test.parent / stem) in known for stem in stems)

    return sorted(str(test) for test in tests if not names_a_module(test))
