"""`again up` as a newcomer meets it: no settings, an empty folder, docs/getting-started.md in hand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.system.newcomer import (
    PORTS,
    RUNNING,
    UP,
    again,
    environment,
    healthy,
    in_outline,
    ours_in,
    press_ctrl_c,
    processes_in,
    running,
    until,
)

PAGE = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text()


def test_up_listens_on_this_machine_only_and_flower_commands_nothing_unasked(folder: Path):
    with running(folder, *UP, line=RUNNING) as up:
        sockets = {process: process.net_connections("tcp") for process in processes_in(folder)}
        listening = {
            process: each.laddr for process, all_of in sockets.items() for each in all_of if each.status == "LISTEN"
        }
        assert {address.ip for address in listening.values()} == {"127.0.0.1"}
        port = next(address.port for process, address in listening.items() if "flower" in process.cmdline())
        assert httpx.get(f"http://127.0.0.1:{port}/api/workers", trust_env=False).status_code == 401
        # Addresses may hold passwords and go by the environment: `ps` shows command lines to every user.
        assert [line for line in ours_in(folder) if "://" in line] == []
        press_ctrl_c(up)


def test_closed_terminal_ends_up_in_order(folder: Path):
    with running(folder, *UP, line=RUNNING) as up:
        os.killpg(up.pid, signal.SIGHUP)
        said, _ = up.communicate(timeout=120)
    assert up.returncode == 0, said
    assert ours_in(folder) == []


def test_up_does_what_getting_started_says_until_ctrl_c(folder: Path):
    (folder / ".venv").symlink_to(sys.prefix)
    commands, shown = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)[1:3]
    # Beat opens due charges once a minute, which is too long to wait for here.
    with running(folder, *UP, line=RUNNING, AGAIN_TICK_SECONDS="2") as up:
        second = again(folder, *UP)
        assert second.returncode == 4
        assert f"runs in this folder already (pid {up.pid})" in second.stderr
        script = f"set -e\n{commands}".replace("9101", str(PORTS["sandbox"]))
        typed = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert typed.returncode == 0, typed.stderr
        until("a paid charge", lambda: "paid" in again(folder, "charge", "list").stdout, patience=75)
        listed = again(folder, "charge", "list").stdout
        assert in_outline(listed) == in_outline(shown)
        assert again(folder, "charge", "show", "1").returncode == 0
        healthy(folder)
        for line in re.findall(r"^again (clock .*)$", PAGE, re.MULTILINE):
            turned = again(folder, *line.split())
            assert turned.returncode == 0, turned.stderr
        assert [row["status"] for row in json.loads(again(folder, "charge", "list", "--json").stdout)] == ["paid"] * 2
        healthy(folder)
        said = press_ctrl_c(up)
    assert up.returncode == 0, said
    assert ours_in(folder) == []
    # What was written stays for the next time.
    assert [row["code"] for row in json.loads(again(folder, "plan", "list", "--json").stdout)] == ["letter"]


def test_killed_up_leaves_nothing_behind_and_the_next_one_starts(folder: Path):
    with running(folder, *UP, line=RUNNING) as up:
        up.kill()
        until("everything ended", lambda: ours_in(folder) == [], patience=90)
    assert (folder / ".again" / "logs").stat().st_mode & 0o777 == 0o700
    # As after a power failure: with the id of a process that now is another one, here ours.
    (folder / ".again" / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    private = [path for path in (folder / ".again").iterdir() if path.stat().st_mode & 0o066]
    assert private == []
    with running(folder, *UP, line=RUNNING) as up:
        next(process for process in processes_in(folder) if process.name() == "valkey-server").kill()
        said, _ = up.communicate(timeout=120)
    assert up.returncode == 4, said
    assert "The embedded Valkey has ended" in said
    assert ours_in(folder) == []
