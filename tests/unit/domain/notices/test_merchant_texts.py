"""A merchant's own words for notices: what they replace, and each thing that is refused."""

from __future__ import annotations

import tomllib

import pytest

from schedules.notices import NoticeKind
from worker.domain.notices.merchant_texts import LONGEST, merchant_texts
from worker.domain.notices.texts import ALWAYS_KNOWN, AT_TIMES_KNOWN, NAMES, TEXTS, names_in, written


def refused(text: str) -> list[str]:
    """Return what is wrong with a file's text."""
    return merchant_texts(tomllib.loads(text))[1]


def test_known_names_are_those_that_texts_have_and_ours_keep_to_them():
    by_kind = {kind: ALWAYS_KNOWN[kind] | AT_TIMES_KNOWN.get(kind, frozenset()) for kind in NoticeKind}
    assert frozenset().union(*by_kind.values()) == NAMES
    for (kind, _), template in TEXTS.items():
        assert names_in(template.title) <= ALWAYS_KNOWN[kind]
        assert all(names_in(line) <= by_kind[kind] for line in template.lines)


def test_texts_of_ours_pass_as_a_merchants():
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for (kind, language), template in TEXTS.items():
        said = {"title": template.title, "body": "\n".join(template.lines)}
        tables.setdefault(kind.value, {})[language] = said
    assert merchant_texts(tables) == (TEXTS, [])


def test_what_is_not_said_keeps_our_words():
    texts, problems = merchant_texts({"paid": {"ko": {"title": "고마워요"}}, "price": {}, "trial": {"en": {}}})
    assert problems == []
    assert texts[NoticeKind.PAID, "ko"].title == "고마워요"
    assert texts[NoticeKind.PAID, "ko"].lines == TEXTS[NoticeKind.PAID, "ko"].lines
    changed = {key for key in TEXTS if texts[key] != TEXTS[key]}
    assert changed == {(NoticeKind.PAID, "ko")}


def test_names_are_replaced_and_lines_of_unknown_ones_left_out():
    body = "\n{plan}: {{no name}} {amount}\n\nReceipt: {receipt}\n"
    texts, _ = merchant_texts({"paid": {"en": {"title": "Paid {amount}", "body": body}}})
    template = texts[NoticeKind.PAID, "en"]
    known = {"plan": "{Gold}", "amount": "9,900 KRW"}
    assert written(template, {**known, "receipt": None}).body == "{Gold}: {no name} 9,900 KRW"
    full = written(template, {**known, "receipt": "https://pg.example/1"})
    assert (full.title, full.body.split("\n")[1:]) == ("Paid 9,900 KRW", ["", "Receipt: https://pg.example/1"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[renwal.ko]", "'renwal' is no kind of notice; there are renewal, trial, price, "),
        ("renewal = 'x'", "renewal must be tables of its languages, such as [renewal.ko]"),
        ("[renewal]\ntitle = 'x'", "[renewal] 'title' is no language; there are ko, en"),
        ("[renewal.jp]", "[renewal] 'jp' is no language; there are ko, en"),
        ("renewal.ko = 'x'", "renewal.ko must be a table, [renewal.ko], with a title or a body"),
        ("[renewal.ko]\nsubject = 'x'", "[renewal.ko] 'subject' is no field; there are title, body"),
        ("[renewal.ko]\ntitle = 5", "[renewal.ko] title must be a text in quotes"),
        ("[renewal.ko]\nbody = ['x']", "[renewal.ko] body must be a text in quotes"),
        ("[renewal.ko]\ntitle = ''", "[renewal.ko] title is empty; leave it out to keep what Again says"),
        ("[renewal.ko]\nbody = ' \\n '".replace("'", '"'), "[renewal.ko] body is empty; leave it out"),
        (f"[renewal.ko]\ntitle = '{'x' * 101}'", "[renewal.ko] title has 101 characters, more than 100"),
        (f"[renewal.ko]\nbody = '{'x' * 4001}'", "[renewal.ko] body has 4001 characters, more than 4000"),
        ('[renewal.ko]\ntitle = "a\\nb"', "[renewal.ko] title must be one line"),
        ('[renewal.ko]\ntitle = "a\\u2028b"', "[renewal.ko] title must be one line"),
        ('[renewal.ko]\ntitle = "a\\u0000"', "[renewal.ko] title has a control character"),
        ('[renewal.ko]\nbody = "a\\u0000"', "[renewal.ko] body has a control character"),
        (
            "[renewal.ko]\nbody = '{plna}'",
            "[renewal.ko] body names {plna}; for renewal it may name {amount}, {date}, {plan}, {subscription}",
        ),
        ("[renewal.ko]\nbody = 'x {receipt}'", "[renewal.ko] body names {receipt}; for renewal it may name"),
        ("[paid.ko]\ntitle = '{receipt}'", "[paid.ko] title names {receipt}; for paid it may name {amount}"),
        ("[renewal.ko]\ntitle = '{plan!r}'", "[renewal.ko] title has {plan!r}: between braces there must be a name"),
        ("[renewal.ko]\ntitle = '{plan:>9}'", "[renewal.ko] title has {plan:>9}: between braces"),
        ("[renewal.ko]\ntitle = '{plan:{amount}}'", "[renewal.ko] title has {plan:{amount}}: between braces"),
        ("[renewal.ko]\ntitle = '{plan.x}'", "[renewal.ko] title has {plan.x}: between braces"),
        ("[renewal.ko]\ntitle = '{plan[0]}'", "[renewal.ko] title has {plan[0]}: between braces"),
        ("[renewal.ko]\ntitle = '{}'", "[renewal.ko] title has {}: between braces"),
        ("[renewal.ko]\ntitle = '{0}'", "[renewal.ko] title has {0}: between braces"),
        ("[renewal.ko]\ntitle = '{plan'", "[renewal.ko] title has a brace without its other one"),
        ("[renewal.ko]\nbody = 'plan}'", "[renewal.ko] body has a brace without its other one"),
        (
            "[paid.en]\nbody = 'Receipt: {receipt}'",
            "[paid.en] body would be empty at times: one line at least must name nothing but {amount}, {date}",
        ),
    ],
)
def test_wrong_text_is_refused_in_a_sentence(text: str, says: str):
    (problem,) = refused(text)
    assert problem.startswith(says)
    assert "\n" not in problem


def test_texts_of_the_greatest_length_pass():
    said = {field: "x" * most for field, most in LONGEST.items()}
    assert merchant_texts({"paid": {"ko": said}})[1] == []


def test_all_that_is_wrong_is_said_at_once_and_each_thing_once():
    text = "[paid.ko]\ntitle = ''\nbody = 'x {a} {a} {b}'\n[x.ko]\n[trial.fr]"
    assert [each.split(";")[0] for each in refused(text)] == [
        "[paid.ko] title is empty",
        "[paid.ko] body names {a}",
        "[paid.ko] body names {b}",
        "'x' is no kind of notice",
        "[trial] 'fr' is no language",
    ]
