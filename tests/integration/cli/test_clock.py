"""`again clock`: what it shows, how it ends, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import NOBODY, Again, Tables
from tests.support.book import Book
from tests.support.sandbox import RunningSandbox, running_sandbox
from worker.database.engine import session_factory

LIVE = {"again_portone_key": "imp_key", "again_portone_secret": "imp_secret"}


@pytest.fixture
def portone(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "ledger.sqlite", admin_token="open") as running:
        yield running


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("open\n")
    return file


@pytest.fixture
def sandbox(portone: RunningSandbox) -> str:
    return portone.base_url


def test_clock_that_was_never_turned_shows_the_real_time(again: Again):
    assert "the real time." in again("clock", "show").said
    assert again("clock", "show", "--json").document["ahead_seconds"] == 0


def test_advancing_a_day_charges_what_is_due_and_says_so(
    again: Again, tables: Tables, portone: RunningSandbox, sandbox: str, token: Path
):
    book = Book(session_factory(tables._engine))
    book.plan(now=tables.now, charge_hour="0")
    portone.admin.create_key(book.subscribe(now=tables.now).customer_uid)
    options = ("--admin-token-file", token)
    advanced = again("clock", "advance", "1d", *options, "--json", again_sandbox_url=sandbox).document
    assert (advanced["paid"], advanced["events"]["charge.paid"]) == (portone.admin.report().charged_krw, 1)
    assert "Nothing fell due" in again("clock", "advance", "1h", *options, again_sandbox_url=sandbox).said
    assert "1 day 1 hour ahead of the real time" in again("clock", "show").said
    assert (
        "cannot be turned back" in again("clock", "set", "2026-01-01", *options, again_sandbox_url=sandbox, code=1).said
    )
    assert "30 days" not in again("doctor", "portone", "database", again_sandbox_url=sandbox).said


def test_doctor_and_status_go_by_the_turned_clock(again: Again, sandbox: str, token: Path):
    again("clock", "set", "2031-03-01", "--admin-token-file", token, again_sandbox_url=sandbox)
    said = again("doctor", "portone", "database", again_sandbox_url=sandbox).said
    assert said.count("clocks agree") == 2
    assert "Again at 2031-03-01" in again("status").said
    again("clock", "reset", "--admin-token-file", token, again_sandbox_url=sandbox)
    assert "the real time." in again("clock", "show").said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("advance", "5x"), "'5x' is no span of time"),
        (("advance", "900y"), "'900y' is more than 10 years"),
        (("set", "someday"), "'someday' is no date and time"),
        (("set", "2199-01-01"), "ten years ahead at most"),
    ],
)
def test_odd_times_are_refused_and_turn_nothing(words: tuple[str, ...], said: str, again: Again, sandbox: str):
    assert said in again("clock", *words, again_sandbox_url=sandbox, code=1).said
    assert again("clock", "show", "--json").document["ahead_seconds"] == 0


@pytest.mark.parametrize("words", [("advance", "1d"), ("set", "2031-01-01"), ("reset",)])
def test_without_the_sandbox_nothing_is_turned_or_tried(words: tuple[str, ...], again: Again, tables: Tables):
    book = Book(session_factory(tables._engine))
    book.plan(now=tables.now, charge_hour="0")
    book.subscribe(now=tables.now)
    assert "cannot be turned along" in again("clock", *words, again_sandbox_url=NOBODY, code=1).said
    assert again("clock", "show", "--json").document["ahead_seconds"] == 0
    assert tables.count("charges") == 0


@pytest.mark.parametrize("words", [("show",), ("advance", "1d"), ("set", "2031-01-01"), ("reset",)])
def test_clock_of_real_money_is_not_turned(words: tuple[str, ...], again: Again):
    assert "in the sandbox only" in again("clock", *words, code=1, **LIVE).said
