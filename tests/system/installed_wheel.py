"""What `make wheel` has built and installed into an empty environment: it runs there, with no settings."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from tests.system.newcomer import RUNNING, UP, environment, press_ctrl_c, wait_for_line

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


PROGRAMS = ROOT / "dist" / "installed" / "bin"


def test_installed_wheel_knows_its_version(tmp_path: Path):
    said = subprocess.run(
        [PROGRAMS / "again", "--version"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == VERSION


def test_installed_wheel_runs_again_up_until_ctrl_c(tmp_path: Path):
    outside = {**environment(), "PATH": f"{PROGRAMS}:/usr/bin:/bin"}
    with subprocess.Popen(
        [PROGRAMS / "again", *UP],
        cwd=tmp_path,
        env=outside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as up:
        wait_for_line(up, RUNNING)
        plans = subprocess.run(
            [PROGRAMS / "again", "plan", "list", "--json"],
            cwd=tmp_path,
            env=outside,
            capture_output=True,
            text=True,
            check=True,
        )
        assert plans.stdout.strip() == "[]"
        press_ctrl_c(up)
    assert up.returncode == 0
