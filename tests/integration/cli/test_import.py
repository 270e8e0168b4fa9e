"""`again import`: all rows or none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest

from tests.integration.cli.conftest import Again, Tables
from tests.support.sandbox import Api, running_sandbox
from worker.pg.catalog import PGS
from worker.subscriptions.csv_import.rows import COLUMNS

SEOUL = ZoneInfo("Asia/Seoul")
HEADER = "customer_reference,plan,customer_uid,pg,label,channel_key,start_on,paid_until"

Write = Callable[..., Path]


def today() -> date:
    return datetime.now(SEOUL).date()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a CSV file of a header and lines."""

    def write(*lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
        path = tmp_path / "subscriptions.csv"
        path.write_bytes("\r\n".join((header, *lines, "")).encode(encoding))
        return path

    return write


def line(number: int, **values: str) -> str:
    """Write a good line, or one that is good but for some values."""
    row = dict.fromkeys(COLUMNS, "") | {
        "customer_reference": f"customer-{number}",
        "plan": "gold",
        "customer_uid": f"customer_uid_number_{number}",
        "pg": "kakaopay",
    }
    return ",".join((row | values).values())


def rows_of(tables: Tables, columns: str, table: str) -> Sequence[tuple[object, ...]]:
    return [tuple(row) for row in tables.sql(f"SELECT {columns} FROM {table} ORDER BY id")]


def test_a_file_becomes_keys_and_subscriptions(again: Again, gold: str, tables: Tables, write: Write):
    path = write(line(1, label="신한 ****1234", channel_key="channel-1"), line(2, pg="payco"))
    assert again("import", path, "--json", "--no-schedules").document | {"first_charge_at": ""} == {
        "rows": 2,
        "dry_run": False,
        "subscriptions": 2,
        "billing_keys": 2,
        "due_now": 0 if datetime.now(SEOUL).hour < 10 else 2,
        "first_charge_at": "",
        "open_schedules": None,
        "notes": [],
    }
    assert rows_of(tables, "customer_uid, pg, channel_key, label, status", "billing_keys") == [
        ("customer_uid_number_1", "kakaopay", "channel-1", "신한 ****1234", "active"),
        ("customer_uid_number_2", "payco", None, "", "active"),
    ]
    assert rows_of(tables, "customer_reference, billing_key_id, status, anchor_on", "subscriptions") == [
        ("customer-1", 1, "active", today()),
        ("customer-2", 2, "active", today()),
    ]
    assert {row.to_status for row in tables.sql("SELECT to_status FROM audit WHERE entity = 'subscription'")} == {
        "active"
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_korean_is_read_however_excel_wrote_it(again: Again, gold: str, tables: Tables, write: Write, encoding):
    again("import", write(line(1, customer_reference="홍길동", label="국민 ****1234"), encoding=encoding))
    assert rows_of(tables, "customer_reference", "subscriptions") == [("홍길동",)]
    assert rows_of(tables, "label", "billing_keys") == [("국민 ****1234",)]


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_read_and_said(again: Again, gold: str, tables: Tables, write: Write, separator, name):
    path = write(line(1).replace(",", separator), header=HEADER.replace(",", separator))
    assert f"separated by {name}" in again("import", path).said
    assert tables.count("subscriptions") == 1


@pytest.mark.parametrize(("values", "warned"), [({}, True), ({"paid_until": "today"}, False)])
def test_import_into_a_trial_that_outlives_its_consent_is_warned_about(
    again: Again, write: Write, values: dict[str, str], warned: bool
):
    again("plan", "add", "try", "--name", "Try", "--amount", 1000, "--cadence", "day", "--trial-days", 60)
    values = {name: str(today()) for name in values}  # paid for elsewhere: no trial is given
    notes = again("import", write(line(1, plan="try", **values)), "--json", "--no-schedules").document["notes"]
    assert ("E-Commerce Act 13(6)" in " ".join(notes)) is warned


def test_an_empty_file_and_a_row_of_the_wrong_length_are_named_as_that(refused: Again, write: Write):
    assert "is empty" in refused("import", write(header="")).said
    assert "line 3 has 2 values, the header has 8" in refused("import", write(line(1), "a,b")).said


def test_columns_come_in_any_order_and_case_and_empty_lines_do_not_count(
    again: Again, gold: str, tables: Tables, write: Write
):
    header = " PG ,Customer_UID,plan,customer_reference"
    path = write(
        "kakaopay,customer_uid_1, gold ,gildong", "", ",,,", 'payco,customer_uid_2,gold,"kim, cheolsu"', header=header
    )
    assert again("import", path, "--json").document["subscriptions"] == 2
    assert rows_of(tables, "customer_reference", "subscriptions") == [("gildong",), ("kim, cheolsu",)]


def test_periods_paid_elsewhere_are_not_charged_again(again: Again, gold: str, key: int, tables: Tables, write: Write):
    paid_until = today() + timedelta(days=20)
    anchor_on = paid_until - timedelta(days=365 * 2)
    again("plan", "add", "try", "--name", "Try", "--amount", 9900, "--cadence", "day", "--trial-days", 14)
    path = write(
        line(1, paid_until=str(paid_until)),
        line(2, plan="try", paid_until=str(paid_until), start_on=str(anchor_on)),  # no second trial
        line(3, plan="try"),
    )
    again("import", path)
    starts = [
        row.next_charge_at.astimezone(SEOUL).date() for row in tables.sql("SELECT * FROM subscriptions ORDER BY id")
    ]
    assert starts == [paid_until, paid_until, today() + timedelta(days=14)]
    assert rows_of(tables, "status, anchor_on", "subscriptions") == [
        ("active", paid_until),
        ("active", anchor_on),
        ("trialing", today() + timedelta(days=14)),
    ]


def test_known_key_is_reused_and_two_plans_may_share_one(
    again: Again, gold: str, key: int, tables: Tables, write: Write
):
    again("plan", "add", "daily", "--name", "Daily", "--amount", 1000, "--cadence", "day")
    uid = "customer_uid_of_gildong"
    again("import", write(line(1, customer_uid=uid), line(1, plan="daily", customer_uid=uid)))
    assert rows_of(tables, "billing_key_id", "subscriptions") == [(key,), (key,)]


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        ({"customer_reference": ""}, "customer_reference: is missing", "1 to 100 printable"),
        ({"customer_reference": "x" * 101}, "customer_reference", "1 to 100 printable"),
        ({"plan": "platinum"}, "plan: is 'platinum'", "plan that exists"),
        ({"plan": "dear"}, "plan: is 'dear'", "no more than 2,000,000 KRW"),
        ({"customer_uid": ""}, "customer_uid: is missing", "1 to 80"),
        ({"customer_uid": "u" * 81}, "customer_uid: is '****uuuu (81 characters)'", "1 to 80"),
        ({"customer_uid": "gil dong has spaces"}, "customer_uid: is '****aces (19 characters)'", "without spaces"),
        ({"pg": "kakao"}, "pg: is 'kakao'", "PortOne's code of a PG"),
        ({"pg": "paypal_v2"}, "plan: is 'gold'", "PayPal takes no KRW"),
        ({"label": "4111 1111 1111 1111"}, "label: is '(19 characters)'", "no full card number"),
        ({"channel_key": "c" * 56}, "channel_key", "1 to 55"),
        ({"start_on": "31.1.2026"}, "start_on: is '31.1.2026'", "2026-01-31"),
        ({"start_on": "2026-02-30"}, "start_on: is '2026-02-30'", "2026-01-31"),
        ({"start_on": "2020-01-31"}, "start_on", "periods are due since 2020-01-31; give --backdate"),
        ({"paid_until": "2020-01-31"}, "paid_until", "periods are due since 2020-01-31; give --backdate"),
        ({"paid_until": "9999-01-31"}, "paid_until", "from 1970-01-01 to"),
        ({"start_on": "2036-01-31", "paid_until": "2036-01-30"}, "paid_until", "start_on (2036-01-31) or later"),
        ({"start_on": "2025-01-31", "paid_until": "2036-02-15"}, "paid_until", "such as 2036-02-29"),
    ],
)
def test_a_wrong_value_is_named_with_line_and_column(refused: Again, write: Write, values, column, expected):
    ended = refused("import", write(line(1), line(2, **values), line(3)), again_max_amount="9000000")
    assert f"line 3, {column}" in ended.said
    assert expected in ended.said
    assert "Nothing was imported: 1 problem." in ended.said
    for secret in ("u" * 81, "gil dong has", "4111 1111"):
        assert secret not in ended.said


