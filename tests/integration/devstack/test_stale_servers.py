"""What a crash leaves of an embedded PostgreSQL is cleared away, and no process but its own is ever touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from worker.devstack.addresses import Postgres
from worker.devstack.postmaster import PID_FILE, SOCKET

KILLED_USER = """
import sys, time
from pathlib import Path
from worker.devstack.addresses import Postgres
Postgres(Path(sys.argv[1]))
print("in use", flush=True)
time.sleep(600)
"""


def answers(server: Postgres) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def made(folder: Path) -> Path:
    """A cluster that ran, and was stopped in order."""
    cluster = folder / ".again" / "postgres"
    Postgres(cluster).close()
    return cluster


def pid_file(cluster: Path, pid: int) -> str:
    """What a server writes into its folder."""
    return f"{pid}\n{cluster}\n1780000000\n5432\n{cluster}\n\n  123456  0\nready   \n"


@pytest.fixture(scope="module")
def module_cluster(server_folder: Path) -> Path:
    return made(server_folder / "stale")


def test_stale_pid_of_another_process_ends_no_process(module_cluster: Path, stranger: subprocess.Popen[bytes]):
    (module_cluster / PID_FILE).write_text(pid_file(module_cluster, stranger.pid))
    # The socket's own file has the number too, and PostgreSQL asks only whether any process has it.
    (module_cluster / f"{SOCKET}.lock").write_text(pid_file(module_cluster, stranger.pid))
    server = Postgres(module_cluster)
    assert answers(server)
    server.close()
    assert not server.is_running
    assert stranger.poll() is None


@pytest.mark.parametrize("pid", [1, os.getpid(), -1, 0, 2**40], ids=["init", "us", "negative", "none", "beyond"])
def test_a_stale_pid_of_any_other_process_is_forgotten(module_cluster: Path, pid: int):
    (module_cluster / PID_FILE).write_text(pid_file(module_cluster, pid))
    server = Postgres(module_cluster)
    assert answers(server)
    server.close()


@pytest.mark.parametrize("torn", [b"", b"1\n2\n3\n", b"null\n", b"12 monkeys\n" * 8, b"\xff\x00" * 40, b"\n" * 8])
def test_a_torn_pid_file_is_replaced(module_cluster: Path, torn: bytes):
    (module_cluster / PID_FILE).write_bytes(torn)
    server = Postgres(module_cluster)
    assert answers(server)
    server.close()


def test_a_list_of_users_that_an_older_version_left_torn_means_nothing(module_cluster: Path):
    (module_cluster / ".handle_pids.json").write_text("[12")
    server = Postgres(module_cluster)
    assert answers(server)
    server.close()


def test_a_server_whose_pid_file_is_torn_while_it_runs_is_replaced(module_cluster: Path):
    first = Postgres(module_cluster)
    (module_cluster / PID_FILE).write_text("")
    second = Postgres(module_cluster)
    assert answers(second)
    assert second.pid != first.pid
    first.close()
    second.close()
    assert not second.is_running


def test_killed_server_recovers_what_was_committed(module_cluster: Path):
    server = Postgres(module_cluster)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept (what text)")
    os.kill(server.pid, signal.SIGKILL)
    server.close()
    server = Postgres(module_cluster)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        connection.execute("DROP TABLE kept")
    server.close()


def test_a_server_ends_with_its_last_user_and_not_before(module_cluster: Path):
    first, second = Postgres(module_cluster), Postgres(module_cluster)
    assert first.pid == second.pid
    first.close()
    first.close()  # twice is once
    assert answers(second)
    second.close()
    assert not second.is_running


def test_killed_user_does_not_keep_a_server_running(module_cluster: Path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_USER, str(module_cluster)], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "in use\n"
        server = Postgres(module_cluster)
        user.kill()
    server.close()
    assert not server.is_running


def test_a_folder_of_something_else_is_left_alone(folder: Path):
    cluster = folder / ".again" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "thesis.txt").write_text("important")
    with pytest.raises(RuntimeError, match="something else than a PostgreSQL cluster"):
        Postgres(cluster)
    assert (cluster / "thesis.txt").read_text() == "important"
