"""The real application on a real database and a sandbox, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.checkout import Shop, running_shop
from tests.support.hosts import HOSTS, Host, running_host


@pytest.fixture
def shop(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("AGAIN_DATABASE_URL", database_url)
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    with running_shop(database_url, tmp_path) as shop:
        yield shop


@pytest.fixture
def http(shop: Shop) -> Iterator[httpx.Client]:
    with shop.http() as client:
        yield client


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with running_host(request.param, shop, monkeypatch) as host:
        yield host
