"""A merchant's own rules, checked as a whole before any of them decides. They say the kind of a decline, no more. Pure.

A text that says "already" or leaves it open whether money moved is looked up whatever these rules say, so a rule that
is about such words or codes alone would never decide, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from worker.domain.declines.ambiguous_texts import leaves_it_open, says_before
from worker.domain.declines.pack_fields import Fields, PackText
from worker.domain.declines.rules import DeclineRules, OwnPack, OwnRule
from worker.domain.declines.texts import searched
from worker.domain.outcomes import DeclineKind

MOST_RULES = 1000
SHORTEST_WORD, LONGEST_WORD = 2, 100
"""Letters of a word, as it is looked for: a single one is in every text."""

_CODE = re.compile(r"-?[A-Za-z0-9_]{2,40}")
_OPEN = "such a refusal is looked up, and no rule makes it a decline"


def read_own_rules(file: str, text: str, *, ours: DeclineRules, pgs: Collection[str]) -> OwnPack:
    """Return a merchant's rules, those with a code first. Raises InvalidPack with every problem."""
    found = PackText.parse(file, text)
    head = found.head
    head.only("version")
    for name in sorted(found.tables.keys() - head.values.keys() - {"rule"}):
        found.wrong(None, f"{name!r:.40} is no table here; there is [[rule]]")
    version = head.version(needed=False)
    tables = found.array("rule")
    if not tables and not found.problems:
        found.wrong(None, "there is no [[rule]] in it")
    if len(tables) > MOST_RULES:
        found.wrong(None, f"there are {len(tables)} rules, more than {MOST_RULES}")
    rules = [_rule(fields, ours, pgs) for fields in tables[:MOST_RULES]]
    _refuse_twice(rules, tables)
    found.refuse_if_wrong()
    return OwnPack(file, version, tuple(sorted(rules, key=lambda rule: not rule.codes)))


def _rule(fields: Fields, ours: DeclineRules, pgs: Collection[str]) -> OwnRule:
    fields.only("pgs", "codes", "words", "kind", "about", "why")
    rule = OwnRule(
        file=fields.of.file,
        line=fields.line,
        about=fields.about(),
        why=fields.text("why"),
        kind=DeclineKind(fields.choice("kind", list(DeclineKind)) or DeclineKind.UNMATCHED),
        pgs=frozenset(fields.texts("pgs", most=50, longest=40)),
        codes=frozenset(fields.texts("codes", most=500, longest=40)),
        words=tuple(searched(word) for word in fields.texts("words", most=20, longest=LONGEST_WORD)),
    )
    if not {"codes", "words"} & fields.values.keys():
        fields.wrong(None, "codes or words is missing: what is to be in the refusal")
    for pg in sorted(rule.pgs - set(pgs)):
        fields.wrong("pgs", f"{pg!r} is no PG; there are {', '.join(sorted(pgs))}")
    _check_codes(fields, rule, ours)
    _check_words(fields, rule)
    return rule


def _check_codes(fields: Fields, rule: OwnRule, ours: DeclineRules) -> None:
    for code in sorted(rule.codes):
        if _CODE.fullmatch(code) is None:
            fields.wrong("codes", f"{code!r} is no code: letters, digits and _, 2 to 40 of them, such as 8326 or -750")
        for pg in sorted(rule.pgs):
            known = ours.codes.get(pg, {}).get(code.removeprefix(ours.prefixes.get(pg, "")))
            if known is not None and not isinstance(known.verdict, DeclineKind):
                fields.wrong("codes", f"{code} of {pg} leaves it open whether money moved ({known.why}): {_OPEN}")


def _check_words(fields: Fields, rule: OwnRule) -> None:
    for word in rule.words:
        if len(word) < SHORTEST_WORD:
            fields.wrong("words", f"{word!r} is too short: {SHORTEST_WORD} letters at least")
        elif says_before(word) or leaves_it_open(word):
            fields.wrong("words", f"{word!r} says that it may be paid already, or is under way: {_OPEN}")


def _refuse_twice(rules: list[OwnRule], tables: list[Fields]) -> None:
    """Refuse a rule for the same refusals as one before it, which decides."""
    first: dict[object, OwnRule] = {}
    for rule, fields in zip(rules, tables, strict=False):
        same = (rule.pgs, rule.codes, frozenset(rule.words))
        if same in first and (rule.codes or rule.words):
            fields.wrong(None, f"it is for the same refusals as the rule at {first[same].place}, which decides")
        first.setdefault(same, rule)
