"""What a process imports before it does anything: what it needs, and nothing heavy besides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from worker.config.settings import Settings
from worker.database import migrations

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


def test_newest_revision_is_the_head_of_the_migrations():
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert migrations.newest() == script.get_current_head()
    assert {each.revision for each in script.walk_revisions()} == migrations._revisions()
