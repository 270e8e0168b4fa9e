"""Packs that come with Again, and what is refused of a malformed one: file, line, and what is expected."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest

from tests.support.attempts import RULES
from worker.domain.declines.pack_fields import InvalidPack
from worker.domain.declines.pack_reader import read_pack
from worker.domain.outcomes import About, DeclineKind
from worker.pg.catalog import PGS

HEAD = 'pack = "some"\nversion = 1\nsource = "documented"\npgs = ["kcp"]\n'
RULE = '\n[[rule]]\ncodes = ["1"]\nkind = "soft"\nwhy = "it is"\n'

MALFORMED = [
    (HEAD + "kind == 1", "some.toml:5: it is no TOML: Invalid value"),
    (HEAD.replace("version = 1", "version = 0"), "some.toml:2: version must be a whole number, 1 or more"),
    (HEAD.replace("version = 1\n", ""), "some.toml: version must be a whole number, 1 or more"),
    (HEAD.replace('pack = "some"\n', ""), "some.toml: pack is missing"),
    (
        HEAD.replace("documented", "rumour"),
        "some.toml:3: source is 'rumour', but must be one of documented, seen, assumed",
    ),
    (HEAD.replace('["kcp"]', '"kcp"'), "some.toml:4: pgs must be a list of 1 to 2000 texts"),
    (HEAD + "priority = 3\n", "some.toml:5: 'priority' is no field here; there are pack, version,"),
    (HEAD + "[rules]\n", "some.toml: 'rules' is no table of a pack; there are rule, noun, fragment"),
    (HEAD + RULE.replace('kind = "soft"\n', ""), "some.toml:6: kind is missing: one of soft, hard, config,"),
    (HEAD + RULE.replace("soft", "gentle"), "some.toml:8: kind is 'gentle', but must be one of soft, hard,"),
    (HEAD + RULE.replace('why = "it is"\n', ""), "some.toml:6: why is missing"),
    (HEAD + RULE.replace('["1"]', "[1]"), "some.toml:7: codes has 1, which must be a text of 1 to 40 characters"),
    (HEAD + RULE.replace('["1"]', "[]"), "some.toml:7: codes must be a list of 1 to 2000 texts"),
    (HEAD + RULE.replace("codes", "code"), "some.toml:7: 'code' is no field here; there are codes, kind,"),
    (HEAD + RULE + 'about = "weather"\n', "some.toml:10: about is 'weather', but must be one of balance, limit,"),
    (HEAD + RULE + RULE, "some.toml:12: '1' stands in line 6 already"),
    (HEAD.replace('pgs = ["kcp"]\n', "") + RULE, "some.toml: pgs is missing: whose codes these are"),
    (HEAD + RULE.replace('codes = ["1"]', "said = ['(']"), "some.toml:7: it is no pattern:"),
    (HEAD + RULE.replace('codes = ["1"]', "said = ['{ENDED}']"), "some.toml:7: {ENDED} is no fragment; there are none"),
    (HEAD + '[[noun]]\nparty = "bank"\nsaid = ["a"]\n', "some.toml:6: party is 'bank', but must be one of merchant,"),
    (HEAD + "rule = 3\n", "some.toml: rule must be tables, each below a line [[rule]]"),
    (
        HEAD + RULE.replace("codes", "said").replace('"soft"', '{ customer = "gentle" }'),
        "some.toml:6: customer is 'gentle', but must be one of soft,",
    ),
]


@pytest.mark.parametrize(("text", "says"), MALFORMED)
def test_malformed_pack_is_refused_with_file_line_and_expectation(text: str, says: str):
    with pytest.raises(InvalidPack) as refused:
        read_pack("some.toml", text)
    assert any(line.startswith(says) for line in str(refused.value).splitlines()), str(refused.value)


def test_every_problem_of_a_pack_is_named_at_once():
    broken = HEAD.replace("version = 1", "version = 0") + RULE.replace("soft", "gentle").replace('why = "it is"\n', "")
    with pytest.raises(InvalidPack) as refused:
        read_pack("some.toml", broken)
    assert len(str(refused.value).splitlines()) == 3


def test_rule_of_a_pack_knows_the_line_it_begins_in():
    rules = [rule for pack in RULES.packs for rule in (*pack.codes, *pack.states)]
    assert len(rules) > 100
    texts = {pack.file: (files("worker.domain.declines") / "packs" / pack.file).read_text() for pack in RULES.packs}
    assert all(rule.line and texts[rule.file].splitlines()[rule.line - 1] == "[[rule]]" for rule in rules)


def test_packs_of_ours_are_of_pgs_that_the_catalog_has_and_say_why():
    assert {pg for pack in RULES.packs for pg in pack.pgs} <= set(PGS)
    rules = [rule for pack in RULES.packs for rule in (*pack.codes, *pack.states)]
    assert all(rule.why for rule in rules)


def test_code_that_is_a_decline_says_what_it_is_about():
    codes = [rule for pack in RULES.packs for rule in pack.codes]
    assert all((rule.about is not None) is isinstance(rule.verdict, DeclineKind) for rule in codes)


@pytest.mark.parametrize(
    ("pg", "code", "about"),
    [
        ("kakaopay", "LACK_BALANCE", About.BALANCE),
        ("kakaopay", "LIMIT_USE_PER_DAY", About.LIMIT),
        ("kakaopay", "8314", About.EXPIRED),
        ("payco", "CC10", About.BALANCE),  # KCP's, which PAYCO speaks
        ("payco", "8484", About.EXPIRED),
        ("html5_inicis", "120049", About.LIMIT),
        ("tosspayments", "3000", About.ISSUER),
    ],
)
def test_reason_that_is_finer_than_the_kind_is_known_by_the_code(pg: str, code: str, about: About):
    assert RULES.codes[pg][code].about is about


def test_pattern_of_a_pack_repeats_nothing_that_repeats_itself():
    """Backtracking stays in proportion: within what is repeated without a bound, nothing has one either."""
    patterns = [rule.said for pack in RULES.packs for rule in pack.states] + [RULES.noun]
    assert [each.pattern for each in patterns if nested_repeats(re._parser.parse(each.pattern, each.flags))] == []  # type: ignore[attr-defined]
    assert nested_repeats(re._parser.parse("(a+|b)*"))  # type: ignore[attr-defined]
    assert not nested_repeats(re._parser.parse("(a{1,3}b)?c+"))  # type: ignore[attr-defined]


def nested_repeats(parsed: Any, *, inside: bool = False) -> bool:
    """Return whether an unbounded repeat stands inside another one."""
    for operation, argument in parsed:
        unbounded = operation in REPEATS and argument[1] == re._constants.MAXREPEAT  # type: ignore[attr-defined]
        if inside and unbounded:
            return True
        if any(nested_repeats(part, inside=inside or unbounded) for part in parts_of(argument)):
            return True
    return False


REPEATS = (re._constants.MAX_REPEAT, re._constants.MIN_REPEAT)  # type: ignore[attr-defined]


def parts_of(argument: Any) -> list[Any]:
    if isinstance(argument, re._parser.SubPattern):  # type: ignore[attr-defined]
        return [argument]
    return [part for each in argument for part in parts_of(each)] if isinstance(argument, (tuple, list)) else []
