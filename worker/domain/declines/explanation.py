"""Why a refusal is classified as it is: the rule that decides, and of the others why they do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.declines import Decision, DeclineRules, classify, known_codes, text_rules
from worker.domain.declines.ambiguous_texts import leaves_it_open, says_before
from worker.domain.declines.rules import OwnRule
from worker.domain.declines.texts import codes_in, searched
from worker.domain.declines.verdicts import DeclineVerdict


class Asked(StrEnum):
    """What is asked about a refusal, in this order but for a merchant's own rules, which say the kind of a decline."""

    OPEN = "open"  # "already", "duplicate", "no answer": no decline, whatever else is in it
    CODE = "code"  # a code of the PG's
    WORDS = "words"
    OWN = "own"  # a merchant's own rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule that is about a refusal, or one of a merchant's own. `not_because` is empty where it decides."""

    asked: Asked
    place: str  # file and line; empty for what is code
    says: str
    verdict: DeclineVerdict | None = None
    not_because: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a refusal means, the codes that were found in it, and every rule that has to do with it."""

    decision: Decision
    codes: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def decided_by(self) -> Step | None:
        return next((step for step in self.steps if not step.not_because), None)


def explain(rules: DeclineRules, pg: str, code: str | None, text: str) -> Explanation:
    """Return what decides about a refusal, and what does not."""
    decision = classify(rules, pg, code, text)
    codes = codes_in(code, text, prefix=rules.prefixes.get(pg, ""))
    steps = (*_open(text), *_own(rules, decision, pg, codes, text), *_codes(rules, decision, pg, code, text))
    return Explanation(decision, tuple(codes), (*steps, *_words(rules, decision, pg, code, text)))


def _open(text: str) -> Iterator[Step]:
    if says_before(text):
        yield Step(asked=Asked.OPEN, place="", says='it says "already", "duplicate", or names the order number')
    elif leaves_it_open(text):
        yield Step(asked=Asked.OPEN, place="", says="it speaks of a lost, late or open answer")


def _own(rules: DeclineRules, decision: Decision, pg: str, codes: list[str], text: str) -> Iterator[Step]:
    said = searched(text[: text_rules.LONGEST])
    for rule in () if rules.own is None else rules.own.rules:
        why = _misses(rule, pg, codes, said)
        if not why and rule is not decision.rule:
            why = f"{decision.rule.place} comes first" if isinstance(decision.rule, OwnRule) else "it is no decline"
        yield Step(asked=Asked.OWN, place=rule.place, says=_what(rule), verdict=rule.kind, not_because=why)


def _misses(rule: OwnRule, pg: str, codes: list[str], said: str) -> str:
    """Return why a rule does not fit; empty where it does."""
    if rule.pgs and pg not in rule.pgs:
        return f"it is for {', '.join(sorted(rule.pgs))}"
    if rule.codes and rule.codes.isdisjoint(codes):
        return "none of its codes is there"
    missing = [word for word in rule.words if word not in said]
    return f"{missing[0]!r} is not in the text" if missing else ""


def _what(rule: OwnRule) -> str:
    parts = [*sorted(rule.codes), *(f'"{word}"' for word in rule.words)]
    return rule.why or ", ".join(parts)


def _codes(rules: DeclineRules, decision: Decision, pg: str, code: str | None, text: str) -> Iterator[Step]:
    for rule in dict.fromkeys(known_codes(rules, pg, code, text)):
        why = "" if rule is decision.rule else _before(decision) or "another code comes first, or leaves it open"
        yield Step(asked=Asked.CODE, place=rule.place, says=rule.why, verdict=rule.verdict, not_because=why)


def _words(rules: DeclineRules, decision: Decision, pg: str, code: str | None, text: str) -> Iterator[Step]:
    is_coded = bool(known_codes(rules, pg, code, text))
    for reading in text_rules.readings(rules, text):
        of = "no party" if reading.party is None else f"the {reading.party.value}"
        why = "a code is believed before words" if is_coded else "a rule before it fits"
        why = "" if reading.rule is decision.rule else _before(decision) or why
        says = f'"{reading.said}" of {of}: {reading.rule.why}'
        yield Step(asked=Asked.WORDS, place=reading.rule.place, says=says, verdict=reading.verdict, not_because=why)


def _before(decision: Decision) -> str:
    """Return why nothing of ours decides; empty where the order of ours does."""
    if isinstance(decision.rule, OwnRule):
        return "a rule of your own goes before it"
    return "such words are looked up, whatever else is in them" if decision.rule is None else ""
