"""A small world: a database, a sandbox over real HTTP, the real tasks, and a clock that is moved by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CursorResult, select, text

from schedules.plans import Plan
from tests.support.book import Book
from tests.support.events import assert_events_tell_what_happened
from tests.support.sandbox import RunningSandbox, running_sandbox
from worker import process, tasks
from worker.changes.request import ChangeRequest, preview_change, request_change
from worker.changes.undo import undo_change
from worker.config.settings import Settings
from worker.database.tables import billing
from worker.database.tables.charges import Attempt, Charge
from worker.domain.changes import ChangeKind, When
from worker.domain.merchant_uid import MerchantUid, parse
from worker.domain.previews import Preview
from worker.ledger.changes import Change
from worker.operations import invariant_results
from worker.process import Process
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour

GAP_SECONDS = str(366 * 86_400)
"""Silence before a hold: longer than the days between two ticks of a story, unless it is about a gap."""


@dataclass
class World:
    """Everything that a story needs, as short methods."""

    runtime: Runtime
    portone: SandboxAdmin
    book: Book
    _clock: list[datetime]

    @property
    def now(self) -> datetime:
        return self._clock[0]

    # --- the book ---------------------------------------------------------------------------------------------------

    def plan(self, code: str = "monthly", **terms: str) -> Plan:
        return self.book.plan(code, now=self.now, **terms)

    def subscribe(
        self, *story: Behaviour, plan: str = "monthly", pg: str = "kakaopay", starts_on: date | None = None
    ) -> str:
        """Register a key with a story at the sandbox, and a subscription on it; returns the subscription's code."""
        subscribed = self.book.subscribe(plan=plan, pg=pg, starts_on=starts_on, now=self.now)
        self.portone.create_key(subscribed.customer_uid, *story, pg=pg)
        return subscribed.code

    # --- what happens -----------------------------------------------------------------------------------------------

    def tick(self) -> dict[str, Any]:
        """Run one tick of each task: apply changes, open, charge, reconcile, maintain checkouts."""
        applied = tasks.apply_changes()
        ticked = {
            "applied": applied,
            "opened": tasks.open_charges(),
            "charged": tasks.charge(),
            "reconciled": tasks.reconcile(),
        }
        tasks.checkout_maintenance()
        return ticked

    def sweep(self) -> dict[str, Any]:
        """Reconcile PortOne's payments with our records, until the current reconciliation has ended."""
        swept: dict[str, Any] = tasks.sweep()
        while swept["ended"] == "time budget spent":
            swept = tasks.sweep()
        return swept

    def discrepancies(self) -> list[tuple[str, str]]:
        """Return the discrepancies as kind and status, in the order in which they were found."""
        return [(row.kind, row.status) for row in self.sql("SELECT kind, status FROM discrepancies ORDER BY id")]

    def changed(self, **settings: Any) -> None:
        """Restart the worker with other settings."""
        self.runtime = replace(self.runtime, settings=self.runtime.settings.model_copy(update=settings))
        self.restart_worker()

    def wait(self, **span: float) -> None:
        self._clock[0] += timedelta(**span)

    def live(self, *, days: int, step: timedelta | None = None) -> None:
        """Let time pass, with a tick after each step: every six hours, or once a day where it is more than a week."""
        step = step or timedelta(hours=6 if days <= 7 else 24)
        end = self.now + timedelta(days=days)
        while self.now < end:
            self._clock[0] += step
            self.tick()

    def restart_worker(self) -> None:
        """Drop everything that a worker process keeps in memory."""
        process.forget()
        process._current = Process(self.runtime)

    # --- what is asked for -------------------------------------------------------------------------------------------

    def change(self, kind: ChangeKind, subject: str | int, when: When | None = None, **parameters: Any) -> Change:
        """Ask for a change of a subscription, by its code, or of a charge, by its id, as it was previewed."""
        preview = self.preview(kind, subject, when, **parameters)
        request = replace(self._request(kind, subject, when, parameters), fingerprint=preview.fingerprint)
        requested = request_change(self.runtime.sessions, request, policy=self.runtime.change_policy, now=self.now)
        return requested.change

    def preview(self, kind: ChangeKind, subject: str | int, when: When | None = None, **parameters: Any) -> Preview:
        """Return what a change would come to."""
        request = self._request(kind, subject, when, parameters)
        return preview_change(self.runtime.sessions, request, policy=self.runtime.change_policy, now=self.now)

    def undo(self, change: Change) -> None:
        undo_change(self.runtime.sessions, change.id, reason="a story", policy=self.runtime.change_policy, now=self.now)

    @staticmethod
    def _request(
        kind: ChangeKind, subject: str | int, when: When | None, parameters: Mapping[str, Any]
    ) -> ChangeRequest:
        about: dict[str, Any] = {"charge": subject} if isinstance(subject, int) else {"subscription": subject}
        return ChangeRequest(kind=kind, when=when, parameters=parameters, reason="a story", **about)

    # --- what is true -----------------------------------------------------------------------------------------------

    def charges(self, subscription: str | None = None) -> list[Charge]:
        query = select(Charge).join(billing.Subscription).order_by(Charge.period_start, Charge.id)
        if subscription is not None:
            query = query.where(billing.Subscription.code == subscription)
        with self.runtime.sessions() as session:
            return list(session.scalars(query))

    def attempts(self) -> list[Attempt]:
        with self.runtime.sessions() as session:
            return list(session.scalars(select(Attempt).order_by(Attempt.id)))

    def subscription(self, code: str) -> billing.Subscription:
        with self.runtime.sessions() as session:
            return session.scalars(select(billing.Subscription).where(billing.Subscription.code == code)).one()

    def statuses(self) -> Counter[str]:
        return Counter(charge.status.value for charge in self.charges())

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        with self.runtime.sessions.begin() as session:
            result = session.execute(text(statement), parameters)
            return list(result) if isinstance(result, CursorResult) and result.returns_rows else []

    def paid_periods(self) -> Counter[tuple[str, datetime]]:
        """Return how often each billing period was really charged, by the sandbox's own ledger."""
        periods: Counter[tuple[str, datetime]] = Counter()
        for merchant_uid, times in self.portone.charges().items():
            parts = parse(merchant_uid)
            assert isinstance(parts, MerchantUid), f"{merchant_uid} is not ours"
            periods[parts.subscription_code, parts.period_start] += times
        return periods

    def assert_books_agree(self) -> None:
        """Check the end of a story: no period is charged twice, and the database agrees with the ledger."""
        really = self.paid_periods()
        assert [period for period, times in really.items() if times > 1] == []
        rows = self.sql("""SELECT s.code, c.period_start FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
                           WHERE c.status = 'paid' AND c.amount > 0""")
        assert {(row.code, row.period_start) for row in rows} == set(really)
        assert self.broken_invariants() == {}

    def assert_money_agrees(self) -> None:
        """Check that what our records say was charged and refunded is what the sandbox's ledger has, to the won."""
        rows = self.sql(
            "SELECT COALESCE(sum(amount), 0), COALESCE(sum(refunded), 0) FROM charges WHERE status = 'paid'"
        )
        report = self.portone.report()
        assert tuple(rows[0]) == (report.charged_krw, report.refunded_krw)

    def broken_invariants(self) -> dict[str, tuple[int, ...]]:
        """Return the invariants that do not hold now, with ids of some rows that violate them."""
        with self.runtime.sessions() as session:
            found = invariant_results.evaluate(session, now=self.now, thresholds=self.runtime.thresholds)
        # Most stories tick without statement reconciliation.
        return {
            each.invariant.name: each.examples for each in found if each.invariant.name != "payments_are_compared_daily"
        }


