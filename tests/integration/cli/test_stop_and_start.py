"""`again stop` and `again start`: the kill switch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.conftest import Again, Tables
from tests.support.sandbox import wait_until
from tests.support.terminal import on_a_terminal
from worker.charging import kill_switch
from worker.database.engine import Sessions
from worker.ledger import stops
from worker.ledger.claiming import claim

LIVE = {"again_portone_key": "imp_key", "again_portone_secret": "imp_secret"}


def claimed(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return len(claim(session, now=datetime.now(UTC), limit=10, lease=timedelta(minutes=1), prefix="again"))


def test_a_stop_stands_in_the_status_until_it_is_released(again: Again, tables: Tables):
    document = again("stop", "--reason", "점검", "--json").document
    assert (document["scope"], document["reason"], document["was_set"]) == ("all", "점검", False)
    assert again("status", "--json").document["stopped"][0]["stopped_by"].startswith("cli ")
    assert "점검" in again("status").out
    assert again("start", "--json").document == {"scope": "all", "still_stopped": []}
    assert tables.count("stops") == 0


def test_nothing_is_claimed_while_it_stands(again: Again, subscription: str, tables: Tables, sessions: Sessions):
    tables.charge(subscription)
    again("stop")
    assert claimed(sessions) == 0
    again("start")
    assert claimed(sessions) == 1


def test_single_pg_is_stopped_alone(again: Again, subscription: str, tables: Tables, sessions: Sessions):
    tables.charge(subscription)  # by Kakao Pay
    again("stop", "payco")
    assert claimed(sessions) == 1
    again("stop", "kakaopay", "--no-wait")
    ended = again("start", "payco")
    assert "still stopped: kakaopay" in ended.err


def test_a_second_stop_keeps_the_first_reason(again: Again):
    again("stop", "--reason", "fire")
    ended = again("stop", "--reason", "flood")
    assert "fire" in ended.said
    assert "flood" not in ended.said


@pytest.mark.parametrize("command", ["stop", "start"])
def test_unknown_scope_is_not_stopped(again: Again, command):
    assert "give `all`, or a PG" in again(command, "kakao", code=1).said


def test_scope_that_is_not_stopped_is_not_started(again: Again):
    again("stop", "payco")
    assert "start it with `again start payco`" in again("start", code=1).said
    again("start", "payco")
    assert "'all' is not stopped" in again("start", code=1).said


def test_a_stop_ends_when_the_last_call_has_ended(
    again: Again, subscription: str, tables: Tables, monkeypatch: pytest.MonkeyPatch
):
    charge = tables.charge(subscription, "charging")
    tables.attempt(charge, lease_until=tables.now + timedelta(minutes=5))
    settle = "UPDATE attempts SET status = 'paid', imp_uid = 'imps_123456789012' WHERE status = 'started'"
    monkeypatch.setattr(kill_switch, "sleep", lambda _: tables.sql(settle))  # the answer comes while it waits
    ended = again("stop")
    assert tables.statuses("attempts") == ["paid"]
    assert "1 call still in flight" in ended.err
    assert "No call is in flight" in ended.out


def test_a_stop_does_not_wait_for_a_worker_that_is_gone(again: Again, subscription: str, tables: Tables):
    lease_until = datetime.now(UTC) - stops.CLOCKS_APART + timedelta(seconds=1)
    tables.attempt(tables.charge(subscription, "charging"), lease_until=lease_until)
    again("stop")
    assert datetime.now(UTC) > lease_until + stops.CLOCKS_APART
    assert tables.statuses("attempts") == ["started"]  # reconciliation asks about it


def test_a_stop_of_one_pg_waits_for_no_other(again: Again, subscription: str, tables: Tables):
    tables.attempt(tables.charge(subscription, "charging"), lease_until=tables.now + timedelta(minutes=5))
    assert "in flight" not in again("stop", "payco").err
    assert again("stop", "kakaopay", "--no-wait", "--json").document["waited"] is False


def test_stop_says_for_how_many_unknown_outcomes_money_may_still_move(again: Again, subscription: str, tables: Tables):
    for months_ago, status in enumerate(("unknown", "unknown", "paid")):
        charge = tables.charge(subscription, "paid" if status == "paid" else "charging", months_ago=months_ago)
        tables.attempt(charge, status)
    said = again("stop").out
    assert "No call is in flight" in said
    assert "2 outcomes are unknown: money may still move for them until" in said
    document = again("stop", "--json").document
    assert document["unknown"] == 2
    assert datetime.fromisoformat(document["unknown_until"]) == tables.now + timedelta(minutes=29)
    assert again("stop", "payco", "--json").document["unknown"] == 0


def test_unknown_outcome_older_than_the_quiet_period_is_named_without_an_end(
    again: Again, subscription: str, tables: Tables
):
    charge = tables.charge(subscription, "charging")
    tables.attempt(charge, "unknown", started_at=tables.now - timedelta(hours=2))
    said = again("stop").out
    assert "1 outcome is unknown: money may still move for it. It is looked up" in said


def test_stop_names_open_payment_windows_and_waits_for_none_of_them(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "charging")
    until = tables.now + timedelta(hours=20)
    lease = tables.now + timedelta(minutes=25)
    tables.attempt(charge, "started", via="window", window_until=until, lease_until=lease)
    ended = again("stop")
    assert "in flight" not in ended.err
    assert "1 payment window is open: what a customer pays in it until" in ended.out
    document = again("stop", "--json").document
    assert (document["unknown"], document["open_windows"]) == (0, 1)
    assert datetime.fromisoformat(document["open_windows_until"]) == until


def test_stop_with_nothing_unsettled_names_neither(again: Again):
    document = again("stop", "--json").document
    assert [document[name] for name in ("unknown", "unknown_until", "open_windows", "open_windows_until")] == [
        *(0, None),
        *(0, None),
    ]


def test_the_switch_waits_for_a_claim_under_way(
    again: Again, subscription: str, tables: Tables, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    """Once `stop` has said so, no claim that began before it can still commit."""
    tables.charge(subscription)
    monkeypatch.setattr(kill_switch, "sleep", lambda _: tables.sql("UPDATE attempts SET status = 'not_charged'"))
    with sessions() as claiming, ThreadPoolExecutor(1) as threads:
        claim(claiming, now=datetime.now(UTC), limit=1, lease=timedelta(minutes=5), prefix="again")

        def commit_once_waited_for() -> None:
            waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            wait_until(lambda: tables.sql(waiting), "nobody waits for the claim")
            claiming.commit()

        committed = threads.submit(commit_once_waited_for)
        ended = again("stop")
        committed.result()
    assert "1 call still in flight" in ended.err  # it was seen, so `stop` had waited until it committed
    with sessions() as session:
        assert [stop.scope for stop in stops.active_stops(session)] == ["all"]


@pytest.mark.parametrize(("answer", "options", "code"), [("n", [], 1), ("y", [], 0), (None, ["--yes"], 0)])
def test_starting_real_money_is_confirmed_on_a_terminal(
    again: Again, tables: Tables, database_url: str, answer, options, code
):
    again("stop")
    assert on_a_terminal(["start", *options], answer, AGAIN_DATABASE_URL=database_url, **_upper(LIVE)) == code
    assert tables.count("stops") == code


def test_script_that_starts_real_money_needs_yes(again: Again, tables: Tables):
    again("stop")
    assert "no terminal to ask on; give --yes" in again("start", code=1, **LIVE).said
    assert tables.count("stops") == 1
    again("start", "--yes", **LIVE)
    assert tables.count("stops") == 0


def test_the_switch_is_set_though_a_claim_does_not_end(
    again: Again, subscription: str, tables: Tables, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kill_switch.wait_for_claims, "__kwdefaults__", {"timeout": timedelta(milliseconds=100)})
    tables.charge(subscription)
    with sessions() as frozen:
        claim(frozen, now=datetime.now(UTC), limit=1, lease=timedelta(seconds=2), prefix="again")
        assert "a claim in progress does not end (PostgreSQL pid" in again("stop", code=1).said
    assert tables.count("stops") == 1


def _upper(settings: dict[str, str]) -> dict[str, str]:
    return {name.upper(): value for name, value in settings.items()}


def test_reason_is_one_plain_line_and_not_empty(again: Again, tables: Tables):
    again("stop", "--no-wait", "--reason", "a\x1b[31m\nb")
    (row,) = tables.sql("SELECT reason FROM stops")
    assert row.reason == "a\N{REPLACEMENT CHARACTER}[31m b"
    assert "501 characters" in again("stop", "--no-wait", "--reason", "x" * 501, code=2).said
    assert "0 characters" in again("stop", "--no-wait", "--reason", " ", code=2).said
