"""`again review`: the evidence of both sides, and decisions that ask before money moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.cli.conftest import Again, Ended, Tables
from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from tests.support.terminal import on_a_terminal
from worker.database.engine import Sessions
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.merchant_uid import derive
from worker.ledger import discrepancies
from worker.ledger.discrepancies import NewDiscrepancy

KEY = "customer_uid_of_gildong"
BUYER = "Hong Gildong"
PERSONAL = (KEY, BUYER, "gildong@example.com")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(repeated_paid="accept") as running:
        running.admin.create_key(KEY, customer_name=BUYER, customer_email="gildong@example.com")
        yield running


@dataclass
class Found:
    """A period paid twice, at the sandbox and in the tables."""

    id: int
    charge: int
    merchant_uid: str
    ours: str
    second: str


@dataclass
class Reviews:
    again: Again
    tables: Tables
    sessions: Sessions
    sandbox: RunningSandbox
    subscription: str

    def run(self, *arguments: object, **settings: Any) -> Ended:
        """Run `again review` against the sandbox, and check that it shows no personal data."""
        ended = self.again("review", *arguments, **({"again_sandbox_url": self.sandbox.base_url} | settings))
        assert [each for each in PERSONAL if each in ended.out + ended.err] == []
        return ended

    def merchant_uid(self, months_ago: int = 0) -> str:
        start = datetime(2026, 1, 5, 1, tzinfo=UTC) - timedelta(days=30 * months_ago)
        return derive("again", self.subscription, start, 1)

    def paid_twice(self) -> Found:
        merchant_uid = self.merchant_uid()
        with Api(self.sandbox.base_url) as api:
            ours, second = (api.paid(merchant_uid, KEY) for _ in range(2))
        charge = self.tables.charge(self.subscription, "paid")
        self.tables.attempt(charge, "paid", merchant_uid=merchant_uid, imp_uid=ours["imp_uid"])
        shown = {"imp_uid": second["imp_uid"], "status": "paid", "amount": 9900, "currency": "KRW"}
        id_ = self.note(DiscrepancyKind.PAID_TWICE, merchant_uid, second["imp_uid"], charge, shown)
        return Found(id_, charge, merchant_uid, ours["imp_uid"], second["imp_uid"])

    def unresolved(self) -> Found:
        """An attempt of an hour ago of which PortOne knows nothing, and the PG something."""
        merchant_uid = self.merchant_uid(months_ago=1)
        charge = self.tables.charge(self.subscription, "charging", months_ago=1)
        hour_ago = self.tables.now - timedelta(hours=1)
        self.tables.attempt(
            charge,
            "unknown",
            merchant_uid=merchant_uid,
            started_at=hour_ago,
            lease_until=hour_ago,
            next_lookup_at=None,
            flagged_at=self.tables.now,
            flag_reason="still duplicate after the last look-up",
            refusal="-1 중복된 주문번호입니다",
        )
        id_ = self.note(DiscrepancyKind.UNRESOLVED, merchant_uid, "", charge, None)
        return Found(id_, charge, merchant_uid, "", "")

    def note(self, kind: DiscrepancyKind, merchant_uid: str, imp_uid: str, charge: int | None, shown: Any) -> int:
        attempt = self.tables.sql("SELECT id FROM attempts WHERE merchant_uid = :m", m=merchant_uid)
        discrepancy = NewDiscrepancy(
            kind=kind,
            status=DiscrepancyStatus.OPEN,
            reason="found by the sweep",
            merchant_uid=merchant_uid,
            imp_uid=imp_uid,
            charge_id=charge,
            attempt_id=attempt[0].id if attempt else None,
            evidence={"portone": shown, "records": {}},
        )
        with self.sessions.begin() as session:
            discrepancies.record(session, [discrepancy], now=self.tables.now)
        return int(self.tables.sql("SELECT max(id) AS id FROM discrepancies")[0].id)

    def refunded(self, found: Found) -> dict[str, int]:
        paid = self.sandbox.admin.payments(merchant_uid=found.merchant_uid)
        return {each["imp_uid"]: each["refunded"] for each in paid}


@pytest.fixture
def reviews(again: Again, tables: Tables, sessions: Sessions, sandbox: RunningSandbox, subscription: str) -> Reviews:
    return Reviews(again, tables, sessions, sandbox, subscription)


# --- list -----------------------------------------------------------------------------------------------------------


def test_list_shows_subscription_customer_and_amount(reviews: Reviews):
    assert "there are none" in reviews.run("list").said
    found = reviews.paid_twice()
    for part in (found.id, "paid twice", reviews.subscription, "gildong", "9,900 KRW", "open"):
        assert str(part) in reviews.run("list").said
    (row,) = reviews.run("list", "--json").document
    assert (row["id"], row["kind"], row["amount"], row["charge_id"]) == (found.id, "paid_twice", 9900, found.charge)


def test_list_shows_closed_discrepancies_on_request(reviews: Reviews):
    settled, waiting = reviews.paid_twice(), reviews.unresolved()
    reviews.run("resolve", settled.id, "accept", "--note", "they know")

    def ids(*options: object) -> list[int]:
        return [row["id"] for row in reviews.run("list", *options, "--json").document]

    assert ids() == [waiting.id]
    assert ids("--all") == [waiting.id, settled.id]
    assert ids("--all", "--limit", 1) == [waiting.id]
    assert ids("--all", "--kind", "paid_twice") == [settled.id]
    assert ids("--kind", "paid_twice") == []
    reviews.run("list", "--kind", "odd", code=2)


def test_payment_unknown_to_our_records_is_listed_by_its_merchant_uid(reviews: Reviews):
    with Api(reviews.sandbox.base_url) as api:
        payment = api.paid(derive("again", "0000000000000", datetime(2026, 1, 5, tzinfo=UTC), 1), KEY)
    shown = {"imp_uid": payment["imp_uid"], "amount": 9900, "currency": "KRW", "status": "paid"}
    id_ = reviews.note(DiscrepancyKind.NOT_IN_RECORDS, payment["merchant_uid"], payment["imp_uid"], None, shown)
    (row,) = reviews.run("list", "--json").document
    assert (row["subscription"], row["customer_reference"], row["amount"]) == ("0000000000000", None, 9900)
    assert "0000000000000" in reviews.run("show", id_).said
    refused = reviews.run("resolve", id_, "refund", "--note", "not ours", "--yes", code=1)
    assert "State with --tax-free how much of 9,900 KRW" in refused.said
    done = reviews.run("resolve", id_, "refund", "--note", "not ours", "--tax-free", 0, "--yes")
    assert f"9,900 KRW of {payment['imp_uid']}" in done.said


# --- show -----------------------------------------------------------------------------------------------------------


def test_show_prints_both_sides_and_what_each_decision_would_do(reviews: Reviews):
    found = reviews.paid_twice()
    shown = reviews.run("show", found.id).said
    for part in (
        "paid twice (more than one payment for one period)",
        "found by the sweep",
        f"{found.charge} (paid)",
        "PortOne, when it was found",
        f"{found.second} {found.merchant_uid} paid 9,900 KRW 0 KRW",
        "counts for the period",
        "accept Our records and PortOne stay as they are",
        f"refund 9,900 KRW of {found.second} (kakaopay, paid",
        f"again review resolve {found.id} DECISION --note WHY",
    ):
        assert part in shown, part


def test_show_prints_both_sides_as_one_json_document(reviews: Reviews):
    found = reviews.paid_twice()
    document = reviews.run("show", found.id, "--json").document
    counts = {each["imp_uid"]: each["counts_for_the_period"] for each in document["portone_now"]["payments"]}
    assert counts == {found.ours: True, found.second: False}
    assert [(each["decision"], each["possible"], each["moves_money"]) for each in document["decisions"]] == [
        ("accept", True, False),
        ("refund", True, True),
    ]
    assert document["evidence"]["portone"]["imp_uid"] == found.second
    assert [each["to_status"] for each in document["audit"]] == ["open"]


def test_show_prints_why_a_decision_about_an_attempt_is_not_possible(reviews: Reviews):
    found = reviews.unresolved()
    document = reviews.run("show", found.id, "--json").document
    possible = {each["decision"]: each["possible"] for each in document["decisions"]}
    assert possible == {"look-up": False, "accept": False, "refund": False, "charge-again": True, "void": True}
    shown = reviews.run("show", found.id).said
    assert "not now: PortOne shows no payment that could be accepted." in shown
    assert "still duplicate after the last look-up" in shown
    assert "PortOne shows no payment under this merchant_uid." in shown


def test_show_prints_our_side_while_portone_does_not_answer(reviews: Reviews):
    found = reviews.paid_twice()
    down = {"again_sandbox_url": "http://127.0.0.1:1"}
    ended = reviews.run("show", found.id, **down)
    assert "PortOne does not answer" in ended.said
    assert found.ours in ended.said
    document = reviews.run("show", found.id, "--json", **down).document
    assert (document["portone_now"]["answered"], document["portone_now"]["payments"]) == (False, [])
    refused = reviews.run("resolve", found.id, "refund", "--note", "twice", "--yes", code=1, **down)
    assert "PortOne does not answer" in refused.said


@pytest.mark.parametrize("discrepancy", ["999", "#999"])
@pytest.mark.parametrize("command", [["show"], ["resolve", "accept", "--note", "why"]])
def test_unknown_discrepancy_is_neither_shown_nor_resolved(refused: Again, discrepancy, command):
    first, *rest = command
    assert "There is no discrepancy 999" in refused("review", first, discrepancy, *rest).said


@pytest.mark.parametrize("discrepancy", ["twelve", "②", "9" * 5000, "again0000000001"])
def test_invalid_discrepancy_id_is_quoted(refused: Again, discrepancy):
    assert "is not the id of a discrepancy" in refused("review", "show", discrepancy).said


# --- resolve --------------------------------------------------------------------------------------------------------


def test_duplicate_is_refunded_once_and_a_second_refund_is_refused(reviews: Reviews):
    found = reviews.paid_twice()
    refund = ("resolve", found.id, "refund", "--note", "paid twice", "--yes")
    document = reviews.run(*refund, "--json").document
    assert (document["status"], document["charge_status"]) == ("resolved", "paid")
    assert reviews.refunded(found) == {found.ours: 0, found.second: 9900}
    again = reviews.run(*refund, code=1)
    assert f"Discrepancy {found.id} is resolved since" in again.said
    assert "by cli " in again.said
    assert reviews.refunded(found) == {found.ours: 0, found.second: 9900}
    shown = reviews.run("show", found.id).said
    assert "What you can decide" not in shown
    assert f"refund of 9,900 KRW of {found.second} started: paid twice" in shown


def test_script_that_moves_money_without_yes_is_refused(reviews: Reviews):
    found, proved = reviews.paid_twice(), reviews.unresolved()
    refused = reviews.run("resolve", found.id, "refund", "--note", "paid twice", code=1)
    assert "Money would move (9,900 KRW of" in refused.said
    assert "give --yes" in refused.said
    reviews.run("resolve", proved.id, "charge-again", "--note", "the PG's console shows nothing", code=1)
    assert set(reviews.refunded(found).values()) == {0}
    assert reviews.tables.statuses("discrepancies") == ["open", "open"]
    assert sorted(reviews.tables.statuses("charges")) == ["charging", "paid"]


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_money_moves_only_after_confirmation_on_a_terminal(reviews: Reviews, database_url: str, answer, code):
    found = reviews.paid_twice()
    environment = {"AGAIN_DATABASE_URL": database_url, "AGAIN_SANDBOX_URL": reviews.sandbox.base_url}
    command = ["review", "resolve", str(found.id), "refund", "--note", "paid twice"]
    assert on_a_terminal(command, answer, **environment) == code
    assert reviews.refunded(found)[found.second] == (9900 if answer == "y" else 0)


def test_charge_again_makes_the_charge_due(reviews: Reviews):
    found = reviews.unresolved()
    done = reviews.run("resolve", found.id, "charge-again", "--note", "console\nshows  nothing", "--yes")
    assert f"Charge {found.charge} is due." in done.said
    (row,) = reviews.tables.sql("SELECT status, status_reason, refusal FROM attempts")
    assert (row.status, row.refusal) == ("not_charged", None)
    assert row.status_reason.startswith("charge-again: console shows nothing (")


def test_void_needs_no_confirmation(reviews: Reviews):
    found = reviews.unresolved()
    document = reviews.run("resolve", found.id, "void", "--note", "refused at the counter", "--json").document
    assert document["charge_status"] == "void"
    assert reviews.tables.statuses("charges") == ["void"]


REFUSED = [
    # arguments after the id, exit code, what is said
    (["accept"], 2, "--note"),
    (["accept", "--note", "  "], 1, "--note has 0 characters"),
    (["accept", "--note", "x" * 201], 1, "--note has 201 characters"),
    (["forget", "--note", "x"], 2, "'forget' is not one of"),
    (["void", "--note", "x"], 1, "Here you can decide accept or refund"),
    (["accept", "--note", "x", "--tax-free", "0"], 1, "leave out --tax-free"),
    (["refund", "--note", "x", "--imp-uid", "imps_of_nobody"], 1, "no such payment (imps_of_nobody)"),
    (["refund", "--note", "x", "--tax-free", "9901"], 1, "it can be 0 to 0 of the 9,900"),
    (["refund", "--note", "x", "--tax-free", "much"], 2, "'--tax-free'"),
]


def test_impossible_decision_is_refused_and_changes_nothing(reviews: Reviews):
    found = reviews.paid_twice()
    before = reviews.tables.everything()
    for arguments, code, said in REFUSED:
        ended = reviews.run("resolve", found.id, *arguments, code=code)
        assert said in ended.said.replace("│ ", ""), arguments
        assert "Traceback" not in ended.said
    assert reviews.tables.everything() == before
    assert reviews.tables.statuses("discrepancies") == ["open"]


def test_charge_show_names_its_open_discrepancies(reviews: Reviews):
    found = reviews.paid_twice()
    assert f"paid twice; see `again review show {found.id}`" in reviews.again("charge", "show", found.charge).said
    document = reviews.again("charge", "show", found.charge, "--json").document
    assert json.dumps(document["discrepancies"]) == json.dumps([{"id": found.id, "kind": "paid_twice"}])
    reviews.run("resolve", found.id, "accept", "--note", "they know")
    assert "again review" not in reviews.again("charge", "show", found.charge).said


# --- one odd row keeps no other from being seen ---------------------------------------------------------------------


@pytest.mark.parametrize("amount", [10**20, -(10**20), 10**300, 1.5, "much", None, [1]])
def test_discrepancy_of_any_amount_is_listed_shown_and_resolved(reviews: Reviews, amount):
    found = reviews.paid_twice()
    reviews.tables.sql(
        "UPDATE discrepancies SET evidence = jsonb_set(evidence, '{portone,amount}', CAST(:amount AS jsonb)) "
        "WHERE id = :id",
        amount=json.dumps(amount),
        id=found.id,
    )
    assert str(found.id) in reviews.run("list").said
    (row,) = reviews.run("list", "--json").document
    assert row["amount"] == (int(amount) if isinstance(amount, int | float) else 9900)
    assert "paid twice" in reviews.run("show", found.id).said
    reviews.run("resolve", found.id, "accept", "--note", "they know")
    assert reviews.tables.statuses("discrepancies") == ["resolved"]


def test_unresolved_attempt_is_listed_with_the_amount_that_was_paid(reviews: Reviews):
    found = reviews.unresolved()
    assert "9,900 KRW" in reviews.run("list").said
    reviews.tables.sql("UPDATE attempts SET raw = '{\"amount\": 100}' WHERE merchant_uid = :m", m=found.merchant_uid)
    assert "100 KRW" in reviews.run("list").said
    (row,) = reviews.run("list", "--json").document
    assert row["amount"] == 100
