"""What is there before any database is asked."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from tests.integration.cli.conftest import Again
from worker.doctor.run import CHECKS

HEAVY = ("sqlalchemy", "pydantic", "psycopg", "croniter", "celery", "httpx", "aiohttp", "redis", "alembic", "uvicorn")


def test_help_names_every_command_and_explains_the_exit_codes(again_without_database: Again):
    said = again_without_database("--help").said
    for command in ("migrate", "sandbox", "plan", "key", "subscribe", "subscription", "import", "status", "charge"):
        assert command in said
    for code in range(6):
        assert f"{code} " in said.partition("Exit codes:")[2]


def test_help_of_the_doctor_names_every_check(again_without_database: Again):
    said = again_without_database("doctor", "--help").said
    assert [name for name in CHECKS if name not in said] == []


def test_help_loads_nothing_heavy():
    script = f"import sys, worker.cli.commands; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_module_runs_as_the_command_does():
    asked = subprocess.run(
        [sys.executable, "-m", "worker.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == version("again-billing")


def test_unknown_command_exits_2(again_without_database: Again):
    assert "No such command" in again_without_database("frobnicate", code=2).err


def test_argument_that_is_not_utf_8_exits_2(again_without_database: Again):
    assert "not UTF-8" in again_without_database("subscribe", "\udcff", "--plan", "gold", "--key", 1, code=2).err
