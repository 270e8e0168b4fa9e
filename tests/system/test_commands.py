"""`again demo` and `again up` as a newcomer meets them: no settings, an empty folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import psutil
import pytest

from worker.supervision import free_port

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL's own user may enter, as under a home or a checkout."""
    with tempfile.TemporaryDirectory(prefix="again-newcomer-") as name:
        yield Path(name)


def environment(**settings: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "HOME": os.path.expanduser("~"), "LANG": "C.UTF-8", **settings}  # noqa: PTH111


def again(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["again", *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def ours_in(folder: Path) -> list[str]:
    """The command lines of the processes that run in, or with, a folder."""
    return [" ".join(process.info["cmdline"] or []) for process in processes_in(folder)]


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        words = " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        if str(folder) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def until(what: str, reached: Callable[[], bool], *, patience: float) -> None:
    deadline = monotonic() + patience
    while not reached():
        assert monotonic() < deadline, f"not within {patience} s: {what}"
        sleep(0.2)


@contextmanager
def running(folder: Path, *arguments: str, line: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, as a shell starts it, once it has printed a line."""
    with subprocess.Popen(
        ["again", *arguments],
        cwd=folder,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as command:
        try:
            wait_for_line(command, line)
            yield command
        finally:
            if command.poll() is None:
                command.terminate()
                command.communicate(timeout=60)


def press_ctrl_c(command: subprocess.Popen[str]) -> str:
    """Send what a terminal sends, to everyone in the group, and give the rest of what it says."""
    os.killpg(command.pid, signal.SIGINT)
    said, _ = command.communicate(timeout=20)
    return said


PORTS = {"sandbox": free_port(0), "checkout": free_port(0), "flower": free_port(0)}  # nobody else's, whatever runs here
UP = ("up", *(word for part, port in PORTS.items() for word in (f"--{part}-port", str(port))))
RUNNING = "Ctrl-C stops everything"


def test_the_demo_ends_with_books_that_agree_and_leaves_nothing_running(folder: Path):
    demo = again(folder, "demo", "--subscriptions", "200")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The books agree" in demo.stdout
    assert ours_in(folder) == []


def test_ctrl_c_ends_the_demo_in_order(folder: Path):
    with running(folder, "demo", line="of 1,000 cards") as demo:
        assert "already" in again(folder, "demo").stderr  # and so empties nothing
        said = press_ctrl_c(demo)
    assert demo.returncode == 130, said
    assert "stopping everything" in said
    assert "Traceback" not in said
    assert ours_in(folder) == []


def test_up_listens_on_this_machine_only_and_flower_commands_nothing_unasked(folder: Path):
    with running(folder, *UP, line=RUNNING) as up:
        sockets = {process: process.net_connections("tcp") for process in processes_in(folder)}
        listening = {
            process: each.laddr for process, all_of in sockets.items() for each in all_of if each.status == "LISTEN"
        }
        assert {address.ip for address in listening.values()} == {"127.0.0.1"}
        port = next(address.port for process, address in listening.items() if "flower" in process.cmdline())
        assert httpx.get(f"http://127.0.0.1:{port}/api/workers", trust_env=False).status_code == 401
        # Addresses may hold passwords and go by the environment: `ps` shows command lines to everyone.
        assert [line for line in ours_in(folder) if "://" in line] == []
        press_ctrl_c(up)


def test_a_terminal_that_is_closed_ends_up_in_order(folder: Path):
    with running(folder, *UP, line=RUNNING) as up:
        os.killpg(up.pid, signal.SIGHUP)
        said, _ = up.communicate(timeout=20)
    assert up.returncode == 0, said
    assert ours_in(folder) == []


def test_up_does_what_the_readme_says_until_ctrl_c(folder: Path):
    (folder / ".venv").symlink_to(sys.prefix)
    use_it = README.split("## Use it", 1)[1].split("## Go live", 1)[0]
    commands, shown = re.findall(r"```\n(.*?)```", use_it, re.DOTALL)[1:3]
    # Beat opens what is due once a minute. Nobody is to wait for that here.
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
            timeout=60,
            check=False,
        )
        assert typed.returncode == 0, typed.stderr
        until("a paid charge", lambda: "paid" in again(folder, "charge", "list").stdout, patience=75)
        listed = again(folder, "charge", "list").stdout
        assert in_outline(listed) == in_outline(shown)
        assert again(folder, "charge", "show", "1").returncode == 0
        healthy(folder)
        said = press_ctrl_c(up)
    assert up.returncode == 0, said
    assert ours_in(folder) == []
    # What was written stays for the next time.
    assert [row["code"] for row in json.loads(again(folder, "plan", "list", "--json").stdout)] == ["letter"]


def in_outline(table: str) -> list[str]:
    """A table without its spaces, and with every subscription code and instant alike."""
    lines = [" ".join(line.split()) for line in table.strip().splitlines()]
    return [re.sub(r"[0-9A-Z]{13}", "CODE", re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "WHEN", line)) for line in lines]


def test_whatever_is_killed_nothing_stays_behind_and_the_next_up_starts(folder: Path):
    with running(folder, *UP, line=RUNNING) as up:
        up.kill()
        until("everything ended", lambda: ours_in(folder) == [], patience=25)
    assert (folder / ".again" / "logs").stat().st_mode & 0o777 == 0o700
    users = folder / ".again" / "postgres" / ".handle_pids.json"
    with subprocess.Popen(["true"]) as ended:
        pass
    users.write_text(json.dumps([ended.pid]))  # as a crash leaves it
    with running(folder, *UP, line=RUNNING) as up:
        next(process for process in processes_in(folder) if process.name() == "valkey-server").kill()
        said, _ = up.communicate(timeout=60)
    assert up.returncode == 4, said
    assert "The embedded Valkey has ended" in said
    assert ours_in(folder) == []


def test_no_command_makes_a_database_in_a_wrong_folder(folder: Path):
    status = again(folder, "status")
    assert status.returncode == 4
    assert "There is no Again database in" in status.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["up", "demo", "migrate"])
def test_a_data_folder_that_cannot_be_made_is_a_sentence(folder: Path, command: str):
    (folder / ".again").write_text("a file")
    ended = again(folder, command)
    assert ended.returncode == 4
    assert "cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    pytest.fail(f"ended without {text!r}: {''.join(lines)}")


def healthy(folder: Path) -> None:
    """Until beat and the worker have been seen, the doctor has something to say."""
    deadline = monotonic() + 90
    findings: list[dict[str, Any]] = []
    while monotonic() < deadline:
        doctor = again(folder, "doctor", "--json")
        findings = json.loads(doctor.stdout)
        if doctor.returncode == 0:
            return
        sleep(1)
    pytest.fail(f"still broken: {[finding for finding in findings if finding['health'] == 'broken']}")
