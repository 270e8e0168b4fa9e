"""What a host imports from `worker` is there, and importing a part of it brings nothing of the web along."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import worker

IMPORTED = (
    "import sys, {module}; print(*(name for name in sys.modules if name.startswith('worker.') or name in {heavy}))"
)
HEAVY = {"starlette", "sqlalchemy", "httpx", "celery"}


@pytest.mark.parametrize("name", worker.__all__)
def test_public_name_is_found_in_its_module(name: str):
    assert getattr(worker, name) is getattr(import_module(worker._MODULE_OF[name]), name)
    assert name in dir(worker)


def test_public_names_and_their_modules_are_the_same():
    assert sorted(worker._MODULE_OF) == worker.__all__


def test_unknown_name_raises_attribute_error():
    name = "HostDesk"
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(worker, name)


def test_importing_the_domain_imports_no_web_and_no_database():
    code = IMPORTED.format(module="worker.domain.states", heavy=HEAVY)
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {"worker.domain", "worker.domain.states"}
