"""The excerpts of the example hosts in docs/your-own-pages.md are in the example hosts, word for word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from worker import HostCheckout

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your-own-pages.md").read_text()
EXCERPTS = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = sorted((ROOT / "tests" / "examples").glob("*_shop.py"))


def test_page_shows_each_example():
    assert sorted({name for name, _ in EXCERPTS}) == [str(each.relative_to(ROOT)) for each in EXAMPLES]
    assert len(EXCERPTS) == PAGE.count("```python")


@pytest.mark.parametrize(("name", "excerpt"), EXCERPTS)
def test_excerpt_is_in_the_example(name: str, excerpt: str):
    source = (ROOT / name).read_text()
    for piece in excerpt.strip("\n").split("\n\n"):
        assert f"\n{piece}\n" in source


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_host_is_short_and_calls_every_public_method(example: Path):
    source = example.read_text()
    assert len(source.splitlines()) <= 280
    called = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    public = {name for name in dir(HostCheckout) if not name.startswith("_")}
    # A synchronous host has no end to close it at: its process ends.
    assert public - called <= {"close"}


def test_methods_named_by_the_page_exist():
    named = {"subscriptions_of", "view", "create_checkout", "agree", "complete", "receive_webhook"}
    named |= {"preview", "request", "undo", "agree_to_change", "agree_to_terms", "history"}
    assert named <= set(re.findall(r"`(\w+)`", PAGE))
    assert all(callable(getattr(HostCheckout, name)) for name in named)
