"""`again audit`: what operators did, who they were and why, for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.integration.cli.conftest import Again, Tables
from worker.cli.context import actor
from worker.database.engine import Sessions
from worker.ledger import charging_hold, history
from worker.ledger.day_totals import count_anew


def acts(again: Again, about: str) -> list[dict[str, Any]]:
    """What the audit has about one kind of act, the oldest first."""
    listed = again("audit", about, "--json").document
    assert {act["entity"] for act in listed} <= {about}
    return list(reversed(listed))


def test_stop_and_start_leave_who_did_it_and_why(again: Again):
    again("stop", "kakaopay", "--reason", "앱이 두 번 물었다", "--no-wait")
    again("start", "kakaopay", "--reason", "앱은 고쳐졌다")
    stopped, started = acts(again, "stop")
    assert (stopped["name"], stopped["from_status"], stopped["to_status"]) == ("kakaopay", None, "stopped")
    assert (stopped["actor"], stopped["reason"]) == (actor(), "앱이 두 번 물었다")
    assert (started["from_status"], started["to_status"]) == ("stopped", "started")
    assert (started["actor"], started["reason"]) == (actor(), "앱은 고쳐졌다")


def test_stop_lifted_by_sql_is_audited(again: Again, tables: Tables):
    again("stop", "--no-wait")
    tables.sql("DELETE FROM stops")
    (*_, started) = acts(again, "stop")
    assert (started["to_status"], started["actor"], started["reason"]) == ("started", "test", "no reason was given")


def test_repeated_stop_is_audited_once(again: Again):
    again("stop", "--reason", "first", "--no-wait")
    again("stop", "--reason", "second", "--no-wait")
    assert [act["reason"] for act in acts(again, "stop")] == ["first"]


def test_restarted_count_keeps_what_had_been_counted_in_the_audit(again: Again, tables: Tables, sessions: Sessions):
    tables.sql(
        "INSERT INTO day_totals (day_on, pg, sends, amount, since) VALUES ((:now)::date, 'payco', 7, 69300, :then)",
        now=tables.now,
        then=tables.now - timedelta(hours=3),
    )
    assert acts(again, "cap") == []
    tables.sql("UPDATE day_totals SET sends = sends + 1")
    with sessions.begin() as session:
        count_anew(session, "payco", now=tables.now)
        count_anew(session, "kakaopay", now=tables.now)
    told = acts(again, "cap")
    assert [(act["name"], act["to_status"]) for act in told][-1] == ("kakaopay", "counted anew")
    assert any(act["name"] == "payco" for act in told)


def test_sweeps_are_written_down_when_they_begin_and_end(again: Again, tables: Tables):
    tables.sweep("daily")
    tables.sql("UPDATE sweeps SET position = until, finished_at = :now", now=tables.now)
    begun, finished = acts(again, "sweep")
    assert (begun["to_status"], begun["reason"]) == ("begun", "daily")
    assert (finished["from_status"], finished["to_status"], finished["actor"]) == ("begun", "finished", "test")


def test_a_released_sweep_leaves_who_released_it_and_why(again: Again, tables: Tables):
    tables.sweep("restored", holds=True)
    again("sweep", "--release", "--yes", "--reason", "PortOne was asked by telephone")
    begun, released = acts(again, "sweep")
    assert begun["reason"] == "restored; nothing is charged meanwhile"
    assert (released["to_status"], released["actor"]) == ("released", actor())
    assert released["reason"] == f"restored, released by {actor()}; PortOne was asked by telephone"


def test_hold_ended_by_sql_is_audited(again: Again, tables: Tables, sessions: Sessions):
    tables.sweep("restored", holds=True)
    tables.sql("UPDATE sweeps SET position = until, finished_at = :now", now=tables.now)
    with sessions() as session:
        assert charging_hold.holding(session) == []
    assert [(act["to_status"], act["actor"]) for act in acts(again, "sweep")] == [
        ("begun", "test"),
        ("finished", "test"),
    ]


def test_hold_shortened_by_sql_is_audited(again: Again, tables: Tables):
    tables.sweep("restored", holds=True)
    tables.sql("UPDATE sweeps SET until = until - interval '10 minutes'")
    begun, retimed = acts(again, "sweep")
    assert (begun["to_status"], retimed["to_status"], retimed["actor"]) == ("begun", "retimed", "test")
    assert f"instead of {tables.now:%Y-%m-%d %H:%M:%S} UTC" in retimed["reason"]


def test_a_plan_is_written_down_with_its_terms_and_every_change(again: Again, tables: Tables):
    again("plan", "add", "gold", "--name", "Gold", "--amount", 9900, "--cadence", "month")
    tables.sql("UPDATE plans SET amount = 19900, trial_days = 30")
    tables.sql("UPDATE plans SET amount = amount")
    tables.sql("DELETE FROM plans")
    sold, changed, same, deleted = acts(again, "plan")
    assert (sold["name"], sold["to_status"], sold["actor"]) == ("gold", "sold", actor())
    assert "amount: 9900" in sold["reason"]
    assert "cadence: month" in sold["reason"]
    assert (changed["from_status"], changed["to_status"], changed["actor"]) == ("sold", "changed", "test")
    assert changed["reason"] == "amount: 9900 to 19900, trial_days: 0 to 30"
    assert same["reason"] == ""
    assert (deleted["to_status"], deleted["actor"]) == ("deleted", "test")


def test_acts_are_listed_the_newest_first_and_shown_in_words(again: Again):
    again("plan", "add", "gold", "--name", "Gold", "--amount", 9900, "--cadence", "month")
    again("stop", "--no-wait", "--reason", "inspection")
    assert [act["entity"] for act in again("audit", "--json").document] == ["stop", "plan"]
    assert [act["entity"] for act in again("audit", "--limit", 1, "--json").document] == ["stop"]
    said = again("audit").said
    assert f"stop all stopped inspection {actor()}" in said
    assert "plan gold sold" in said


def test_discount_codes_are_written_down_when_they_are_added_and_ended(again: Again, tables: Tables):
    again("discount", "add", "spring", "--percent", 10, "--periods", 3, "--max-uses", 100)
    again("discount", "add", "gift", "--amount", 3000)
    tables.sql("UPDATE discounts SET uses = uses + 1 WHERE code = 'SPRING'")
    again("discount", "end", "spring")
    added, other, ended = acts(again, "discount")
    assert (added["name"], added["from_status"], added["to_status"]) == ("SPRING", None, "added")
    assert (added["actor"], added["reason"]) == (actor(), "10 percent off, 3 periods, 100 uses at most")
    assert (other["name"], other["reason"]) == ("GIFT", "3000 won off")
    assert (ended["name"], ended["from_status"], ended["to_status"]) == ("SPRING", "added", "ended")
    assert (ended["actor"], ended["reason"]) == (actor(), "used 1 times")


def test_changes_are_listed_with_who_has_asked_for_them(again: Again, subscription: str):
    again("subscription", "pause", subscription, "--reason", "holiday")
    again("change", "undo", 1, "--reason", "stays at home")
    asked, undone = acts(again, "change")
    assert (asked["name"], asked["to_status"], asked["reason"]) == ("1", "scheduled", "holiday")
    assert (undone["to_status"], undone["reason"], undone["actor"]) == ("undone", "stays at home", actor())
    assert [act["entity"] for act in again("audit", "--json").document][:2] == ["change", "change"]


def test_acts_of_no_known_kind_are_asked_for_in_vain(again: Again):
    assert "give one of stop, cap, sweep, plan, archive" in again("audit", "charge", code=2).said


def test_acts_are_found_by_their_own_index_among_millions(tables: Tables):
    """The few rows among those of all charges, whatever the statistics say."""
    plan = tables.sql(f"EXPLAIN {history._ACTS.text}", entities=list(history.ACTS), limit=50)
    assert "audit_default_acts_idx" in " ".join(row[0] for row in plan)


def test_destination_leaves_who_added_rotated_disabled_and_removed_it(again: Again, tables: Tables):
    url, secret = "https://93.184.216.34/hooks?token=of-the-chat", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    again("webhook", "add", url, "--name", "shop", "--type", "charge.paid")
    again("webhook", "rotate", "shop", "--secret", "-", stdin=secret)
    again("webhook", "rotate", "shop", "--finish")
    again("webhook", "disable", "shop", "--reason", "the shop moves")
    again("webhook", "enable", "shop")
    tables.sql("UPDATE destinations SET target = 'https://93.184.216.34/moved'")
    tables.sql("UPDATE destinations SET failures = 1, failing_since = now()")  # how it does is no act
    again("webhook", "remove", "shop", "--yes")
    told = acts(again, "destination")
    assert [(act["to_status"], act["reason"]) for act in told] == [
        ("added", "webhook: charge.paid"),
        ("rotated", "it is signed by another secret too"),
        ("rotation finished", "it is signed by the newest secret alone"),
        ("disabled", "the shop moves"),
        ("enabled", "enabled"),
        ("moved", "it leads elsewhere"),
        ("removed", "removed"),
    ]
    assert {act["name"] for act in told} == {"shop"}
    assert [act["actor"] for act in told] == [actor()] * 5 + ["test", actor()]
    (kept,) = tables.sql("SELECT string_agg(audit::text, ' ') AS all FROM audit WHERE entity = 'destination'")
    assert not any(word in kept.all for word in ("whsec", "93.184", "MfKQ9", "token"))
