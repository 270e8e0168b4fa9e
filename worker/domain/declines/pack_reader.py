"""A file of ours becomes a pack of rules: codes of PGs, or words at any. What is malformed is refused whole. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from worker.domain.declines.pack_fields import Fields, PackText
from worker.domain.declines.rules import CodeRule, Pack, Party, StateRule
from worker.domain.declines.verdicts import VERDICTS, DeclineVerdict

SOURCES = ("documented", "seen", "assumed")
"""How a fact about a PG is known; each rule says it, or its pack for all."""

UNNAMED = "unnamed"
_PARTIES: Mapping[str, Party | None] = {**{party.value: party for party in Party}, UNNAMED: None}
_FRAGMENT = re.compile(r"\{([A-Z_]+)\}")


def read_pack(file: str, text: str) -> Pack:
    """Return the pack in a file. Raises InvalidPack with every problem: file, line, and what is expected."""
    found = PackText.parse(file, text)
    head = found.head
    head.only("pack", "version", "source", "pgs", "prefix", "also")
    for name in found.tables.keys() - head.values.keys() - {"rule", "noun", "fragment"}:
        found.wrong(None, f"{name!r:.40} is no table of a pack; there are rule, noun, fragment")
    head.choice("source", SOURCES)
    version = head.version(needed=True)
    fragments = _fragments(found)
    rules = found.array("rule")
    pack = Pack(
        name=head.text("pack", needed=True, most=40),
        file=file,
        version=version or 0,
        pgs=head.texts("pgs"),
        prefix=head.text("prefix", most=4),
        also=head.text("also", most=40),
        codes=tuple(_code_rule(fields) for fields in rules if "said" not in fields.values),
        nouns=tuple(_noun(fields, fragments) for fields in found.array("noun")),
        states=tuple(_state_rule(fields, fragments) for fields in rules if "said" in fields.values),
    )
    _refuse_twice(found, pack, rules)
    found.refuse_if_wrong()
    return pack


def _code_rule(fields: Fields) -> CodeRule:
    fields.only("codes", "kind", "about", "why", "source")
    if "codes" not in fields.values:
        fields.wrong(None, "codes or said is missing: what the rule is about")
    kind = fields.choice("kind", VERDICTS)
    fields.choice("source", SOURCES, needed=False)
    return CodeRule(
        file=fields.of.file,
        line=fields.line,
        about=fields.about(),
        why=fields.text("why", needed=True),
        codes=fields.texts("codes", longest=40),
        verdict=VERDICTS[kind or "unmatched"],
    )


def _state_rule(fields: Fields, fragments: Mapping[str, str]) -> StateRule:
    fields.only("said", "kind", "about", "why", "source")
    return StateRule(
        file=fields.of.file,
        line=fields.line,
        about=fields.about(),
        why=fields.text("why", needed=True),
        said=_pattern(fields, fragments),
        verdicts=_verdicts(fields),
    )


def _noun(fields: Fields, fragments: Mapping[str, str]) -> tuple[Party, str]:
    fields.only("party", "said")
    party = fields.choice("party", [each.value for each in Party])
    return Party(party or Party.SERVICE.value), _pattern(fields, fragments).pattern


def _verdicts(fields: Fields) -> Mapping[Party | None, DeclineVerdict]:
    """Return what a state means of each party; of a service it means what it does of the merchant, if not said."""
    given = fields.values.get("kind")
    if not isinstance(given, dict):
        kind = fields.choice("kind", VERDICTS)
        return dict.fromkeys(_PARTIES.values(), VERDICTS[kind or "unmatched"])
    parties = Fields(fields.of, given, fields.line)
    parties.only(*_PARTIES)
    said = {name: parties.choice(name, VERDICTS, needed=False) for name in _PARTIES}
    said[Party.SERVICE.value] = said[Party.SERVICE.value] or said[Party.MERCHANT.value]
    return {_PARTIES[name]: VERDICTS[kind] for name, kind in said.items() if kind is not None}


def _fragments(found: PackText) -> Mapping[str, str]:
    given = found.tables.get("fragment", {})
    if not isinstance(given, dict):
        found.wrong(None, "fragment must be a table, [fragment], of lists of patterns")
        return {}
    fields = Fields(found, given, None)
    return {name: f"(?:{'|'.join(fields.texts(name))})" for name in given}


def _pattern(fields: Fields, fragments: Mapping[str, str]) -> re.Pattern[str]:
    said = "|".join(fields.texts("said"))
    for name in _FRAGMENT.findall(said):
        if name not in fragments:
            fields.wrong("said", f"{{{name}}} is no fragment; there are {', '.join(fragments) or 'none'}")
    whole = _FRAGMENT.sub(lambda found: fragments.get(found[1], ""), said)
    try:
        return re.compile(whole, re.IGNORECASE)
    except re.error as error:
        fields.wrong("said", f"it is no pattern: {error}")
        return re.compile("")


def _refuse_twice(found: PackText, pack: Pack, rules: list[Fields]) -> None:
    """Refuse a code that two rules have: the second would never be asked."""
    first: dict[str, int | None] = {}
    for fields in rules:
        codes = fields.values.get("codes")
        for code in codes if isinstance(codes, list) else ():
            if str(code) in first:
                fields.wrong("codes", f"{code!r:.40} stands in line {first[str(code)]} already")
            first.setdefault(str(code), fields.line)
    if pack.codes and not pack.pgs:
        found.wrong(None, 'pgs is missing: whose codes these are, such as ["kcp"]')
