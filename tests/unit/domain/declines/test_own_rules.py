"""A merchant's own rules: before ours, about kinds of declines alone, and refused where they could not decide."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attempts import RULES
from tests.support.declines import own, with_own
from worker.domain.declines import Duplicate, NeedsLookUp, classify
from worker.domain.declines.own_rules import MOST_RULES
from worker.domain.declines.pack_fields import MOST_PROBLEMS, InvalidPack
from worker.domain.outcomes import About, DeclineKind

SOFT, HARD, CONFIG = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.CONFIG
RULE = '[[rule]]\nwords = ["맨션"]\nkind = "soft"\n'

MALFORMED = [
    ("", "own.toml: there is no [[rule]] in it"),
    ("rule = 1", "own.toml: rule must be tables, each below a line [[rule]]"),
    ("[[rule]\n", "own.toml:1: it is no TOML:"),
    ("version = 'a'\n" + RULE, "own.toml:1: version must be a whole number, 1 or more"),
    ("pack = 'own'\n" + RULE, "own.toml:1: 'pack' is no field here; there are version"),
    (RULE + "[rules]\n", "own.toml: 'rules' is no table here; there is [[rule]]"),
    (RULE.replace('kind = "soft"', ""), "own.toml:1: kind is missing: one of soft, hard, config, transient, unmatched"),
    (RULE.replace("soft", "paid"), "own.toml:3: kind is 'paid', but must be one of soft, hard, config, transient,"),
    (RULE.replace("soft", "duplicate"), "own.toml:3: kind is 'duplicate', but must be one of soft, hard, config,"),
    (RULE.replace("soft", "look_up"), "own.toml:3: kind is 'look_up', but must be one of soft, hard, config,"),
    (RULE.replace('words = ["맨션"]', ""), "own.toml:1: codes or words is missing: what is to be in the refusal"),
    (RULE.replace("words", "said"), "own.toml:2: 'said' is no field here; there are pgs, codes, words, kind, about,"),
    (RULE.replace('["맨션"]', '"맨션"'), "own.toml:2: words must be a list of 1 to 20 texts"),
    (RULE.replace('["맨션"]', "[]"), "own.toml:2: words must be a list of 1 to 20 texts"),
    (RULE.replace("맨션", "맨"), "own.toml:2: '맨' is too short: 2 letters at least"),
    (RULE.replace("맨션", "맨" * 101), "own.toml:2: words has '맨맨"),
    (RULE + 'pgs = ["kakao"]\n', "own.toml:4: 'kakao' is no PG; there are"),
    (RULE + 'about = "mood"\n', "own.toml:4: about is 'mood', but must be one of balance, limit,"),
    (RULE + "codes = ['C C']\n", "own.toml:4: 'C C' is no code: letters, digits and _, 2 to 40 of them"),
    (RULE + RULE, "own.toml:4: it is for the same refusals as the rule at own.toml:1, which decides"),
    (
        RULE + 'pgs = ["kakaopay"]\ncodes = ["0010"]\n',
        "own.toml:5: 0010 of kakaopay leaves it open whether",
    ),
    (RULE + 'pgs = ["payco"]\ncodes = ["04CC98"]\n', "own.toml:5: 04CC98 of payco leaves it open whether money moved"),
    *(
        (RULE.replace("맨션", word), f"own.toml:2: '{word}' says that it may be paid already, or is under way")
        for word in ("중복", "이미 승인", "이미", "주문번호", "응답 없음", "timeout", "처리중입니다", "duplicate")
    ),
]


@pytest.mark.parametrize(("text", "says"), MALFORMED)
def test_malformed_rule_of_a_merchant_is_refused_with_its_line(text: str, says: str):
    with pytest.raises(InvalidPack) as refused:
        with_own(text)
    assert any(line.replace(" ", "").startswith(says.replace(" ", "")) for line in str(refused.value).splitlines()), (
        str(refused.value)
    )


def test_problems_are_named_in_the_order_of_their_lines_and_not_without_end():
    with pytest.raises(InvalidPack) as refused:
        with_own(RULE.replace("soft", "none") + '[[rule]]\nkind = "soft"\nwords = ["a"]\n' * 30)
    said = str(refused.value).splitlines()
    assert len(said) == MOST_PROBLEMS + 1
    lines = [int(line.split(":")[1]) for line in said[:-1]]
    assert lines == sorted(lines)
    assert lines[0] == 3


def test_file_of_too_many_rules_is_refused():
    rules = "".join(f'[[rule]]\nwords = ["낱말{number}"]\nkind = "soft"\n' for number in range(MOST_RULES + 1))
    with pytest.raises(InvalidPack, match="there are 1001 rules, more than 1000"):
        with_own(rules)


@pytest.mark.parametrize(
    ("pg", "text", "rules", "kind"),
    [
        ("kakaopay", "[8326]한도초과", own("hard", codes="8326"), HARD),  # before a code of ours
        ("kakaopay", "[8326]한도초과", own("hard", "한도초과"), HARD),  # by words too
        ("kakaopay", "[8326]한도초과", own("hard", "한도초과", pgs="payco kcp"), SOFT),  # another PG's
        ("kakaopay", "[8326]한도초과", own("hard", "한도초과", codes="8325"), SOFT),  # both must fit
        ("kakaopay", "[8326]한도초과", own("hard", "한도초과", "맨션"), SOFT),  # every word must be there
        ("payco", "[04CC61]", own("hard", codes="CC61"), HARD),  # with the prefix of its relay or without
        ("payco", "[04CC61]", own("hard", codes="04CC61"), HARD),
        ("nice_v2", "맨션에서 거절", own("config", "맨션"), CONFIG),  # what ours do not know
        ("nice_v2", "맨 션 에서 거절", own("config", "맨션"), CONFIG),  # spaces in Korean are no difference
        ("nice_v2", unicodedata.normalize("NFD", "맨션"), own("config", "맨션"), CONFIG),
        ("nice_v2", "ＤＥＮＩＥＤ", own("config", "denied"), CONFIG),  # nor is the width or the case
        ("nice_v2", "denied", own("config", "DENIED"), CONFIG),
    ],
)
def test_rule_of_a_merchant_decides_before_ours_where_it_fits(pg, text, rules, kind):
    assert classify(rules, pg, None, text).verdict is kind


def test_rule_with_a_code_is_asked_before_one_of_words_alone():
    rules = with_own(
        '[[rule]]\nwords = ["한도초과"]\nkind = "config"\n[[rule]]\ncodes = ["8326"]\nkind = "hard"\n'
        '[[rule]]\nwords = ["한도"]\nkind = "soft"\n'
    )
    assert classify(rules, "kakaopay", None, "[8326]한도초과").verdict is HARD
    assert classify(rules, "kakaopay", None, "[8325]한도초과").verdict is CONFIG  # and the first one of words
    assert classify(rules, "kakaopay", None, "한도").verdict is SOFT


@pytest.mark.parametrize(
    ("rules", "about"),
    [
        (own("soft", codes="8326", more='about = "balance"'), About.BALANCE),
        (own("soft", codes="8326"), About.LIMIT),  # as ours say, where the kind is the same
        (own("hard", codes="8326"), None),
    ],
)
def test_rule_of_a_merchant_says_what_a_decline_is_about(rules, about):
    assert classify(rules, "kakaopay", None, "[8326]").about is about


def test_decline_that_only_a_merchant_knows_is_told_apart():
    rules = own("hard", "맨션")
    assert classify(rules, "nice_v2", None, "맨션").supposed is HARD
    assert classify(rules, "nice_v2", None, "맨션 한도초과").supposed is None  # ours know it for a decline as well
    assert classify(rules, "nice_v2", None, "맨션 한도초과").verdict is HARD
    assert classify(RULES, "nice_v2", None, "맨션").supposed is None


OPEN = [
    "중복", "이미 결제", "duplicate", "already paid", "F1002", "이미 사용된 merchant_uid", "응답 없음", "time-out",
    "결제가 진행 중인 거래입니다", "시스템 오류", "[0010]", "[5530]", "BANK_FIRM_UNKNOWN",
]  # fmt: skip


@given(
    st.sampled_from(OPEN),
    st.sampled_from(list(DeclineKind)),
    st.sampled_from(["맨션", "한도", "거절"]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_rule_of_a_merchant_makes_a_decline_of_what_is_open(words, kind, word, first, coded):
    """Whatever a rule fits, "already paid" in any wording and an answer that was lost are looked up."""
    rules = own(kind.value, codes="AB12") if coded else own(kind.value, word)
    text = f"{words} {word} [AB12]" if first else f"[AB12] {word} {words}"
    ours = classify(RULES, "kakaopay", None, text).verdict
    assert ours in {Duplicate, NeedsLookUp}
    assert classify(rules, "kakaopay", None, text).verdict is ours
