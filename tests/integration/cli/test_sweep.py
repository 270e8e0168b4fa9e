"""`again sweep` compares now, and holds charging for a restored database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Api, RunningSandbox, running_sandbox
from tests.integration.cli.conftest import Again, Tables

FAST = {"again_sweep_requests_per_second": "100", "again_sweep_days": "2"}
SHORT = {
    **FAST,
    "again_connect_timeout_seconds": "0.2",
    "again_read_timeout_seconds": "0.3",
    "again_settle_seconds": "0.2",
    "again_quiet_period_seconds": "2",
    "again_ladder_seconds": "1,3",
}


@pytest.fixture
def portone(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "ledger.sqlite") as running:
        yield running


def test_strangers_are_counted_and_the_books_agree(again: Again, portone: RunningSandbox):
    portone.admin.create_key("key")
    with Api(portone.base_url) as api:
        api.paid("shop-order-4711")
    said = again("sweep", again_sandbox_url=portone.base_url, **FAST).said
    assert "1 payments compared: 1 not ours, 0 repaired, 0 new for a person." in said


def test_a_day_can_be_named(again: Again, portone: RunningSandbox):
    told = again("sweep", "--since", "2026-11-01", "--json", again_sandbox_url=portone.base_url, **FAST).document
    assert (told["reason"], told["since"]) == ("by hand", "2026-10-31T15:00:00Z")
    assert told["finished_at"] is not None


def test_a_restored_database_is_held_until_the_quiet_period_is_over(
    again: Again, portone: RunningSandbox, tables: Tables
):
    told = again("sweep", "--restored", "--json", again_sandbox_url=portone.base_url, **SHORT).document
    assert told["reason"] == "restored"
    [row] = tables.sql("SELECT holds_claims, until - started_at >= interval '2 seconds' AS waited FROM sweeps")
    assert tuple(row) == (True, True)


def test_a_restored_database_needs_no_date(again: Again):
    assert "--since" in again("sweep", "--restored", "--since", "2026-11-01", code=2).said


def test_a_database_that_charged_in_another_mode_is_refused(again: Again, tables: Tables):
    tables.sql("UPDATE lineage SET mode = 'live', prefix = 'again'")
    assert "has charged in live mode" in again("status", code=3).said
    tables.sql("UPDATE lineage SET mode = 'sandbox', prefix = 'shop'")
    assert "AGAIN_MERCHANT_UID_PREFIX" in again("charge", "list", code=3).said
    found = again("doctor", "lineage", "--json", code=1).document
    assert found[0]["health"] == "broken"
