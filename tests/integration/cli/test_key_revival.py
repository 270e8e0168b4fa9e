"""`again key revive`: shows what would be charged, asks, and does that."""

from __future__ import annotations

from tests.integration.cli.conftest import Again, Tables


def kill(tables: Tables, key: int) -> None:
    tables.sql(
        "UPDATE billing_keys SET status = 'dead', status_reason = 'hard: [8901]x', status_at = :now WHERE id = :key",
        now=tables.now,
        key=key,
    )


def test_revival_without_yes_changes_nothing_and_says_the_sum(
    again: Again, subscription: str, key: int, tables: Tables
):
    tables.charge(subscription, "past_due", next_attempt_at=None)
    kill(tables, key)
    ended = again("key", "revive", f"#{key}", "--reason", "their mistake", code=1)
    assert "1 charge, 9,900 KRW, would be charged to 1 billing key at once" in ended.err
    assert tables.statuses("billing_keys") == ["dead"]


def test_revival_with_yes_wakes_what_waited(again: Again, subscription: str, key: int, tables: Tables):
    tables.charge(subscription, "past_due", next_attempt_at=None)
    kill(tables, key)
    said = again("key", "revive", key, "--reason", "their mistake", "--yes").out
    assert "1 billing key revived; 1 charge, 9,900 KRW, is charged now." in said
    assert tables.statuses("billing_keys") == ["active"]
    assert tables.sql("SELECT count(*) FROM charges WHERE next_attempt_at IS NOT NULL") == [(1,)]


def test_revival_of_all_that_died_alike(again: Again, subscription: str, key: int, tables: Tables):
    tables.charge(subscription, "past_due", next_attempt_at=None)
    kill(tables, key)
    document = again(
        "key", "revive", "--killed-by", "8901", "--since", "2026-01-01T00:00", "--reason", "mistake", "--yes", "--json"
    ).document
    assert document == {
        "revived": [key],
        "left": [],
        "charges": 1,
        "charged_now": 9900,
        "waiting_charges": 0,
        "charged_later": 0,
    }


def test_revival_of_a_key_that_is_not_dead_is_refused(again: Again, key: int):
    assert "not dead" in again("key", "revive", f"#{key}", "--reason", "why not", "--yes", code=1).err
    assert "Give a KEY" in again("key", "revive", "--reason", "why not", "--yes", code=1).err
