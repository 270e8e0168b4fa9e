"""The packs of rules that declines are classified by: ours, and the file of a merchant's own, read once per process.

A worker's children are replaced by others all the time, and inherit over the fork what their parent has read: a file
that is being edited, or is gone, must not keep them from charging.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from worker.config.toml_files import text_of
from worker.domain.declines.own_rules import read_own_rules
from worker.domain.declines.pack_reader import read_pack
from worker.domain.declines.rules import DeclineRules
from worker.pg.catalog import PGS


@dataclass(frozen=True, slots=True)
class DeclineFile:
    """Where a merchant's own rules were read, and all rules, those of the file before ours."""

    path: str
    rules: DeclineRules = field(repr=False)

    def __str__(self) -> str:
        return self.path


@cache
def shipped_rules() -> DeclineRules:
    """Return the rules that come with Again."""
    folder = files("worker.domain.declines") / "packs"
    packs = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    return DeclineRules(tuple(read_pack(each.name, each.read_text("utf-8")) for each in packs))


def decline_file(value: object) -> object:
    """Read the file that a text names; any other value as it is. Raises ValueError with every problem, one per line."""
    return _read_once(value) if isinstance(value, str) else value


def rules_with(own: DeclineFile | None) -> DeclineRules:
    """Return the rules with a merchant's own, if there are any."""
    return shipped_rules() if own is None else own.rules


def read_decline_file(path: str) -> DeclineFile:
    """Read and check a file as it is now. Raises ValueError with every problem, one per line."""
    ours = shipped_rules()
    own = read_own_rules(path, text_of(path), ours=ours, pgs=PGS)
    return DeclineFile(path, replace(ours, own=own))


@cache
def _read_once(path: str) -> DeclineFile:
    return read_decline_file(path)
