"""What a process imports before it does anything: what it needs, and nothing heavy besides."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from worker.config.settings import Settings
from worker.devstack.addresses import NOTE
from worker.devstack.servers import Valkey

BEAT = "import worker.app"
STATUS = "import sys; sys.argv = ['again', 'status', '--json']; from worker.cli import main; main()"

LOADED = """
import atexit, sys
atexit.register(lambda: print('loaded:', *(name for name in {names} if name in sys.modules), file=sys.stderr))
{code}
"""

NEVER = ("aiohttp", "alembic", "httpx", "jinja2", "redis.asyncio", "starlette", "uvicorn", "worker.portone")


def loaded(code: str, names: tuple[str, ...], database_url: str, folder: Path) -> list[str]:
    """Run code in a process of its own, and return which of these modules it has imported by its end."""
    settings = Settings.from_env({"AGAIN_DATABASE_URL": database_url, "AGAIN_DATA_DIR": str(folder)})
    ran = subprocess.run(
        [sys.executable, "-c", LOADED.format(names=names, code=code)],
        env=settings.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stderr.partition("loaded:")[2].split()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (BEAT, (*NEVER, "psycopg", "redis", "sqlalchemy", "worker.runtime", "worker.tasks")),
        (STATUS, (*NEVER, "celery", "kombu", "redis", "worker.charging", "worker.checkout", "worker.reconciliation")),
    ],
    ids=["worker.app", "again status"],
)
def test_process_starts_without_what_it_does_not_need(
    code: str, names: tuple[str, ...], database_url: str, tmp_path: Path
):
    assert loaded(code, names, database_url, tmp_path) == []


def test_worker_with_malformed_decline_rules_does_not_start_and_names_the_line(database_url: str, tmp_path: Path):
    """Found as it starts, and not with the first charge that is refused."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nwords = ["한도"]\nkind = "gentle"\n')
    settings = Settings.from_env({"AGAIN_DATABASE_URL": database_url, "AGAIN_DATA_DIR": str(tmp_path)})
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool", "solo"],
        env=settings.environment(AGAIN_DECLINE_RULES=str(rules)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode != 0
    assert f"AGAIN_DECLINE_RULES: {rules}:3: kind is 'gentle', but must be one of soft, hard," in ended.stderr


def test_status_that_finds_a_note_asks_its_broker_without_the_client(database_url: str, tmp_path: Path):
    broker = Valkey(tmp_path / "valkey")
    (tmp_path / NOTE).write_text(json.dumps({"database_url": "", "broker_url": broker.url}))
    try:
        assert loaded(STATUS, ("celery", "redis"), database_url, tmp_path) == []
    finally:
        broker.close()


def test_parent_shares_what_its_children_need_and_starts_no_thread():
    code = """
import gc, sys, threading
import worker.tasks
from worker import process
process.share_with_children()
from worker.database.tables.base import Base
assert gc.get_freeze_count() > 100_000 > gc.get_count()[0]
assert all(mapper.configured for mapper in Base.registry.mappers)
from worker.portone.transport import tls_context
assert tls_context.cache_info().currsize == 1
assert {"httpx", "worker.portone.adapter", "worker.portone.client"} <= sys.modules.keys()
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True)
