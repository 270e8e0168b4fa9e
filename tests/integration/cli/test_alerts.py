"""`again webhook add --chat` and `again alert`: whom operators let be told, and what was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from tests.integration.cli.conftest import Again, Tables
from worker.cli.exits import ExitCode
from worker.database.engine import session_factory
from worker.domain.alarm_limits import DUE_LATE
from worker.domain.alerts import Trouble
from worker.operations import alerts

HOOK = "https://hooks.chat.example/services/T000/B000/secret-of-the-chat"


def open_alert(engine: Engine) -> None:
    stopped = Trouble(
        check="stops",
        subjects=frozenset({"payco"}),
        finding="payco since 2026-12-01 09:00 KST: drill",
        remedy="again start payco",
    )
    alerts.note(session_factory(engine), [stopped], now=datetime.now(UTC))


def test_chat_is_told_of_alerts_and_its_address_is_shown_to_no_one(again: Again):
    added = again("webhook", "add", HOOK, "--chat", "--name", "ops")
    listed = again("webhook", "list", "--json")
    (chat,) = listed.document
    assert (chat["name"], chat["kind"], chat["target"]) == ("ops", "chat", "https://hooks.chat.example/...")
    assert chat["types"] == ["alert.opened", "alert.grown", "alert.closed"]
    assert "secret-of-the-chat" not in added.said + listed.said + again("webhook", "list").said


def test_chat_has_no_secret_to_give_or_to_rotate(again: Again):
    again("webhook", "add", HOOK, "--chat", "--name", "ops")
    given = again("webhook", "add", HOOK, "--chat", "--secret", "whsec_x", code=ExitCode.USAGE)
    assert "--chat takes no secret" in given.said
    assert "ops is a chat" in again("webhook", "rotate", "ops", code=ExitCode.REFUSED).said


def test_chat_is_removed_by_its_name(again: Again):
    again("webhook", "add", HOOK, "--chat", "--name", "ops")
    again("webhook", "remove", "ops", "--yes")
    assert again("webhook", "list", "--json").document == []


def test_open_alert_is_listed_with_what_to_do(again: Again, engine: Engine):
    assert "No alert is open." in again("alert", "list").said
    open_alert(engine)
    (listed,) = again("alert", "list", "--json").document
    assert (listed["check"], listed["remedy"], listed["closed_at"]) == ("stops", "again start payco", None)
    assert "again start payco" in again("alert", "list").said


def test_charge_that_is_due_for_long_is_a_backlog_and_one_that_is_not_is_none(
    again: Again, subscription: str, tables: Tables
):
    tables.charge(subscription, next_attempt_at=tables.now - DUE_LATE + timedelta(minutes=2))
    assert "what is due is done in time" in again("doctor", "backlog").said
    late = tables.now - DUE_LATE - timedelta(minutes=1)
    tables.sql("UPDATE charges SET next_attempt_at = :at", at=late)
    assert "what is due is done in time" in again("doctor", "backlog").said, "it was opened a minute ago"
    tables.sql("UPDATE charges SET status_at = :at", at=late)
    (found,) = again("doctor", "backlog", "--json").document
    assert (found["health"], found["subjects"]) == ("warning", ["due kakaopay"])
    assert found["finding"].startswith("charges through kakaopay are due and not charged, for 16 min")
    assert "again doctor beat worker tasks" in found["remedy"]
    again("stop", "kakaopay", "--no-wait")
    assert "what is due is done in time" in again("doctor", "backlog").said, "what is stopped is a trouble of its own"
