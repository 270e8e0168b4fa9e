"""What the README and .env.example say is what the code says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from worker.config.settings import Settings
from worker.domain.states import ATTEMPT_TRANSITIONS, CHARGE_TRANSITIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
VARIABLES = {f"AGAIN_{name.upper()}" for name in Settings.model_fields}


def arrows(title: str) -> set[tuple[str, str]]:
    diagram = README.split(f"### {title}\n", 1)[1].split("```mermaid", 1)[1].split("```", 1)[0]
    return {(start, end) for start, end in re.findall(r"(\w+) --> (\w+)", diagram)}


@pytest.mark.parametrize(
    ("title", "transitions"), [("A charge", CHARGE_TRANSITIONS), ("An attempt", ATTEMPT_TRANSITIONS)]
)
def test_the_state_diagrams_show_exactly_the_transitions(title: str, transitions: Mapping[str, frozenset[str]]):
    assert arrows(title) == {(str(start), str(end)) for start, ends in transitions.items() for end in ends}


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_every_setting_is_documented_and_no_other(document: str):
    assert set(re.findall(r"AGAIN_[A-Z_]+[A-Z]", (ROOT / document).read_text())) == VARIABLES


def test_the_examples_environment_is_the_default_one():
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line.startswith("AGAIN_")]
    environ = dict(line.split("=", 1) for line in lines)
    assert Settings.from_env(environ) == Settings.from_env({})


def test_the_crash_table_names_tests_that_exist():
    table = README.split("### What a crash leaves", 1)[1].split("## Use it", 1)[0]
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_\w+?)(?:_\.\.\.)?`", table)
    assert len(names) >= 7
    assert [name for name in names if f"def {name}" not in sources] == []


def test_files_the_readme_names_exist():
    named = set(re.findall(r"`((?:worker|schedules)/[\w/.]+)`", README))
    assert [name for name in named if not (ROOT / name).exists()] == []
