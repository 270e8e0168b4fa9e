"""All rules as they are asked: a merchant's own, then codes, then words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worker.domain.declines.rules import CodeRule, DeclineRules, OwnRule, StateRule
from worker.domain.declines.verdicts import VERDICTS, DeclineVerdict
from worker.domain.outcomes import About


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRule:
    """One rule. It has several kinds where it depends on whom a text says it of; no `pgs`: it is for all."""

    place: str
    pgs: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # of a merchant's own; ours are patterns
    kinds: tuple[str, ...]
    about: About | None
    why: str


@dataclass(frozen=True, slots=True)
class ListedPack:
    file: str
    version: int | None
    rules: int


def name_of(verdict: DeclineVerdict) -> str:
    """Return a verdict as packs write it."""
    return next(name for name, each in VERDICTS.items() if each is verdict)


def packs(rules: DeclineRules) -> Iterator[ListedPack]:
    """Yield the files of rules, a merchant's own first."""
    if rules.own is not None:
        yield ListedPack(rules.own.file, rules.own.version, len(rules.own.rules))
    for pack in rules.packs:
        yield ListedPack(pack.file, pack.version, len(pack.codes) + len(pack.states))


def listed(rules: DeclineRules, *, pg: str | None = None, kind: str | None = None) -> Iterator[ListedRule]:
    """Yield the rules that may be asked about a PG's refusals, of a kind; all of them without either."""
    found = (*_own(rules, pg), *_codes(rules, pg), *(_state(rule) for pack in rules.packs for rule in pack.states))
    return (each for each in found if kind is None or kind in each.kinds)


def _own(rules: DeclineRules, pg: str | None) -> Iterator[ListedRule]:
    for rule in () if rules.own is None else rules.own.rules:
        if pg is None or not rule.pgs or pg in rule.pgs:
            yield _own_rule(rule)


def _codes(rules: DeclineRules, pg: str | None) -> Iterator[ListedRule]:
    """Yield the rules of codes; of a PG also those of the pack whose codes count for it too, but for its own."""
    for pack in rules.packs:
        if pg is None:
            yield from (_code(rule, pack.pgs) for rule in pack.codes)
        elif pg in pack.pgs:
            table = rules.codes[pg]
            for rule in dict.fromkeys(table.values()):
                yield _code(rule, (pg,), tuple(code for code, each in table.items() if each is rule))


def _own_rule(rule: OwnRule) -> ListedRule:
    return ListedRule(
        place=rule.place,
        pgs=tuple(sorted(rule.pgs)),
        codes=tuple(sorted(rule.codes)),
        words=rule.words,
        kinds=(rule.kind.value,),
        about=rule.about,
        why=rule.why,
    )


def _code(rule: CodeRule, pgs: tuple[str, ...], codes: tuple[str, ...] = ()) -> ListedRule:
    kinds = (name_of(rule.verdict),)
    return ListedRule(place=rule.place, pgs=pgs, codes=codes or rule.codes, kinds=kinds, about=rule.about, why=rule.why)


def _state(rule: StateRule) -> ListedRule:
    kinds = tuple(sorted({name_of(verdict) for verdict in rule.verdicts.values()}))
    return ListedRule(place=rule.place, kinds=kinds, about=rule.about, why=rule.why)
