"""One row of an import."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from schedules.plans import Plan
from worker.subscriptions.billing_keys import is_label
from worker.subscriptions.csv_import.files import Row
from worker.subscriptions.csv_import.rows import COLUMNS, Known, Problem, RowReader, Staged, read_date, shown

NOW = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)
GOLD = Known(7, Plan.parse({"code": "gold", "name": "Gold", "amount": "9900", "cadence": "month"}))
GOOD = {"customer_reference": "gildong", "plan": "gold", "customer_uid": "customer_uid_1", "pg": "payco"}


@pytest.fixture
def reader() -> RowReader:
    return RowReader(COLUMNS, {"gold": GOLD}, max_amount=2_000_000, backdate=False, now=NOW)


def row(**values: str) -> Row:
    return Row(2, tuple((dict.fromkeys(COLUMNS, "") | GOOD | values).values()))


def test_a_good_row_is_ready_to_be_written(reader: RowReader):
    staged = reader.read(row(label="신한 ****1234", paid_until="2026-03-31"))
    assert isinstance(staged, Staged)
    assert len(staged.code) == 13
    assert staged._replace(code="") == Staged(
        line=2,
        code="",
        customer_reference="gildong",
        plan_id=7,
        customer_uid="customer_uid_1",
        pg="payco",
        channel_key=None,
        label="신한 ****1234",
        status="active",
        anchor_on=date(2026, 3, 31),
        next_charge_at=datetime(2026, 3, 31, 1, tzinfo=UTC),
    )


def test_rows_that_begin_alike_differ_in_their_codes(reader: RowReader):
    first, second = reader.read(row()), reader.read(row(customer_reference="cheolsu"))
    assert isinstance(first, Staged)
    assert isinstance(second, Staged)
    assert first.next_charge_at == second.next_charge_at
    assert first.code != second.code


def test_every_wrong_column_is_a_problem_of_its_own(reader: RowReader):
    wrong = {"customer_reference": "", "plan": "x", "customer_uid": "a b", "pg": "y", "start_on": "z"}
    problems = reader.read(row(**wrong))
    assert isinstance(problems, list)
    assert {problem.column for problem in problems} == set(wrong)


def test_a_problem_names_line_column_value_and_what_is_expected():
    problem = Problem(17, "pg", "kakao", "a PG")
    assert str(problem) == "line 17, pg: is 'kakao' but must be a PG"
    assert str(replace(problem, value=None)) == "line 17, pg: is missing but must be a PG"


@pytest.mark.parametrize(
    "text", ["20260131", "2026-1-31", "2026-W05-6", "31-01-2026", "2026-02-30", "２０２６-01-31", ""]
)
def test_a_date_is_written_in_one_way_only(text):
    with pytest.raises(ValueError):
        read_date(text)


def test_no_message_shows_what_is_secret():
    assert shown("customer_uid", "customer_uid_of_gildong") == "****dong (23 characters)"
    assert shown("label", "4111 1111 1111 1111") == "(19 characters)"
    assert shown("plan", "x" * 50) == "x" * 40 + "..."
    assert shown("plan", "") is None


DIVIDERS = ("", " ", "-", ".", "/", "_", ",", " - ", "\u00b7", "\u2013", "\u3000")


@pytest.mark.parametrize("divider", DIVIDERS)
def test_a_full_card_number_is_no_label_whatever_divides_it(divider: str):
    assert not is_label(divider.join(("1234", "5678", "9012", "3456")))
    assert not is_label(divider.join("１２３４５６７８９０１２３４５６"))


@pytest.mark.parametrize(
    "label", ["신한 1234-****-****-5678", "1234 56** **** 7890", "국민 ****1234", "2026-11-22", "5678 x 1234"]
)
def test_a_masked_card_number_is_a_label(label: str):
    assert is_label(label)
