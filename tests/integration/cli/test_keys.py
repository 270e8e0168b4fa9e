"""`again key`: what goes in, and that a customer_uid never comes out."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Again, Tables

UID = "customer_uid_of_gildong"


def test_a_key_is_added_and_listed_without_its_customer_uid(again: Again, tables: Tables):
    added = again("key", "add", UID, "--pg", "payco", "--label", "신한 ****1234", "--channel-key", "channel-1")
    listed = again("key", "list")
    document = again("key", "list", "--json")
    assert document.document[0] | {"created_at": "", "status_at": ""} == {
        "id": 1,
        "customer_uid": "****dong",
        "label": "신한 ****1234",
        "pg": "payco",
        "channel_key": "channel-1",
        "status": "active",
        "status_reason": "added by hand",
        "status_at": "",
        "created_at": "",
    }
    assert "신한 ****1234" in listed.out
    for ended in (added, listed, document):
        assert UID not in ended.out + ended.err
    assert tables.sql("SELECT customer_uid FROM billing_keys") == [(UID,)]


def test_a_customer_uid_can_come_from_standard_input(again: Again, tables: Tables):
    again("key", "add", "-", "--pg", "payco", stdin=f"{UID}\n")
    assert tables.sql("SELECT customer_uid FROM billing_keys") == [(UID,)]


@pytest.mark.parametrize(
    ("customer_uid", "options", "expected"),
    [
        ("u" * 81, {}, "has 81 characters, must be 1 to 80"),
        ("", {}, "has 0 characters"),
        ("gil dong", {}, "without spaces"),
        ("길동", {}, "ASCII"),
        ("gildong\n", {}, "without spaces"),
        (UID, {"--pg": "kakao"}, "pg 'kakao'"),
        (UID, {"--pg": "KAKAOPAY"}, "pg 'KAKAOPAY'"),
        (UID, {"--label": "4111-1111-1111-1111"}, "no full card number"),
        (UID, {"--label": "x" * 61}, "at most 60"),
        (UID, {"--channel-key": "c" * 56}, "1 to 55"),
    ],
)
def test_malformed_key_is_refused(refused: Again, customer_uid, options, expected):
    words = [word for pair in ({"--pg": "kakaopay"} | options).items() for word in pair]
    ended = refused("key", "add", customer_uid, *words)
    assert expected in ended.said
    assert UID not in ended.said
    assert "4111-1111" not in ended.said


def test_80_characters_are_a_customer_uid(again: Again):
    again("key", "add", "u" * 80, "--pg", "kakaopay")


def test_a_key_is_added_once(refused: Again):
    said = refused("key", "add", UID, "--pg", "payco").said
    assert "is billing key 1 already" in said
    assert UID not in said


def test_pg_that_requires_more_data_is_announced(again: Again):
    assert "Smartro requires" in again("key", "add", UID, "--pg", "smartro_v2").err


def test_key_add_help_says_how_keys_are_made_as_again_issues_none(again_without_database: Again):
    said = " ".join(again_without_database("key", "add", "--help", columns="200").out.split())
    assert "Again takes no card data and issues no keys" in said
    assert "again checkout link" in said


def test_keys_are_listed_by_status(again: Again, key: int, tables: Tables):
    again("key", "add", "another_customer_uid", "--pg", "payco")
    tables.sql("UPDATE billing_keys SET status = 'dead', status_reason = 'hard: [CC14] 분실' WHERE id = :id", id=key)
    assert [row["id"] for row in again("key", "list", "--status", "dead", "--json").document] == [key]
    assert "분실" in again("key", "list").out
    again("key", "list", "--status", "buried", code=2)


def test_control_characters_of_a_pg_do_not_reach_the_terminal(again: Again, key: int, tables: Tables):
    tables.sql("UPDATE billing_keys SET status_reason = :reason", reason="\x1b[2J[red]:boom:")
    shown = again("key", "list").out
    assert "\x1b[2J" not in shown
    assert "[red]:boom:" in shown
