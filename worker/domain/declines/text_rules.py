"""What a Korean or English refusal says, about whom: read by rules, where no code of the PG's is known.

A state (suspended, terminated, not registered, over the limit ...) means one thing of the customer's card, account or
key, and another of the merchant, its contract, its certificate or its PG. So each rule gives a verdict per party, and
the party is the nearest noun: "정지된 카드" is a dead card, "거래정지 업체" a suspended merchant.
A rule whose party stays unknown and matters does not apply: killing a key takes a noun of the customer's side.
The rules and the nouns are in `packs/words.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worker.domain.declines.rules import DeclineRules, Party, StateRule
from worker.domain.declines.texts import squeezed
from worker.domain.declines.verdicts import DeclineVerdict

AFTER, BEFORE = 8, 14
"""Most letters between a state and the noun after it, or before it."""

LONGEST = 1000
"""Letters of a text that are read: each state is compared with each noun, and no PG's reason is longer."""

# Where a text says it of several, the merchant's side counts: no key is killed in doubt.
_FIRST = (Party.MERCHANT, Party.SERVICE, Party.SYSTEM, Party.CUSTOMER, None)

_Nouns = list[tuple[int, int, Party]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule that fits a text, the party that the text says it of, and the letters that say it."""

    rule: StateRule
    party: Party | None
    verdict: DeclineVerdict
    said: str


def readings(rules: DeclineRules, text: str) -> Iterator[Reading]:
    """Yield the rules that fit a text, in their order; the first counts."""
    said = squeezed(text[:LONGEST])
    nouns = [
        (found.start(), found.end(), rules.parties[int((found.lastgroup or "p0")[1:])])
        for found in rules.noun.finditer(said)
    ]
    for pack in rules.packs:
        for rule in pack.states:
            if (reading := _by(rule, said, nouns)) is not None:
                yield reading


def _by(rule: StateRule, said: str, nouns: _Nouns) -> Reading | None:
    parties: dict[Party | None, str] = {}
    for found in rule.said.finditer(said):
        parties.setdefault(_party(said, found.start(), found.end(), nouns), found[0])
    for party in _FIRST:
        verdict = rule.verdicts.get(party)
        if party in parties and verdict is not None:
            return Reading(rule, party, verdict, parties[party])
    return None


def _party(said: str, start: int, end: int, nouns: _Nouns) -> Party | None:
    """Return of whom a state at this place is said: the noun it stands before, else the one it stands after."""
    inside = [party for at, until, party in nouns if start <= at and until <= end]
    after = [(at, party) for at, _, party in nouns if end <= at <= end + AFTER and not _parted(said[end:at])]
    before = [
        (until, party)
        for _, until, party in nouns
        if start - BEFORE <= until <= start and not _parted(said[until:start], ".")
    ]
    if after:
        return min(after)[1]
    if inside:
        return inside[0]
    return max(before)[1] if before else None


def _parted(between: str, by: str = ".,;/()[]-:") -> bool:
    return any(letter in between for letter in by)
