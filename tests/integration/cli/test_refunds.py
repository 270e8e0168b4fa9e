"""`again charge refund` and `again change approve`, on a sandbox over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Again, Tables
from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from worker.cli import context
from worker.domain.merchant_uid import derive
from worker.sandbox.rules.behaviours import decline


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "ledger.sqlite") as running:
        yield running


@pytest.fixture
def charge(sandbox: RunningSandbox, subscription: str, tables: Tables) -> int:
    """A charge of 9,900 won that was paid at the sandbox."""
    id_ = tables.charge(subscription, "paid")
    (row,) = tables.sql("SELECT period_start FROM charges WHERE id = :id", id=id_)
    merchant_uid = derive("again", subscription, row.period_start, 1)
    sandbox.admin.create_key("key-9")
    with Api(sandbox.base_url) as api:
        payment = api.paid(merchant_uid, "key-9")
    tables.attempt(id_, "paid", merchant_uid=merchant_uid, imp_uid=payment["imp_uid"])
    return id_


def kept(sandbox: RunningSandbox) -> int:
    return sandbox.admin.report().kept_krw


def test_refund_is_previewed_confirmed_and_shown(again: Again, sandbox: RunningSandbox, charge: int, tables: Tables):
    url = {"again_sandbox_url": sandbox.base_url}
    preview = again("charge", "refund", charge, "--amount", 3000, "--dry-run", "--json", **url).document
    assert (preview["refunded"], preview["at_once"]) == (3000, True)
    assert "3,000 KRW of the 9,900 KRW" in preview["sentence"]["en"]
    assert "결제하신 9,900원 중 3,000원이 환불됩니다" in preview["sentence"]["ko"]
    refused = again("charge", "refund", charge, "--amount", 3000, code=1, **url)
    assert "Money would move, and there is no terminal to ask on; give --yes." in refused.said
    assert kept(sandbox) == 9900
    done = again("charge", "refund", charge, "--amount", 3000, "--reason", "late", "--yes", "--json", **url).document
    assert (done["change"]["status"], kept(sandbox)) == ("applied", 6900)
    shown = again("charge", "show", charge, **url)
    assert "Refunds" in shown.out
    assert "completed (PortOne shows it), sent" in shown.said
    document = again("charge", "show", charge, "--json", **url).document
    assert [(each["amount"], each["status"], each["reason"]) for each in document["refunds"]] == [
        (3000, "completed", "late")
    ]
    assert [each["to_status"] for each in document["refunds"][0]["audit"]] == ["requested", "completed"]
    assert document["refunded_in_console"]["amount"] == 0


def test_refund_in_the_console_is_shown_with_its_time_and_reason(again: Again, sandbox: RunningSandbox, charge: int):
    url = {"again_sandbox_url": sandbox.base_url}
    again("charge", "refund", charge, "--amount", 3000, "--yes", **url)
    (payment,) = sandbox.admin.payments(charged_only="true")
    sandbox.admin.cancel_in_console(payment["imp_uid"], amount=900, reason="by phone")
    again("charge", "refund", charge, "--dry-run", **url)
    there = again("charge", "show", charge, "--json", **url).document["refunded_in_console"]
    assert there["amount"] == 900
    assert [(each["amount"], each["reason"]) for each in there["refunds"]] == [(900, "by phone")]
    assert "900 KRW in all" in again("charge", "show", charge, **url).said


def test_same_key_refunds_once(again: Again, sandbox: RunningSandbox, charge: int):
    asked = ("charge", "refund", charge, "--amount", 3000, "--idempotency-key", "ticket-1", "--yes")
    again(*asked, again_sandbox_url=sandbox.base_url)
    assert "asked for before, as change 1" in again(*asked, again_sandbox_url=sandbox.base_url).said
    assert kept(sandbox) == 6900


def test_refund_above_the_limit_is_approved_by_another_actor(
    again: Again, sandbox: RunningSandbox, charge: int, monkeypatch: pytest.MonkeyPatch
):
    url = {"again_sandbox_url": sandbox.base_url, "again_refund_review_amount": "5000"}
    asked = again("charge", "refund", charge, "--yes", **url)
    assert "waits until another operator approves it: `again change approve 1`" in asked.said
    assert again("status", "--json", **url).document["counts"]["waiting_for_approval"]["count"] == 1
    own = again("change", "approve", 1, "--yes", code=1, **url)
    assert "must be approved by another operator" in own.said
    assert kept(sandbox) == 9900
    monkeypatch.setattr(context, "actor", lambda: "cli lee@elsewhere")
    assert "give --yes" in again("change", "approve", 1, code=1, **url).said
    assert "is approved, and done" in again("change", "approve", 1, "--yes", **url).said
    assert kept(sandbox) == 0


WRONG = [
    (("--amount", 9901), "is left to refund, which is less than 9,901 KRW"),
    (("--amount", 0), "at least 1 KRW"),
    (("--amount", 5, "--unused-days"), "an amount or of the unused days"),
    (("--vat-amount", 5), "works out the VAT itself"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_wrong_refund_is_refused_and_changes_nothing(
    again: Again, sandbox: RunningSandbox, charge: int, tables: Tables, options: tuple[object, ...], said: str
):
    refused = again("charge", "refund", charge, *options, "--yes", code=1, again_sandbox_url=sandbox.base_url)
    assert said in refused.said
    assert (kept(sandbox), tables.count("changes"), tables.count("refunds")) == (9900, 0, 0)


def test_unknown_charges_changes_and_refunds_are_refused(again: Again, charge: int, sandbox: RunningSandbox):
    assert "There is no charge" in again("charge", "refund", 4711, "--yes", code=1).said
    assert "There is no charge" in again("charge", "refund", "nonsense", "--yes", code=1).said
    assert "There is no change 4711" in again("change", "approve", 4711, "--yes", code=1).said
    said = again("charge", "settle-refund", charge, "--completed", "--reason", "seen", code=1).said
    assert f"Charge {charge} has no open refund" in said
    assert "PortOne does not answer" in again("charge", "refund", charge, "--yes", code=1).said


def test_cancellation_with_a_refund_is_previewed_confirmed_and_shown(
    again: Again, sandbox: RunningSandbox, subscription: str, charge: int
):
    cancel = ("subscription", "cancel", subscription, "--refund", "all", "--reason", "moved")
    url = {"again_sandbox_url": sandbox.base_url}
    early = again(*cancel, code=1, **url)
    assert "is made at once" in early.said
    preview = again(*cancel, "--at", "now", "--dry-run", "--json", **url).document
    assert (preview["refunded"], preview["paid_until"]) == (9900, None)
    refused = again(*cancel, "--at", "now", code=1, **url)
    assert "Money would move, and there is no terminal to ask on; give --yes." in refused.said
    assert kept(sandbox) == 9900
    key = ("--at", "now", "--yes", "--idempotency-key", "t-1")
    done = again(*cancel, *key, "--json", **url).document
    assert (done["subscription"]["status"], kept(sandbox)) == ("canceled", 0)
    assert (done["refund"]["charge"], done["refund"]["amount"], done["refund"]["status"]) == (charge, 9900, "applied")
    assert "which is applied: refunded: PortOne shows it" in again(*cancel, *key, **url).said
    assert "it is unused-days, all or none" in again(*cancel[:-3], "half", code=1, **url).said


def test_cancellation_whose_refund_is_refused_says_so_and_ends_as_refused(
    again: Again, sandbox: RunningSandbox, subscription: str, charge: int
):
    sandbox.admin.behave_cancels(decline("", "취소 가능한 미정산 금액이 부족합니다"))
    cancel = ("subscription", "cancel", subscription, "--refund", "unused-days", "--at", "now", "--yes")
    said = again(*cancel, code=1, again_sandbox_url=sandbox.base_url).said
    assert "The subscription is canceled, but not refunded: nothing was refunded" in said
    assert "미정산 금액이 부족합니다" in said
    assert f"again charge refund {charge}" in said
    assert kept(sandbox) == 9900