@pytest.fixture
def sandbox(tmp_path: Path, clock_box: list[datetime]) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path / "ledger.sqlite", clock=lambda: clock_box[0]) as running:
        yield running


@pytest.fixture
def clock_box() -> list[datetime]:
    """The current instant, in a box that the sandbox and the worker share."""
    return [datetime(2026, 1, 5, 3, 0, tzinfo=UTC)]


@pytest.fixture
def world(
    database_url: str,
    sandbox: RunningSandbox,
    clock_box: list[datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    # Celery requires an address when a task is first called, though no message is sent here.
    monkeypatch.setenv("AGAIN_DATABASE_URL", database_url)
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    settings = Settings.from_env(
        {
            "AGAIN_SANDBOX_URL": sandbox.base_url,
            "AGAIN_CONNECT_TIMEOUT_SECONDS": "2",
            "AGAIN_READ_TIMEOUT_SECONDS": "1",
            "AGAIN_SILENCE_BEFORE_HOLD_SECONDS": GAP_SECONDS,
            "AGAIN_SWEEP_REQUESTS_PER_SECOND": "100",
            "AGAIN_SWEEP_DAYS": "3",
        }
    )
    runtime = Runtime.create(settings, database_url, actor="worker scenario", clock=lambda: clock_box[0])
    with runtime.sessions.begin() as session:
        session.execute(text("UPDATE database_identity SET seen_at = :now"), {"now": clock_box[0]})
    process._current = Process(runtime)
    yield World(runtime, sandbox.admin, Book(runtime.sessions), clock_box)
    try:
        assert_events_tell_what_happened(runtime.sessions)
    finally:
        process.forget()
