"""requirements.lock pins everything, and what runs here is what it pins."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
HASHES = re.compile(r" \\\n    --hash=sha256:[0-9a-f]{64}")
LINES = HASHES.sub("", (ROOT / "requirements.lock").read_text()).splitlines()
PIN = re.compile(r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)==(?P<version>[0-9][0-9A-Za-z.!+]*)(?P<marker> ; .+)?")


def pins() -> dict[str, str]:
    return {match["name"]: match["version"] for line in LINES if (match := PIN.fullmatch(line))}


def test_every_line_of_the_lockfile_pins_one_version_from_the_registry():
    assert [line for line in LINES if PIN.fullmatch(line) is None] == []
    assert len(pins()) == len(LINES)


def test_every_dependency_of_the_project_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    names = {re.split(r"[\[<>=]", requirement)[0].strip().lower().replace("_", "-") for requirement in asked}
    assert names - {project["name"]} <= pins().keys()


def test_installed_versions_are_the_pinned_ones():
    installed = {}
    for name in pins():
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue  # for another system or another Python
    assert installed.items() <= pins().items()
    assert len(installed) > len(LINES) / 2
