"""`again forecast`: what will be charged, beside what was paid a month before."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import text

from tests.integration.cli.conftest import Again
from tests.support.book import Book
from worker.charging.open_due import open_due_charges
from worker.database.engine import Sessions
from worker.domain.forecast import a_month_before, day_of

NOW = datetime.now(UTC)
DAY = day_of(NOW) + timedelta(days=3)
OF_DAY = ("forecast", "--from", DAY)


def a_book(book: Book) -> list[str]:
    """Subscribe three customers who will be charged on that day, one of them in a trial, and one the day after."""
    book.plan(now=NOW)
    book.plan("tried", now=NOW, amount="7700", trial_days="7")
    made = [
        book.subscribe(now=NOW, plan=plan, pg=pg, starts_on=DAY + timedelta(days=days))
        for plan, pg, days in (
            ("monthly", "kakaopay", 0),
            ("monthly", "payco", 0),
            ("tried", "payco", 0),
            ("monthly", "payco", 1),
        )
    ]
    return [each.code for each in made]


def paid_a_month_before(sessions: Sessions, code: str, day: date) -> None:
    with sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""
            INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name,
                                 status, status_at, paid_at, queue, created_at)
            SELECT id, :at, :at + interval '30 days', 8800, 0, 'KRW', 'Plan', 'paid', :at, :at, 'payco', :at
            FROM subscriptions WHERE code = :code"""),
            {"code": code, "at": datetime(day.year, day.month, day.day, 3, tzinfo=UTC)},
        )


def test_day_is_summed_by_day_plan_and_pg(again: Again, book: Book, sessions: Sessions):
    codes = a_book(book)
    paid_a_month_before(sessions, codes[1], a_month_before(DAY))
    found = again(*OF_DAY, "--json").document
    assert (found["from"], found["to"]) == (str(DAY), str(DAY))
    assert found["total"] == {"charges": 3, "amount": 27_500}
    assert found["month_before"] == {"charges": 1, "amount": 8_800}
    assert [(each["plan"], each["charges"], each["month_before"]["amount"]) for each in found["plans"]] == [
        ("monthly", 2, 8_800),
        ("tried", 1, 0),
    ]
    assert [(each["pg"], each["amount"]) for each in found["pgs"]] == [("kakaopay", 9_900), ("payco", 17_600)]
    assert found["marked"] == {"first": {"charges": 2, "amount": 17_600}, "new_price": {"charges": 1, "amount": 9_900}}
    said = again(*OF_DAY).said
    assert all(word in said for word in ("27,500", "8,800", "By plan", "first charges after a price change"))


def test_each_charge_is_a_line_of_the_csv_file(again: Again, book: Book, tmp_path: Path):
    codes = a_book(book)
    path = tmp_path / "tomorrow.csv"
    last = DAY + timedelta(days=1)
    again(*OF_DAY, "--to", last, "--csv", path)
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert sorted((each["subscription"], each["day"], each["amount"], each["marks"]) for each in lines) == [
        (codes[0], str(DAY), "9900", "first"),
        (codes[1], str(DAY), "9900", "first"),
        (codes[2], str(DAY), "7700", "first"),
        (codes[3], str(last), "9900", "first"),
    ]


def test_held_charges_are_in_no_sum(again: Again, book: Book):
    a_book(book)
    again("stop", "payco", "--reason", "a test")
    found = again(*OF_DAY, "--json").document
    assert found["total"] == {"charges": 1, "amount": 9_900}
    assert found["held"] == {"stop": {"charges": 2, "amount": 17_600}}
    assert "Held, and in no sum above" in again(*OF_DAY).said


def test_what_a_stopped_plan_has_set_aside_is_foreseen_as_held(again: Again, book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    again("stop", "--plan", "monthly", "--reason", "a test")
    open_due_charges(sessions, now=NOW + timedelta(days=1), limit=12)
    with sessions.begin() as session:
        session.execute(text("UPDATE charges SET next_attempt_at = :at"), {"at": datetime.combine(DAY, time(3), UTC)})
        assert session.scalar(text("SELECT queue FROM charges LIMIT 1")) == "plan:1"
    assert "stop" in again(*OF_DAY, "--json").document["held"]


def test_forecast_is_of_tomorrow_unless_days_are_given(again: Again):
    before, found, after = datetime.now(UTC), again("forecast", "--json").document, datetime.now(UTC)
    assert found["from"] == found["to"]
    assert found["from"] in {str(day_of(at) + timedelta(days=1)) for at in (before, after)}


def test_nothing_to_come_is_said_so(again: Again):
    found = again(*OF_DAY, "--json").document
    assert (found["total"]["charges"], found["plans"], found["held"]) == (0, [], {})
    assert str(DAY) in again(*OF_DAY).said


def test_days_that_are_over_are_refused(refused: Again):
    assert "is over" in refused("forecast", "--from", DAY - timedelta(days=5)).said


def test_days_in_the_wrong_order_are_refused(refused: Again):
    assert "before it begins" in refused("forecast", "--from", DAY, "--to", DAY - timedelta(days=1)).said


def test_more_days_than_a_forecast_has_are_refused(refused: Again):
    assert "92 days" in refused("forecast", "--from", DAY, "--to", DAY + timedelta(days=92)).said


def test_file_that_cannot_be_written_is_refused(refused: Again, tmp_path: Path):
    assert "cannot be written" in refused("forecast", "--csv", tmp_path / "none" / "file.csv").said


def test_page_shows_the_titles_and_columns_of_the_command(again: Again, book: Book):
    codes = a_book(book)
    again("subscription", "cancel", codes[3])
    again("stop", "payco", "--reason", "a test")
    page = (Path(__file__).parents[3] / "docs" / "forecast.md").read_text("utf-8")
    shown = {" ".join(line.split()) for line in page.split("```")[3].splitlines()}
    printed = [" ".join(line.split()) for line in again(*OF_DAY, "--to", DAY + timedelta(days=2)).out.splitlines()]
    titles = [line for line in printed if line and not any(letter.isdigit() for letter in line)]
    assert len(titles) > 10
    assert [each for each in titles if each not in shown] == []


def test_charge_limits_that_would_be_exceeded_are_named(again: Again, book: Book):
    a_book(book)
    low = {"again_claim_chunk": "1", "again_max_day_charges": "1", "again_max_amount": "9000"}
    found = again(*OF_DAY, "--json", **low).document
    assert [each.split(" ", 1)[0] for each in found["limits"]] == ["AGAIN_MAX_DAY_CHARGES", "AGAIN_MAX_AMOUNT"]
    assert "payco has 2" in again(*OF_DAY, **low).said
    assert again(*OF_DAY, "--json").document["limits"] == []


def test_subscription_whose_plan_cannot_be_read_leaves_the_others_in(again: Again, book: Book, sessions: Sessions):
    codes = a_book(book)
    again("subscription", "pause", codes[0])
    again("subscription", "cancel", codes[1])
    with sessions.begin() as session:
        session.execute(text("UPDATE plans SET cadence = 'now and then' WHERE code = 'monthly'"))
    found = json.loads(again(*OF_DAY, "--json").out)  # and the log says which plan it is
    assert (found["unreadable"], found["total"]) == (2, {"charges": 1, "amount": 7_700})
