"""The packs of rules that declines are classified by, read once per process: ours, and the file of a merchant's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from worker.domain.declines.pack_reader import read_pack
from worker.domain.declines.rules import DeclineRules


@cache
def shipped_rules() -> DeclineRules:
    """Return the rules that come with Again.

    Read once: a worker's children inherit over the fork what their parent has read.
    """
    folder = files("worker.domain.declines") / "packs"
    packs = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    return DeclineRules(tuple(read_pack(each.name, each.read_text("utf-8")) for each in packs))
