"""What keeps a host from starting is a sentence, and nothing is left open by it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from worker import HostCheckout
from worker.config.settings import InvalidSettings
from worker.devstack.addresses import NotAvailable, Postgres
from worker.domain.errors import Refused

LIVE = {
    "AGAIN_PORTONE_KEY": "k" * 16,
    "AGAIN_PORTONE_SECRET": "s" * 80,
    "AGAIN_CHECKOUT_SECRET": "0123456789abcdef" * 2,
    "AGAIN_CHECKOUT_URL": "https://shop.example.com",
}


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgres.url.replace("/again?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres.url.replace("/again?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name}")  # fails while a connection is open


def test_database_without_tables_is_reported_with_the_command(empty_database: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGAIN_DATABASE_URL", empty_database)
    with pytest.raises(NotAvailable, match="run `again migrate`"):
        HostCheckout.from_env(actor="shop")


def test_folder_without_a_database_is_reported_and_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGAIN_DATA_DIR", str(tmp_path))
    with pytest.raises(NotAvailable, match="There is no Again database"):
        HostCheckout.from_env(actor="shop")
    assert list(tmp_path.iterdir()) == []


def test_live_host_needs_the_merchant_code(database_url: str, monkeypatch: pytest.MonkeyPatch):
    for name, value in {**LIVE, "AGAIN_DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match="AGAIN_IMP_CODE"):
        HostCheckout.from_env(actor="shop")
    monkeypatch.setenv("AGAIN_IMP_CODE", "imp12345678")
    host = HostCheckout.from_env(actor="shop")
    assert (host.merchant_code, host.script_url) == ("imp12345678", "https://cdn.iamport.kr/v1/iamport.js")

    async def strange_webhook() -> None:
        fields = {"imp_uid": "imp_1", "merchant_uid": "order-1", "status": "paid"}
        with pytest.raises(Refused, match="not taken from this address"):
            await host.receive_webhook(fields, peer="127.0.0.1")  # neither a proxy nor PortOne
        assert await host.subscriptions_of("nobody") == ()
        await host.close()

    asyncio.run(strange_webhook())


NEVER_CLOSED = """
import asyncio
from worker import HostCheckout
host = HostCheckout.from_env(actor="shop")
print(asyncio.run(host.subscriptions_of("nobody")))
fields = {"imp_uid": "imp_1", "merchant_uid": "order-1", "status": "paid"}
print(asyncio.run(host.receive_webhook(fields, peer="127.0.0.1")))
"""


def test_host_that_never_closes_ends_without_output(database_url: str):
    """Synchronous frameworks say nothing to an application when its process ends."""
    environ = {**os.environ, "AGAIN_DATABASE_URL": database_url}
    ended = subprocess.run(
        [sys.executable, "-c", NEVER_CLOSED], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "()\nTrue\n", "")
