"""`again declines`: the rules, why one decides, a merchant's own checked, and what has been declined."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Again, Tables

OWN = Path(__file__).parents[2] / "support" / "decline_rules.toml"
TEXT = "[8326] 이용 한도를 넘었어요"


def test_rules_of_a_pg_are_listed_with_pack_version_and_line(again_without_database: Again):
    ended = again_without_database("declines", "list", "--pg", "payco", "--kind", "hard")
    assert "kcp.toml, version 1: 15 rules" in ended.err
    assert "payco.toml:11" in ended.out
    assert "kakaopay.toml:" not in ended.out
    found = again_without_database("declines", "list", "--json", again_decline_rules=str(OWN)).document
    assert found["packs"][0] == {"file": str(OWN), "version": 2, "rules": 1}
    first = found["rules"][0]
    assert (first["place"], first["pgs"], first["kinds"]) == (f"{OWN}:4", ["kakaopay"], ["hard"])


def test_explanation_names_the_rule_its_line_and_what_follows(again_without_database: Again):
    said = again_without_database("declines", "explain", TEXT, "--pg", "kakaopay").said
    assert "means soft, limit" in said
    assert "decided by kakaopay.toml:" in said
    assert "by its plan's dunning calendar" in said
    assert "a code is believed before words" in said
    found = again_without_database(
        *("declines", "explain", TEXT, "--pg", "kakaopay", "--json"), again_decline_rules=str(OWN)
    ).document
    assert (found["kind"], found["about"], found["codes"]) == ("hard", "closed", ["8326"])
    assert found["decided_by"]["rule"] == f"{OWN}:4"
    assert "The billing key is dead" in found["then"]
    assert {each["because"] for each in found["not_by"]} == {"a rule of your own goes before it"}


@pytest.mark.parametrize("arguments", [("-750",), ("-750 입니다",), ("거절", "--code", "-750")])
def test_text_or_code_that_begins_with_a_minus_is_explained(again_without_database: Again, arguments: tuple[str, ...]):
    found = again_without_database("declines", "explain", *arguments, "--pg", "kakaopay", "--json").document
    assert (found["kind"], found["codes"]) == ("hard", ["-750"])


def test_misspelt_option_of_an_explanation_is_a_wrong_command_line(again_without_database: Again):
    again_without_database("declines", "explain", "거절", "--pgs", "kakaopay", code=2)


def test_explanation_of_a_duplicate_says_that_no_rule_changes_it(again_without_database: Again):
    text = f"{TEXT} 이미 승인된 거래"
    said = again_without_database("declines", "explain", text, "--pg", "kakaopay", again_decline_rules=str(OWN)).said
    assert "means duplicate" in said
    assert "No rule changes that." in said


def test_file_of_own_rules_is_checked_before_a_setting_names_it(again_without_database: Again, tmp_path: Path):
    assert "1 rule, in order." in again_without_database("declines", "check", OWN).out
    assert again_without_database("declines", "check", OWN, "--json").document["version"] == 2
    broken = tmp_path / "rules.toml"
    broken.write_text('[[rule]]\nwords = ["중복"]\nkind = "soft"\n')
    said = again_without_database("declines", "check", broken, code=1).said
    assert f"{broken}:2: '중복' says that it may be paid already" in said


def test_broken_file_of_own_rules_keeps_commands_from_starting(again_without_database: Again, tmp_path: Path):
    broken = tmp_path / "rules.toml"
    broken.write_text('[[rule]]\nwords = ["한도"]\nkind = "gentle"\n')
    said = again_without_database("declines", "list", code=3, again_decline_rules=str(broken)).said
    assert f"AGAIN_DECLINE_RULES: {broken}:3: kind is 'gentle'" in said


@pytest.mark.parametrize(("option", "value"), [("--pg", "kakao"), ("--kind", "gentle")])
def test_unknown_pg_or_kind_is_refused_with_those_there_are(again_without_database: Again, option: str, value: str):
    said = again_without_database("declines", "list", option, value, code=1).said
    assert f"'{value}' is no " in said
    assert "there are " in said


def test_doctor_says_whose_rules_count(again: Again):
    (found,) = again("doctor", "declines", "--json").document
    assert (found["health"], found["finding"]) == ("ok", "refusals are classified by Again's rules alone")
    (found,) = again("doctor", "declines", "--json", again_decline_rules=str(OWN)).document
    assert found["finding"] == "1 rules of your own go before Again's"


def test_doctor_warns_of_a_file_that_is_another_one_by_now(again: Again, tmp_path: Path):
    """What a process has read goes on counting, as a worker's does, whatever becomes of the file."""
    path = tmp_path / "rules.toml"
    path.write_text(OWN.read_text())
    again("doctor", "declines", again_decline_rules=str(path))
    path.write_text(OWN.read_text().replace("hard", "soft"))
    (found,) = again("doctor", "declines", "--json", again_decline_rules=str(path)).document
    assert (found["health"], found["finding"]) == ("warning", f"{path} has changed since it was read")
    path.write_text("[[rule]]\nkind = 'soft'\n")
    (found,) = again("doctor", "declines", "--json", again_decline_rules=str(path)).document
    assert found["health"] == "warning"
    assert f"no process starts with {path}:1: codes or words is missing" in found["finding"]


def test_unmatched_texts_are_listed_with_an_example(again: Again, subscription: str, tables: Tables):
    charge = tables.charge(subscription, "past_due")
    tables.attempt(charge, "declined", decline_kind="unmatched", message="홍길동님 결제기 꺼짐", code="0")
    ended = again("declines", "unmatched")
    assert "○○님 결제기 꺼짐" in ended.out
    assert "AGAIN_DECLINE_RULES" in ended.err
    (found,) = again("declines", "unmatched", "--days", 1, "--json").document
    assert (found["declines"], found["now"], found["charges"]) == (1, "unmatched", [charge])


def test_declines_that_own_rules_decide_otherwise_are_listed_with_what_can_be_done(
    again: Again, subscription: str, tables: Tables
):
    charge = tables.charge(subscription, "uncollectible")
    tables.attempt(charge, "declined", decline_kind="unmatched", message="이용 한도를 넘었어요", code="0")
    before = tables.everything()
    ended = again("declines", "reclassify")
    assert "soft by words.toml:" in ended.out
    assert f"again charge collect ID: tries once more what was given up ({charge})" in ended.err
    assert tables.everything() == before
    (found,) = again("declines", "reclassify", "--json").document
    assert (found["was"], found["now"], found["given_up"]) == ("unmatched", "soft", 1)
