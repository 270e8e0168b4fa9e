"""The house rules of CONTRIBUTING, read from the source; the checkers themselves are tried on planted texts."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

import pytest

from tests.support import house_rules

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(path for folder in ("worker", "schedules") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

CUSTOMER_WORDING = frozenset({"worker/web/pages/wording_en.py", "worker/web/pages/wording_ko.py"})
"""Sentences that customers read, in their words."""

FROZEN = "worker/database/migrations/versions"
"""Migrations that were applied are never edited, whatever their length and words."""

NAMED_OTHERWISE = {
    "database/test_migration_numbers.py": "about the folder of migrations as a whole",
    "domain/declines/test_classify.py": "about the package's function `classify`, which unites its modules",
    "domain/declines/test_refusal_texts.py": "about the package's function `classify`, on hundreds of collected texts",
    "pg/window/test_builders.py": "about tests/support/payment_windows.py, from which its neighbours start",
    "pg/window/test_general.py": "about the package's function `build`, for every use of a window",
    "pg/window/test_registration.py": "about the package's function `build`, for registrations",
    "pg/window/test_registration_with_payment.py": "about the package's function `build`, for registrations that pay",
}
"""Unit test files that are named after no module, and why."""


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    return shown(path.parent)


def worded(paths: list[Path]) -> list[Path]:
    """Return the files that are in our words: neither frozen nor read by customers."""
    return [path for path in paths if room(path) != FROZEN and shown(path) not in CUSTOMER_WORDING]


# --- the project ----------------------------------------------------------------------------------------------------


def test_no_docstring_of_the_product_begins_with_a_verb_of_telling():
    found = [
        f"{shown(path)}:{each}" for path in worded(PRODUCT) for each in house_rules.private_openings(path.read_text())
    ]
    assert found == [], "a docstring says what a function returns or does: Return ..., not Say ... or Give ..."


def test_no_retired_word_stands_in_the_products_prose_and_messages():
    found = [
        f"{shown(path)}:{each}" for path in worded(PRODUCT) for each in house_rules.retired_words(path.read_text())
    ]
    assert found == [], "see the dictionary in CONTRIBUTING: roles for persons, and no archaic verbs"


def test_no_retired_word_stands_in_the_prose_of_tests():
    found = [
        f"{shown(path)}:{each}"
        for path in worded(TESTS)
        for each in house_rules.retired_words(path.read_text(), with_messages=False)
    ]
    assert found == [], "see the dictionary in CONTRIBUTING: roles for persons, and no archaic verbs"


def test_test_names_fit_into_a_report_and_hold_no_retired_word():
    sources = {path: path.read_text() for path in TESTS}
    found = [
        f"{shown(path)}: {name}"
        for path, source in sources.items()
        for name in house_rules.long_names(source) + house_rules.retired_in_names(source)
    ]
    assert found == [], f"subject, condition, result, in at most {house_rules.LONGEST_TEST_NAME} characters"


def test_no_two_tests_of_one_room_share_a_name():
    rooms = defaultdict(list)
    for path in TESTS:
        rooms[room(path)].append(path.read_text())
    found = {name: twice for name, sources in rooms.items() if (twice := house_rules.repeated_names(sources))}
    assert found == {}


def test_every_unit_test_file_names_a_module_of_its_room():
    unit = ROOT / "tests" / "unit"
    files = [PurePosixPath(path.relative_to(unit)) for path in unit.rglob("test_*.py")]
    modules = [PurePosixPath(shown(path).removeprefix("worker/")) for path in PRODUCT]
    assert house_rules.astray(files, modules) == sorted(NAMED_OTHERWISE)


def test_modules_are_short():
    sources = {PurePosixPath(shown(path)): path.read_text() for path in PRODUCT if room(path) != FROZEN}
    assert house_rules.long_modules(sources) == []


def test_few_files_stand_at_the_root_of_the_worker():
    files = [path.name for path in (ROOT / "worker").glob("*.py")]
    assert len(files) <= house_rules.MOST_ROOT_FILES, files


# --- the checkers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("docstring", "is_found"),
    [
        ("Say why not.", True),
        ("\n    Gives the date.", True),
        ("Make sure that it ends.", True),
        ("So many calls in a row end a run.", True),
        ("Return the date.", False),
        ("Sayings of the house.", False),
        ("Given names come first.", False),
    ],
)
def test_docstring_opening_is_found(docstring, is_found):
    functions = f'def f():\n    """{docstring}"""\n'
    constants = f'A = 1\n"""{docstring}"""\n'
    assert [bool(house_rules.private_openings(text)) for text in (functions, constants)] == [is_found, is_found]


@pytest.mark.parametrize(
    ("source", "with_messages", "found"),
    [
        ('"""Nobody asks."""\n', False, ["1: Nobody"]),
        ("a = 1\nb = 2  # begun anew\n", False, ["2: anew", "2: begun"]),
        ('raise ValueError("it was mended by a stranger")\n', True, ["1: mended", "1: stranger"]),
        ('raise ValueError("it was mended by a stranger")\n', False, []),
        ('state = "begun"\nrefund_begun_at = None  # amended, unbent, commend\n', True, []),
        ("# a person gives it back, and the books agree\n", False, ["1: a person", "1: gives it back", "1: the books"]),
        ('text = f"{who} did it\\nall the same {why}"\n', True, ["1: all the same"]),
    ],
)
def test_retired_word_is_found(source, with_messages, found):
    assert house_rules.retired_words(source, with_messages=with_messages) == found


def test_retired_word_in_a_test_name_is_found():
    assert house_rules.retired_in_names("def test_nobody_asks(): ...\ndef test_body_is_read(): ...\n") == [
        "test_nobody_asks"
    ]


def test_test_name_of_81_characters_is_long():
    fits, long = (f"test_{'x' * count}" for count in (75, 76))
    assert house_rules.long_names(f"def {fits}(): ...\nclass Suite:\n    async def {long}(self): ...\n") == [long]


def test_test_name_in_two_files_of_a_room_is_repeated():
    assert house_rules.repeated_names(["def test_a(): ...\ndef helper(): ...\n", "def test_a(): ...\n"]) == ["test_a"]


def test_module_of_251_lines_is_long():
    sources = {PurePosixPath("a.py"): "x\n" * 251, PurePosixPath("b.py"): "x\n" * 250}
    assert house_rules.long_modules(sources) == ["a.py: 251 lines"]


def test_unit_test_file_without_a_module_is_found():
    modules = [PurePosixPath(name) for name in ("room/thing.py", "room/box/__init__.py", "room/box/lid.py")]
    tests = ["room/test_thing.py", "room/test_thing_in_winter.py", "room/test_box.py", "room/box/test_lid.py"]
    stray = ["room/test_lid.py", "room/box/test_thing.py", "test_thing.py"]
    assert house_rules.astray(map(PurePosixPath, tests + stray), modules) == sorted(stray)
