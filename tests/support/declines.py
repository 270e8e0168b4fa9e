"""Rules of a merchant's own beside ours, from the text of a file."""

from __future__ import annotations

from dataclasses import replace

from tests.support.attempts import RULES
from worker.domain.declines import DeclineRules
from worker.domain.declines.own_rules import read_own_rules
from worker.pg.catalog import PGS


def with_own(text: str) -> DeclineRules:
    """Return ours with the rules in this text before them."""
    return replace(RULES, own=read_own_rules("own.toml", text, ours=RULES, pgs=PGS))


def own(kind: str, *words: str, pgs: str = "", codes: str = "", more: str = "") -> DeclineRules:
    """Return ours with one rule before them."""
    lists = {"words": list(words), "pgs": pgs.split(), "codes": codes.split()}
    fields = "".join(f"{name} = {each!r}\n" for name, each in lists.items() if each)
    return with_own(f'[[rule]]\n{fields}kind = "{kind}"\n{more}')
