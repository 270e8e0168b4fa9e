"""A shop for tests: a database, a sandbox, and the checkout pages over real HTTP, with a clock moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
from sqlalchemy import CursorResult, text

from tests.support.book import Book
from tests.support.sandbox import HandClock, RunningSandbox, running_sandbox
from worker import checkout, process, tasks
from worker.checkout import CheckoutLink
from worker.config.settings import Settings
from worker.domain.clock import system_clock
from worker.domain.merchant_uid import parse
from worker.domain.states import CheckoutPurpose
from worker.process import Process
from worker.runtime import Runtime
from worker.subscriptions import sign_up
from worker.web.app import create_app
from worker.web.http.server import Server
from worker.web.link_secret import link_secret
from worker.web.link_signing import LinkSigner

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # a Monday, 10 in the morning in Seoul
PATIENCE_SECONDS = 60.0


class RunningPages:
    """The checkout pages on a free port, served on a thread of this process."""

    def __init__(self, runtime: Runtime) -> None:
        self._server = Server(create_app(runtime), host="127.0.0.1", port=0)
        self.url = self._server.url
        self._thread = threading.Thread(target=self._server.serve_until_stopped, name="pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the pages did not stop"


@dataclass
class Shop:
    """A merchant's shop, with the actions that tests need."""

    runtime: Runtime
    sandbox: RunningSandbox
    clock: HandClock
    pages: RunningPages
    book: Book
    # Ticks run on a thread of their own: this one may belong to a browser's event loop.
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    @property
    def now(self) -> datetime:
        return self.clock.now

    def http(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.pages.url, trust_env=False, verify=False, timeout=PATIENCE_SECONDS, **options)

    def pending(self, plan: str = "letter", customer: str = "customer-1", **terms: str) -> str:
        """Subscribe a customer who has no key yet; returns the subscription's code."""
        if not self.sql("SELECT 1 FROM plans WHERE code = :plan", plan=plan):
            self.book.plan(plan, now=self.now, **{"name": "아침 편지", **terms})
        subscribed = sign_up.subscribe(
            self.runtime.sessions, customer, plan=plan, key=None, max_amount=2_000_000, now=self.now
        )
        return subscribed.code

    # --- links ------------------------------------------------------------------------------------------------------

    def link(
        self,
        subscription: str | None = None,
        *,
        charge: int | None = None,
        purpose: CheckoutPurpose | None = None,
        pg: str | None = None,
        with_payment: bool = False,
    ) -> str:
        """Make a link and return its path."""
        made = checkout.create_link(
            self.runtime.sessions,
            self.runtime.settings,
            subscription=subscription,
            charge=charge,
            purpose=purpose,
            pg=pg,
            with_payment=with_payment,
            now=self.now,
        )
        return f"/c/{self.signer.token(CheckoutLink(made.code, made.expires_at))}"

    @property
    def signer(self) -> LinkSigner:
        return LinkSigner(link_secret(self.runtime.settings))

    # --- what happens -----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Run one tick of each task: open, charge, reconcile, maintain checkouts."""
        for task in (tasks.open_charges, tasks.charge, tasks.reconcile, tasks.checkout_maintenance):
            self._thread.submit(task).result()

    def wait(self, **span: float) -> None:
        self.clock.now += timedelta(**span)

    def open_today(self) -> None:
        """Set the clock to the real time, for tests with another process, which reads that."""
        self.clock.now = system_clock()
        self.sql("UPDATE database_identity SET seen_at = :now", now=self.now)

    # --- what is true -----------------------------------------------------------------------------------------------

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        with self.runtime.sessions.begin() as session:
            result = session.execute(text(statement), parameters)
            return list(result) if isinstance(result, CursorResult) and result.returns_rows else []

    def one(self, statement: str, **parameters: Any) -> Any:
        ((value,),) = self.sql(statement, **parameters)
        return value

    def paid_on_the_ledger(self) -> list[tuple[str, datetime]]:
        """Return the real payments by period, from the sandbox's own ledger; fails on a period paid twice."""
        charged = self.sandbox.admin.charges()
        periods = [parts for uid in charged if (parts := parse(uid)) is not None]
        paid = sorted((each.subscription_code, each.period_start) for each in periods)
        assert len(paid) == len(set(paid)) == sum(charged[uid] for uid in charged if parse(uid) is not None)
        return paid

    def until(self, reached: Callable[[], bool], otherwise: str) -> None:
        """Poll until something is true."""
        deadline = monotonic() + PATIENCE_SECONDS
        while not reached():
            assert monotonic() < deadline, otherwise
            sleep(0.02)

    def close(self) -> None:
        self.pages.stop()
        self._thread.submit(process.forget).result()
        self._thread.shutdown()


@contextmanager
def running_shop(database_url: str, folder: Path, **environ: str) -> Iterator[Shop]:
    """Open a shop on a migrated, empty database."""
    clock = HandClock(START)
    with running_sandbox(folder / "ledger.sqlite", clock=clock) as sandbox:
        settings = Settings.from_env(
            {
                "AGAIN_SANDBOX_URL": sandbox.base_url,
                "AGAIN_DATA_DIR": str(folder),
                "AGAIN_CONNECT_TIMEOUT_SECONDS": "2",
                "AGAIN_READ_TIMEOUT_SECONDS": "5",
                "AGAIN_SILENCE_BEFORE_HOLD_SECONDS": str(366 * 86_400),
                "AGAIN_COMPANY_NAME": "아침편지 주식회사",
                "AGAIN_COMPANY_CONTACT": "help@letter.example",
                **environ,
            }
        )
        runtime = Runtime.create(settings, database_url, actor="shop", clock=clock)
        with runtime.sessions.begin() as session:
            session.execute(text("UPDATE database_identity SET seen_at = :now"), {"now": clock.now})
        shop = Shop(runtime, sandbox, clock, RunningPages(runtime), Book(runtime.sessions))
        shop._thread.submit(_work_as, runtime).result()
        try:
            yield shop
        finally:
            shop.close()


def _work_as(runtime: Runtime) -> None:
    process._current = Process(runtime)
