"""`again sweep` compares now, and holds charging for a restored database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.integration.cli.conftest import Again, Tables
from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from tests.support.terminal import on_a_terminal
from worker.charging import kill_switch
from worker.cli import sweep_follow
from worker.database.engine import Sessions
from worker.ledger.claiming import claim

SEOUL = ZoneInfo("Asia/Seoul")
FAST = {"again_sweep_requests_per_second": "100", "again_sweep_days": "2"}
SHORT = {
    **FAST,
    "again_connect_timeout_seconds": "0.2",
    "again_read_timeout_seconds": "0.3",
    "again_write_back_seconds": "0.2",
    "again_quiet_period_seconds": "2",
    "again_lookup_backoff_seconds": "1,3",
}


@pytest.fixture
def portone(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "ledger.sqlite") as running:
        yield running


def test_sweep_counts_payments_of_other_systems(again: Again, portone: RunningSandbox):
    portone.admin.create_key("key")
    with Api(portone.base_url) as api:
        api.paid("shop-order-4711")
    said = again("sweep", again_sandbox_url=portone.base_url, **FAST).said
    assert "1 payment compared: 1 not ours, 0 repaired, 0 new discrepancies." in said


def some_weeks_ago() -> datetime:
    """Return when a day of some weeks ago began in Seoul."""
    return datetime.combine(datetime.now(SEOUL) - timedelta(days=20), time(), SEOUL)


def test_sweep_since_a_day_starts_at_midnight_in_seoul(again: Again, portone: RunningSandbox):
    since = some_weeks_ago()
    told = again("sweep", "--since", since.date(), "--json", again_sandbox_url=portone.base_url, **FAST).document
    assert (told["reason"], datetime.fromisoformat(told["since"])) == ("by_hand", since)
    assert told["finished_at"] is not None


def test_restored_database_is_held_until_the_quiet_period_is_over(
    again: Again, portone: RunningSandbox, tables: Tables
):
    told = again("sweep", "--restored", "--json", again_sandbox_url=portone.base_url, **SHORT).document
    assert told["reason"] == "restored"
    [row] = tables.sql("SELECT holds_claims, until - started_at >= interval '2 seconds' AS waited FROM sweeps")
    assert tuple(row) == (True, True)


def test_restored_database_is_compared_from_the_given_day(again: Again, portone: RunningSandbox, tables: Tables):
    since = some_weeks_ago()
    again("sweep", "--restored", "--since", since.date(), "--json", again_sandbox_url=portone.base_url, **SHORT)
    [row] = tables.sql("SELECT since <= :since AS from_then_on, holds_claims FROM sweeps", since=since)
    assert tuple(row) == (True, True)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("0001-01-01", "is out of range"),  # in Seoul, in UTC it is no day at all
        ("1999-12-31", "more than 3660 days ago"),
        ("9999-12-31", "is in the future"),
    ],
)
@pytest.mark.parametrize("restored", [[], ["--restored"]])
def test_sweep_since_an_impossible_day_is_refused(again: Again, tables: Tables, day, said, restored):
    assert said in again("sweep", "--since", day, *restored, code=2).said
    assert tables.count("sweeps") == 0


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_follow, "POLL_SECONDS", 0.01)


@pytest.mark.usefixtures("soon")
def test_unreadable_list_ends_the_sweep_command_with_a_reason(again: Again, portone: RunningSandbox):
    portone.admin.switch(outage="error")
    ended = again("sweep", code=4, again_sandbox_url=portone.base_url, **FAST)
    assert "could not be read 5 times in a row" in ended.said
    assert "Workers continue it" in ended.said
    assert "could not be read just now" in ended.err, "it says so from the first failure on"


@pytest.mark.usefixtures("soon")
def test_hold_remains_when_the_list_cannot_be_read(again: Again, portone: RunningSandbox, tables: Tables):
    portone.admin.switch(outage="error")
    ended = again("sweep", "--restored", "--json", code=4, again_sandbox_url=portone.base_url, **SHORT)
    assert "Nothing is charged until it has finished" in ended.said
    assert "again sweep --release" in ended.said
    [row] = tables.sql("SELECT holds_claims, finished_at FROM sweeps")
    assert tuple(row) == (True, None)


def test_open_claim_that_blocks_a_hold_is_named(
    again: Again, subscription: str, tables: Tables, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kill_switch.wait_while_held, "__kwdefaults__", {"timeout": timedelta(milliseconds=100)})
    tables.charge(subscription)
    with sessions() as claiming:
        claim(claiming, now=datetime.now(UTC), limit=1, lease=timedelta(seconds=2), prefix="again")
        said = again("sweep", "--restored", code=1).said
        claiming.rollback()
    assert "Charging is held, and nothing new is claimed; but a claim in progress does not end" in said
    assert "`again sweep --restored` once more" in said


def test_release_of_a_restore_hold_leaves_charging_stopped(again: Again, tables: Tables):
    tables.sweep("restored", holds=True)
    tables.sweep("daily")
    ended = again("sweep", "--release", "--yes")
    assert ended.out.splitlines() == ["Released: 1 sweep."]
    assert "still stopped: all (restored: what people did since" in " ".join(ended.said.split())
    assert "may be charged a second time" in ended.said
    held, daily = tables.sql(
        "SELECT reason, ended_early, released_by, finished_at, position = until AS passed FROM sweeps ORDER BY id"
    )
    assert (held.reason, held.ended_early) == ("restored", "released")
    assert held.released_by.startswith("cli ")
    assert (held.finished_at is not None, held.passed) == (True, True)
    assert daily.finished_at is None
    assert "nothing to release" in again("sweep", "--release", "--yes", code=1).said


def test_release_of_a_gap_hold_resumes_charging(again: Again, tables: Tables):
    tables.sweep("gap", holds=True)
    assert "Released: 1 sweep. Charging resumes." in again("sweep", "--release", "--yes").out
    assert tables.sql("SELECT FROM stops") == []


def test_script_that_releases_without_yes_is_refused(again: Again, tables: Tables):
    tables.sweep("gap", holds=True)
    said = again("sweep", "--release", code=1).said
    assert "may be charged a second time, and there is no terminal to ask on; give --yes." in said
    assert tables.sql("SELECT finished_at FROM sweeps")[0].finished_at is None
    assert again("sweep", "--release", "--yes", "--json").document == {"released": [1], "still_stopped": []}


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_release_is_confirmed_on_a_terminal(again: Again, tables: Tables, database_url: str, answer, code):
    again("status")
    tables.sweep("gap", holds=True)
    assert on_a_terminal(["sweep", "--release"], answer, AGAIN_DATABASE_URL=database_url) == code
    assert (tables.sql("SELECT finished_at FROM sweeps")[0].finished_at is None) == bool(code)


def test_release_with_another_option_is_refused(again: Again):
    assert "give it alone" in again("sweep", "--release", "--restored", code=2).said


def test_database_of_another_mode_or_prefix_is_refused(again: Again, tables: Tables):
    tables.sql("UPDATE database_identity SET mode = 'live', prefix = 'again'")
    assert "has charged in live mode" in again("status", code=3).said
    tables.sql(
        "SET LOCAL session_replication_role = replica; UPDATE database_identity SET mode = 'sandbox', prefix = 'shop'"
    )
    assert "AGAIN_MERCHANT_UID_PREFIX" in again("charge", "list", code=3).said
    found = again("doctor", "identity", "--json", code=1).document
    assert found[0]["health"] == "broken"
