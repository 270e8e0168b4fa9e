"""Why a refusal is classified as it is: one rule decides, and each other one that is about it says why it does not."""

from __future__ import annotations

import pytest

from tests.support.attempts import RULES
from tests.support.declines import own, with_own
from tests.unit.domain.declines.test_classify import EACH_CODE, TRAPS, WORDS_ALONE
from worker.domain.declines import classify
from worker.domain.declines.explanation import Asked, explain
from worker.domain.declines.listing import name_of
from worker.domain.outcomes import DeclineKind

EVERY = [
    *((pg, code, "거절", verdict) for pg, code, verdict in EACH_CODE if not code.startswith("TALK_")),
    *(("smartro_v2", None, text or "", verdict) for text, verdict in WORDS_ALONE),
    *((pg, None, text, verdict) for pg, text, verdict in TRAPS),
]


def test_what_is_explained_is_what_is_decided():
    for pg, code, text, verdict in EVERY:
        found = explain(RULES, pg, code, text)
        assert found.decision == classify(RULES, pg, code, text)
        decided = found.decided_by
        if decided is None:
            assert verdict is DeclineKind.UNMATCHED, text
        elif decided.asked is not Asked.OPEN:
            assert decided.verdict is verdict, text
        assert sum(not step.not_because for step in found.steps) <= 1, text


def test_code_decides_and_the_words_beside_it_say_why_they_do_not():
    found = explain(RULES, "kakaopay", None, "[8314]한도초과")
    decided = found.decided_by
    assert decided is not None
    assert (decided.asked, decided.says, decided.verdict) == (Asked.CODE, "expired", DeclineKind.HARD)
    assert decided.place.startswith("kakaopay.toml:")
    (words,) = [step for step in found.steps if step.not_because]
    assert words.place.startswith("words.toml:")
    assert (words.verdict, words.not_because) == (DeclineKind.SOFT, "a code is believed before words")
    assert words.says.startswith('"한도" of no party: ')


def test_word_for_duplicate_goes_before_every_rule_and_says_so():
    rules = own("hard", codes="8326")
    found = explain(rules, "kakaopay", None, "[8326]중복거래 한도초과")
    assert found.decided_by is not None
    assert (found.decided_by.asked, found.decided_by.place) == (Asked.OPEN, "")
    others = {step.asked: step.not_because for step in found.steps if step.not_because}
    assert others == {
        Asked.OWN: "it is no decline",
        Asked.CODE: "such words are looked up, whatever else is in them",
        Asked.WORDS: "such words are looked up, whatever else is in them",
    }


def test_rules_of_a_merchant_each_say_why_they_do_not_decide():
    rules = with_own(
        '[[rule]]\npgs = ["kcp"]\ncodes = ["8326"]\nkind = "hard"\n'
        '[[rule]]\ncodes = ["8325", "8327"]\nkind = "hard"\n'
        '[[rule]]\ncodes = ["8326"]\nwords = ["한도", "맨션"]\nkind = "hard"\n'
        '[[rule]]\nwords = ["초과"]\nkind = "config"\nwhy = "our own limit"\n'
        '[[rule]]\nwords = ["한도초과"]\nkind = "hard"\n'
    )
    found = explain(rules, "kakaopay", None, "[8326]한도초과")
    assert [(step.place, step.says, step.not_because) for step in found.steps if step.asked is Asked.OWN] == [
        ("own.toml:1", "8326", "it is for kcp"),
        ("own.toml:5", "8325, 8327", "none of its codes is there"),
        ("own.toml:8", '8326, "한도", "맨션"', "'맨션' is not in the text"),
        ("own.toml:12", "our own limit", ""),
        ("own.toml:16", '"한도초과"', "own.toml:12 comes first"),
    ]
    (code,) = [step for step in found.steps if step.asked is Asked.CODE]
    assert code.not_because == "a rule of your own goes before it"


@pytest.mark.parametrize(
    ("text", "decides"), [("[8326][8314]", "8326"), ("[8326] [0010]", "0010"), ("[8314][8326]", "8314")]
)
def test_of_several_codes_the_first_decides_unless_one_leaves_it_open(text: str, decides: str):
    found = explain(RULES, "kakaopay", None, text)
    assert found.decided_by is not None
    assert found.decided_by.place == RULES.codes["kakaopay"][decides].place
    (other,) = [step for step in found.steps if step.not_because]
    assert other.not_because == "another code comes first, or leaves it open"


def test_refusal_that_no_rule_knows_has_no_step_that_decides():
    found = explain(RULES, "kakaopay", None, "어쩌고")
    assert (found.decided_by, found.steps, found.codes) == (None, (), ())
    assert name_of(found.decision.verdict) == "unmatched"