def test_all_invalid_values_of_a_row_are_reported_at_once(refused: Again, write: Write):
    said = refused("import", write(line(1, plan="x", pg="y", start_on="z"))).said
    assert "Nothing was imported: 3 problems." in said


def test_first_fifty_of_many_problems_are_reported(refused: Again, write: Write):
    path = write(*(line(number, pg="kakao") for number in range(120)))
    said = refused("import", path).said
    assert said.count("line ") == 50
    assert "line 51, pg" in said
    assert "... and 70 more" in said
    assert "120 problems" in said


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((line(1), line(2), line(1)), "line 4, customer_reference: is 'customer-1' but must be a customer that line 2"),
        (
            (line(1), line(2, customer_uid="customer_uid_number_1", pg="payco")),
            "line 3, pg: is 'payco' but must be kakaopay, as line 2",
        ),
        (
            (line(1, channel_key="a"), line(2, customer_uid="customer_uid_number_1", channel_key="b")),
            "line 3, channel_key: is 'b' but must be the same as in line 2",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_found(refused: Again, write: Write, lines, expected):
    assert expected in refused("import", write(*lines)).said


@pytest.mark.parametrize(
    ("before", "lines", "expected"),
    [
        ("SELECT 1", [line(1)], "a customer without a running subscription to this plan"),
        ("SELECT 1", [line(2, customer_uid="customer_uid_number_1", pg="payco")], "must be kakaopay, as billing key 1"),
        ("SELECT 1", [line(2, customer_uid="customer_uid_number_1", channel_key="x")], "channel key of billing key 1"),
        ("UPDATE billing_keys SET status = 'dead'", [line(2, customer_uid="customer_uid_number_1")], "key 1 is dead"),
    ],
)
def test_rows_that_contradict_the_database_are_found(
    again: Again, gold: str, tables: Tables, write: Write, before, lines, expected
):
    again("import", write(line(1)))
    tables.sql(before)
    ended = again("import", write(*lines), code=1)
    assert expected in ended.said
    assert "customer_uid_number_1" not in ended.said
    assert tables.count("subscriptions") == 1


def test_canceled_subscription_may_be_imported_again(again: Again, gold: str, tables: Tables, write: Write):
    again("import", write(line(1)))
    again("subscription", "cancel", tables.sql("SELECT code FROM subscriptions")[0].code, "--at", "now")
    again("import", write(line(1)))
    assert tables.statuses("subscriptions") == ["canceled", "active"]


def test_a_dry_run_checks_everything_and_writes_nothing(again: Again, gold: str, tables: Tables, write: Write):
    path = write(line(1), line(2))
    assert "2 rows are good; nothing was written" in again("import", path, "--dry-run").said
    assert again("import", path, "--dry-run", "--json").document["subscriptions"] == 0
    assert (tables.count("subscriptions"), tables.count("billing_keys")) == (0, 0)
    assert "line 4" in again("import", write(line(1), line(2), line(1)), "--dry-run", code=1).said


def test_past_periods_are_imported_only_with_backdate(again: Again, gold: str, tables: Tables, write: Write):
    path = write(line(1, paid_until=str(today() - timedelta(days=90))))
    again("import", path, code=1)
    assert again("import", path, "--backdate", "--json").document["due_now"] == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty. Its first line must name the columns"),
        (HEADER.encode(), "no rows after its first line"),
        (b"customer_reference;plan;customer_uid;pg\n", "no rows after its first line"),
        (HEADER.replace("label", "pg").encode(), "the column pg is there twice"),
        (HEADER.replace("label", "memo").encode(), "the column 'memo' is unknown"),
        (line(1).encode(), "does not name its columns in its first line. They are customer_reference, plan,"),
        (f"{HEADER}\n{line(1)}\n".encode("utf-16"), "neither UTF-8 nor CP949"),
        (f"{HEADER}\n{line(1)},\n".encode(), "line 2 has 9 values, the header has 8"),
        (f"{HEADER}\ngildong,gold\n".encode(), "line 2 has 2 values, the header has 8"),
        (f'{HEADER}\n"gildong\n'.encode(), "cannot be read from line 2 on"),
        (f"{HEADER}\n{'x' * 200_000}\n".encode(), "cannot be read from line 2 on"),
        (f"{HEADER}\n{line(1, customer_reference='gil' + chr(0))}\n".encode(), "line 2, customer_reference"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_csv_file_is_refused(refused: Again, tmp_path: Path, content, expected):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert expected in refused("import", path).said


def test_the_line_of_a_row_is_the_one_on_which_it_begins(refused: Again, write: Write):
    path = write(line(1), line(2, label='"two\nlines"'), line(3, pg="kakao"))
    said = refused("import", path).said
    assert "line 3, label" in said
    assert "line 5, pg" in said


def test_missing_file_exits_2(again_without_database: Again, tmp_path: Path):
    again_without_database("import", tmp_path / "nothing.csv", code=2)
    again_without_database("import", tmp_path, code=2)


def test_20000_rows_are_imported_at_once(again: Again, gold: str, tables: Tables, write: Write, record_property):
    path = write(*(line(number, paid_until=str(today() + timedelta(days=number % 28))) for number in range(20_000)))
    started = time.monotonic()
    assert again("import", path, "--json").document["subscriptions"] == 20_000
    seconds = time.monotonic() - started
    record_property("rows_per_second", round(20_000 / seconds))
    print(f"\n20,000 rows in {seconds:.1f} s: {20_000 / seconds:,.0f} rows/s")
    assert tables.count("subscriptions") == tables.count("billing_keys") == 20_000
    assert tables.sql("SELECT count(DISTINCT code) FROM subscriptions")[0][0] == 20_000
    # The same file again is 20,000 duplicates, and says so just as fast.
    assert "20,000 problems" in again("import", path, code=1).said


NAMES = ("홍길동", "José Núñez", "Việt")


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_in_another_unicode_form_is_the_same_customer(
    again: Again, gold: str, tables: Tables, write: Write, name
):
    again("import", write(line(1, customer_reference=normalize("NFC", name))))
    ended = again("import", write(line(2, customer_reference=normalize("NFD", name))), code=1)
    assert "a customer without a running subscription to this plan" in ended.said
    assert tables.count("subscriptions") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_both_unicode_forms_of_a_reference_is_refused(refused: Again, write: Write, name):
    lines = [line(1, customer_reference=normalize("NFD", name)), line(2, customer_reference=normalize("NFC", name))]
    assert "a customer that line 2 does not have for the same plan already" in refused("import", write(*lines)).said


def test_a_reference_is_kept_and_found_in_one_unicode_form(again: Again, gold: str, tables: Tables, write: Write):
    again("import", write(line(1, customer_reference=normalize("NFD", "홍길동"), label=normalize("NFD", "국민"))))
    assert rows_of(tables, "customer_reference", "subscriptions") == [(normalize("NFC", "홍길동"),)]
    assert rows_of(tables, "label", "billing_keys") == [(normalize("NFC", "국민"),)]
    for form in ("NFC", "NFD"):
        listed = again("subscription", "list", "--customer", normalize(form, "홍길동"), "--json").document
        assert len(listed) == 1


LOOK_ALIKES = [
    ("customer-1", "Customer-1"),
    ("gil@example.com", "Gil@Example.COM"),
    ("a b", "a  b"),
    ("123", "１２３"),
    ("ABC", "ａｂｃ"),
]


@pytest.mark.parametrize(("first", "second"), LOOK_ALIKES)
def test_look_alike_references_in_a_file_are_refused_unless_allowed(
    again: Again, gold: str, tables: Tables, write: Write, first, second
):
    path = write(line(1, customer_reference=first), line(2, customer_reference=second))
    assert "in more than case, width or spaces" in again("import", path, "--dry-run", code=1).said
    assert again("import", path, code=1).said.count("line 3, customer_reference") == 1
    again("import", path, "--allow-duplicates")
    assert tables.count("subscriptions") == 2


def test_a_look_alike_of_a_running_customer_is_refused_unless_allowed(
    again: Again, gold: str, tables: Tables, write: Write
):
    again("import", write(line(1, customer_reference="gil@example.com")))
    path = write(line(2, customer_reference="GIL@example.com"))
    assert "which is running, in more than case, width or spaces" in again("import", path, "--dry-run", code=1).said
    again("import", path, "--allow-duplicates")
    assert tables.count("subscriptions") == 2


def test_key_of_two_customers_of_a_plan_is_refused_unless_allowed(
    again: Again, gold: str, tables: Tables, write: Write
):
    path = write(line(1), line(2, customer_uid="customer_uid_number_1"))
    said = again("import", path, "--dry-run", code=1).said
    assert "line 3, customer_uid" in said
    assert "charged twice" in said
    assert "customer_uid_number_1" not in said
    again("import", path, "--allow-duplicates")
    assert tables.count("subscriptions") == 2


def test_the_key_of_a_running_customer_of_a_plan_is_refused_unless_allowed(
    again: Again, gold: str, tables: Tables, write: Write
):
    again("import", write(line(1)))
    path = write(line(2, customer_uid="customer_uid_number_1"))
    assert "charged twice" in again("import", path, code=1).said
    again("import", path, "--allow-duplicates")
    assert tables.count("subscriptions") == 2


def test_a_pipe_is_refused_for_it_can_be_read_only_once(again: Again, gold: str, tables: Tables, tmp_path: Path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert "read twice" in again("import", pipe, code=1).said
    assert tables.count("subscriptions") == 0


LONG = "x" * 2_000_000


@pytest.mark.parametrize("content", [LONG, f"{HEADER}\r\n{LONG}", f'{HEADER}\r\n"{LONG}'], ids=["1st", "2nd", "quoted"])
def test_a_line_without_end_is_refused_before_it_is_in_memory(refused: Again, tmp_path: Path, content):
    path = tmp_path / "long.csv"
    path.write_text(content)
    assert "1,048,576 characters or more" in refused("import", path).said


@pytest.mark.parametrize("dry_run", [True, False])
def test_keys_with_open_schedules_at_portone_are_reported_with_a_remedy(
    again: Again, gold: str, tables: Tables, write: Write, dry_run: bool
):
    path = write(line(1), line(2), line(3))
    options = ["--dry-run"] if dry_run else []
    with running_sandbox() as sandbox, Api(sandbox.base_url) as api:
        sandbox.admin.create_keys([{"customer_uid": f"customer_uid_number_{number}"} for number in (1, 2, 3, 4)])
        at = int(time.time()) + 100 * 86_400
        for number in (2, 4):  # 4 is not in the file
            schedule = {"merchant_uid": f"m{number}", "schedule_at": at, "amount": 9900, "currency": "KRW", "name": "P"}
            api.post("/subscribe/payments/schedule", customer_uid=f"customer_uid_number_{number}", schedules=[schedule])
        said = again("import", path, *options, again_sandbox_url=sandbox.base_url).said
    assert "1 row has a key that PortOne is going to charge on its own" in said
    assert "(lines 3)" in said
    assert "unschedule" in said
    assert tables.count("subscriptions") == (0 if dry_run else 3)


def test_import_without_portone_says_that_schedules_are_unknown(again: Again, gold: str, write: Write):
    document = again("import", write(line(1)), "--json").document
    assert document["open_schedules"] is None
    assert "again doctor schedules" in document["notes"][0]


@pytest.mark.parametrize("pg", ["smartro_v2", "ksnet", "welcome", "paymentwall"])
def test_keys_of_a_pg_that_requires_buyer_data_are_imported_with_a_note(
    again: Again, gold: str, tables: Tables, write: Write, pg: str
):
    said = again("import", write(line(1), line(2, pg=pg), line(3, pg=pg)), "--no-schedules").said
    requirement = f"requires {PGS[pg].charge_requires} with every charge, which Again does not send yet"
    assert f"{PGS[pg].name} {requirement} (rows: 2)" in said
    assert f"{PGS[pg].name} requires" in again("key", "add", "another_customer_uid", "--pg", pg).said
    assert tables.count("subscriptions") == 3
