"""Migrations are one line: each has a number of its own and follows the one before it."""

from __future__ import annotations

import re
from pathlib import Path

VERSIONS = sorted((Path(__file__).parents[3] / "worker" / "database" / "migrations" / "versions").glob("0*.py"))


def test_each_migration_follows_the_one_before_it():
    before = None
    for number, path in enumerate(VERSIONS, start=1):
        said = dict(re.findall(r"^(revision|down_revision) = (.+)$", path.read_text(), re.MULTILINE))
        assert path.name.startswith(f"{number:04d}_"), path.name
        assert said == {"revision": f'"{number:04d}"', "down_revision": repr(before).replace("'", '"')}, path.name
        before = f"{number:04d}"
