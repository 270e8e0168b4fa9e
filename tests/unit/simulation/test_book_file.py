"""Books in TOML: what is left out has a default, and what is wrong is told with its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from worker.domain.errors import Refused
from worker.simulation.book import Habits
from worker.simulation.book_file import read_book

PAGE = Path(__file__).parents[3] / "docs" / "simulate.md"

PLAN = '[[plans]]\nsubscriptions = 10\ncode = "gold"\nname = "Gold"\namount = 9900\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "book.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(Refused) as refused:
        read_book(written(folder, text))
    return str(refused.value).replace(str(folder / "book.toml"), "BOOK")


def test_plan_alone_is_monthly_with_usual_customers(tmp_path: Path):
    book = read_book(written(tmp_path, PLAN))
    (share,) = book.plans
    assert (share.subscriptions, share.plan.code, str(share.plan.cadence)) == (10, "gold", "month")
    assert book.habits == Habits()


def test_what_is_written_takes_the_place_of_defaults(tmp_path: Path):
    customers = "[customers]\nlow_balance = 1\npaydays = [31, 5, 5]\ncanceled = 0\n[customers.pgs]\npayco = 2\n"
    habits = read_book(written(tmp_path, PLAN + "dunning = [3, 7]\n" + customers)).habits
    assert (habits.low_balance, habits.paydays, habits.canceled, habits.pgs) == (1.0, (5, 31), 0.0, {"payco": 2})


def test_dunning_may_be_a_list_and_an_empty_one_is_none(tmp_path: Path):
    shown = [
        str(read_book(written(tmp_path, f"{PLAN}dunning = {each}\n")).plans[0].plan.dunning)
        for each in ("[3, 7]", "[]")
    ]
    assert shown == ["3,7", "none"]


def test_book_of_the_page_has_the_defaults_it_claims(tmp_path: Path):
    (book,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert read_book(written(tmp_path, book)).habits == Habits()
    assert tomllib.loads(book)["customers"].keys() == set(Habits.__slots__)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[[plans\n", 1, "this is no TOML"),
        ("", 1, r"at least one table \[\[plans\]\]"),
        ("plans = 3\n", 1, "at least one table"),
        (PLAN + "[shops]\n", 6, "a book has no 'shops'"),
        (PLAN.replace("subscriptions = 10\n", ""), 1, "subscriptions is missing but must be a whole number from 1"),
        (PLAN.replace("10\n", "0.5\n"), 2, "subscriptions is 0.5 but must be"),
        (PLAN.replace("9900", "12"), 5, "amount is 12 but must be a whole number of won from 100"),
        (PLAN + 'dunning = "7,3"\n', 6, "dunning is '7,3' but must be"),
        (PLAN + 'colour = "red"\n', 6, "colour is 'red' but must be left out"),
        (PLAN + PLAN, 8, "the code 'gold' is another plan's already"),
        (PLAN.replace("9900", "3000000"), 5, "3,000,000 KRW cannot be charged: Kakao Pay takes no more than"),
        (PLAN.replace("10\n", "20000\n") + PLAN.replace("gold", "tin"), 2, "20,010 subscriptions together"),
        ("customers = 3\n" + PLAN, 1, "customers is a table"),
        (PLAN + "[customers]\nlow_balance = 2\n", 7, "low_balance is 2 but must be a chance from 0 to 1"),
        (PLAN + "[customers]\nlow_balance = nan\n", 7, "low_balance is nan but must be a chance"),
        (PLAN + "[customers]\nlow_balance = true\n", 7, "low_balance is True but must be a chance"),
        (PLAN + "[customers]\n\npaydays = []\n", 8, "paydays is .* but must be a list of days"),
        (PLAN + "[customers]\nrefunded_days = 0\n", 7, "refunded_days is 0 but must be a whole number of days"),
        (PLAN + "[customers]\nhappy = 1\n", 7, "customers have no 'happy'"),
        (PLAN + "[customers.pgs]\npaypal_v2 = 1\n", 6, "pgs is .* but must be a table of whole numbers by PG"),
        (PLAN + "[customers]\nlow_balance = 0.9\ndead_key = 0.9\n", 6, "come to 1.8; they are 1 at most"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str):
    assert re.search(rf"BOOK, line {line}: .*{said}", complaint(tmp_path, text))


def test_all_problems_are_told_at_once_in_the_order_of_lines(tmp_path: Path):
    text = PLAN.replace("9900", "12") + 'cadence = "soon"\n[customers]\ncanceled = -1\n'
    lines = re.findall(r"^BOOK, line (\d+):", complaint(tmp_path, text), re.MULTILINE)
    assert lines == ["5", "6", "8"]
    assert "3 problems" in complaint(tmp_path, text)


def test_line_is_that_of_the_plan_that_is_wrong(tmp_path: Path):
    second = PLAN.replace("gold", "tin").replace("9900", "1")
    assert complaint(tmp_path, PLAN + "\n" + second).startswith("BOOK, line 11: amount is 1 ")


def test_file_that_is_no_utf_8_or_is_not_there_is_refused(tmp_path: Path):
    path = tmp_path / "book.toml"
    path.write_bytes(b"# a\n# \xbe\xc6\n")
    with pytest.raises(Refused, match="line 2: this is no UTF-8"):
        read_book(path)
    with pytest.raises(Refused, match="cannot be read: No such file"):
        read_book(tmp_path / "other.toml")
    with pytest.raises(Refused, match="cannot be read: Is a directory"):
        read_book(tmp_path)


def test_file_that_is_too_large_is_refused_unread(tmp_path: Path):
    path = tmp_path / "book.toml"
    with path.open("wb") as file:
        file.truncate(2 << 20)
    with pytest.raises(Refused, match="this is no book"):
        read_book(path)
