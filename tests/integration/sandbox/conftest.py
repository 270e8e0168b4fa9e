"""One running sandbox for all tests of this folder, emptied before each; tests that restart it start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sandbox import Api, RunningSandbox, running_sandbox
from worker.sandbox.http.client import SandboxAdmin


@pytest.fixture(scope="session")
def _shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(_shared_sandbox: RunningSandbox) -> RunningSandbox:
    _shared_sandbox.admin.reset()
    return _shared_sandbox


@pytest.fixture
def admin(sandbox: RunningSandbox) -> SandboxAdmin:
    return sandbox.admin


@pytest.fixture
def api(sandbox: RunningSandbox) -> Iterator[Api]:
    with Api(sandbox.base_url) as client:
        yield client
