"""What outlives a restart, a SIGTERM, and a kill -9; and which ledger files are rejected."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.sandbox import Api, SandboxProcess, wait_until
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Reply, decline, pay, slow, troubled
from worker.sandbox.store import layout
from worker.sandbox.store.ledger import Ledger, LedgerUnusable


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SandboxProcess]:
    started = SandboxProcess(tmp_path / "deep" / "down" / "ledger.db")
    yield started
    started.close()


@pytest.fixture
def admin(process: SandboxProcess) -> Iterator[SandboxAdmin]:
    with SandboxAdmin(process.base_url) as admin:
        yield admin


def test_answered_charge_outlives_kill_9(process: SandboxProcess, admin: SandboxAdmin):
    admin.create_key("key")
    answered: set[str] = set()

    def charge_until_killed(worker: int) -> None:
        with Api(process.base_url) as api, contextlib.suppress(httpx.TransportError):
            for number in range(10_000):
                answered.add(api.paid(f"w{worker}m{number}")["merchant_uid"])

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(charge_until_killed, worker) for worker in range(4)]
        wait_until(lambda: len(answered) > 100, "too few charges to kill")
        process.end(signal.SIGKILL)
        for each in running:
            each.result()
    process.start()
    charges = admin.charges()
    assert answered <= set(charges)
    assert len(charges) <= len(answered) + 4, "at most one unanswered charge per caller"
    assert admin.report().charged_twice == {}


def test_keys_stories_switches_and_tokens_outlive_kill_9(process: SandboxProcess, admin: SandboxAdmin):
    admin.create_key("key", decline(times=2), pay())
    admin.switch(repeated_paid="refuse_as_pg")
    with Api(process.base_url) as api:
        seen = [api.again("m1").json()["response"]]
        process.end(signal.SIGKILL)
        process.start()
        seen += [api.again(merchant_uid).json()["response"] for merchant_uid in ("m2", "m3")]
        assert [each["status"] for each in seen] == ["failed", "failed", "paid"]
        assert len({each["imp_uid"] for each in seen}) == 3
        assert api.again("m3").json()["code"] == -1


def test_charge_that_had_not_happened_is_not_made_after_kill_9(process: SandboxProcess, admin: SandboxAdmin):
    admin.create_key("key", slow(3600))
    with Api(process.base_url) as api, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(api.again, "m1")
        wait_until(lambda: admin.requests(merchant_uid="m1"), "the request never arrived")
        process.end(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            waiting.result()
    process.start()
    assert admin.charges() == {}
    assert admin.report().again_results == {"unanswered": 1}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_sandbox_cleanly_and_silently(
    process: SandboxProcess, admin: SandboxAdmin, how: signal.Signals
):
    admin.create_key("key")
    with Api(process.base_url) as api:
        api.paid("m1")
    assert process.end(how) == (0, b"")
    process.start()
    assert admin.charges() == {"m1": 1}


def test_sandbox_prints_nothing_for_any_request(process: SandboxProcess, admin: SandboxAdmin):
    troubles = [troubled(reply, charged=True) for reply in (Reply.DROP, Reply.RESET, Reply.CUT, Reply.ERROR)]
    admin.create_key("key", *troubles, slow(3600), troubled(Reply.HANG, charged=False))
    with Api(process.base_url, timeout_seconds=0.3) as api:
        for number in range(6):
            with contextlib.suppress(httpx.TransportError):
                api.again(f"m{number}")
        half = "POST /subscribe/payments/again HTTP/1.1\r\nHost: s\r\nContent-Length: 50\r\n\r\nhalf"
        for sent in (half, "not even HTTP\r\n\r\n", ""):
            with socket.create_connection(("127.0.0.1", process.port)) as connection:
                connection.sendall(sent.encode())
        assert len(admin.charges()) == 4
        assert process.end(signal.SIGTERM) == (0, b"")


def test_ledger_in_use_by_another_sandbox_is_rejected(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.db")
    with pytest.raises(LedgerUnusable, match="in use by another sandbox"):
        Ledger(tmp_path / "ledger.db")
    ledger.close()
    Ledger(tmp_path / "ledger.db").close()


def test_ledger_of_an_older_version_is_upgraded(tmp_path: Path):
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.executescript(f"{layout.CHARGES} PRAGMA user_version = 1;")
        old.execute("INSERT INTO state VALUES ('seed', 'kept')")
    old.close()
    for _ in range(2):
        ledger = Ledger(tmp_path / "old.db")
        assert ledger.read_state("seed") == "kept"
        assert [ledger.value(f"SELECT count(*) FROM {table}") for table in layout.TABLES] == [1] + [0] * (
            len(layout.TABLES) - 1
        )
        ledger.close()


def test_window_outlives_kill_9(process: SandboxProcess, admin: SandboxAdmin):
    param = {"pg": "payco", "merchant_uid": "m1", "amount": 9900, "customer_uid": "key", "buyer_tel": "010"}
    window_id = admin.open_window(param)["window"]["window_id"]
    process.end(signal.SIGKILL)
    process.start()
    told = admin.decide(window_id)
    process.end(signal.SIGKILL)
    process.start()
    assert admin.decide(window_id) == told
    [key] = admin.keys()
    assert key["customer_uid"] == "key"


def test_ledger_of_a_newer_version_is_not_touched(tmp_path: Path):
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("PRAGMA user_version = 99")
    old.close()
    with pytest.raises(LedgerUnusable, match="another version"):
        Ledger(tmp_path / "old.db")


def test_file_that_is_not_a_ledger_is_not_touched(tmp_path: Path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear ledger," * 100)
    with pytest.raises(LedgerUnusable, match="not a ledger"):
        Ledger(path)
    assert path.read_text() == "Dear ledger," * 100


def test_folder_as_a_ledger_is_rejected(tmp_path: Path):
    with pytest.raises(LedgerUnusable, match=str(tmp_path)):
        Ledger(tmp_path)
