"""The values that rules of packs are read into: codes, words of whom, and a merchant's own. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from worker.domain.declines.verdicts import DeclineVerdict
from worker.domain.outcomes import About, DeclineKind


class Party(Enum):
    MERCHANT = "merchant"  # also its contract, certificate, terminal, address, module, and the PG it is known to
    SYSTEM = "system"  # a bank, a card company, a server
    CUSTOMER = "customer"  # also the card, the account, the key, the password
    SERVICE = "service"  # whose, the text does not say: the merchant's, but where a use of it is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What every rule says of itself: the file and the line it begins in, what it is about, and why."""

    file: str
    line: int | None
    about: About | None = None
    why: str = ""

    @property
    def place(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRule(Stated):
    """Codes of a PG, and what they mean."""

    codes: tuple[str, ...]
    verdict: DeclineVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRule(Stated):
    """A state, and what it means of each party; None: of no party that a text names. None of one: it does not count."""

    said: re.Pattern[str]
    verdicts: Mapping[Party | None, DeclineVerdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRule(Stated):
    """A merchant's rule: of a PG or of all, by one of some codes, by words that are all in the text, or by both."""

    kind: DeclineKind
    pgs: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()  # as `texts.searched` has them

    def fits(self, pg: str, codes: list[str], searched: str) -> bool:
        """Return whether it fits a refusal of a PG with these codes, whose text is as `texts.searched` has it."""
        if self.pgs and pg not in self.pgs:
            return False
        if self.codes and self.codes.isdisjoint(codes):
            return False
        return all(word in searched for word in self.words)


Rule = CodeRule | StateRule | OwnRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One file of rules of ours: codes of some PGs, or words at any."""

    name: str
    file: str
    version: int
    pgs: tuple[str, ...] = ()
    prefix: str = ""  # what its codes arrive with in front, where another PG relays them
    also: str = ""  # the pack whose codes count where it has none of its own
    codes: tuple[CodeRule, ...] = ()
    nouns: tuple[tuple[Party, str], ...] = field(default=(), repr=False)
    states: tuple[StateRule, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class OwnPack:
    """A merchant's file of rules, in the order in which they are asked."""

    file: str
    version: int | None
    rules: tuple[OwnRule, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeclineRules:
    """All rules by which refusals are classified: the packs of ours, and a merchant's that go before them."""

    packs: tuple[Pack, ...]
    own: OwnPack | None = None
    codes: Mapping[str, Mapping[str, CodeRule]] = field(init=False, repr=False)  # by PG and code
    prefixes: Mapping[str, str] = field(init=False, repr=False)  # by PG
    noun: re.Pattern[str] = field(init=False, repr=False)  # one group per noun, in the order of `parties`
    parties: tuple[Party, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_name = {pack.name: pack for pack in self.packs}
        nouns = [noun for pack in self.packs for noun in pack.nouns]
        derived = {
            "codes": {pg: _table(pack, by_name) for pack in self.packs for pg in pack.pgs},
            "prefixes": {pg: pack.prefix for pack in self.packs for pg in pack.pgs if pack.prefix},
            "noun": re.compile("|".join(f"(?P<p{place}>{said})" for place, (_, said) in enumerate(nouns)), _FLAGS),
            "parties": tuple(party for party, _ in nouns),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


_FLAGS = re.IGNORECASE


def _table(pack: Pack, by_name: Mapping[str, Pack]) -> Mapping[str, CodeRule]:
    found = dict(_table(by_name[pack.also], by_name)) if pack.also else {}
    return found | {code: rule for rule in pack.codes for code in rule.codes}
