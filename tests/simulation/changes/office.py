"""A world with a clerk: changes are asked for and previewed, time goes on from one thing that is due to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from tests.simulation.changes.clerk import POLICY, TICKS, Agreement, Answer, Tray, clerk_with
from tests.simulation.engine.faults import Plan, nothing
from tests.simulation.engine.world import World
from worker.changes.request import ChangeRequest, preview_change
from worker.changes.undo import undo_change
from worker.database.tables.billing import BillingKey
from worker.domain.changes import ChangeKind, When
from worker.domain.errors import Refused
from worker.domain.previews import Preview
from worker.domain.states import BillingKeyStatus
from worker.ledger.changes import Change
from worker.sandbox.rules.behaviours import Behaviour
from worker.sandbox.rules.billing_keys import BillingKey as SandboxKey
from worker.sandbox.rules.providers import Instrument, channel
from worker.sandbox.store import key_rows
from worker.subscriptions.key_change import change_key

A_DAY = 86_400.0
AN_HOUR = 3600.0
PG = "kakaopay"
TRIES = 5
RESTART_SECONDS = 5.0

_KEY = """
    SELECT k.customer_uid FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id WHERE s.code = :code
"""
_DUE = """
    SELECT min(at) AS at FROM (
        SELECT next_charge_at AS at FROM subscriptions
        UNION ALL SELECT next_attempt_at FROM charges
        UNION ALL SELECT next_lookup_at FROM attempts WHERE status = 'unknown'
        UNION ALL SELECT lease_until FROM attempts WHERE status = 'started'
        UNION ALL SELECT next_try_at FROM refunds WHERE status NOT IN ('completed', 'refused')
        UNION ALL SELECT effective_at FROM changes WHERE status = 'scheduled' AND waits_for IS NULL) due
    WHERE at > :after
"""
_TABLES = ("subscriptions", "charges", "charge_items", "adjustments", "changes", "refunds", "attempts", "audit")
_EVERYTHING = " || ".join(
    f"coalesce((SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t), '')" for table in _TABLES
)


class Office:
    """The world of one history of changes, with one worker that never fails unless `plan` says so."""

    def __init__(self, engine: Engine, plan: Plan = nothing) -> None:
        self.tray, self._keys = Tray(), 0
        self.world = World(engine, plan)
        self.world.worker_class = clerk_with(self.tray)
        self.world.change("UPDATE database_identity SET identity = current_identity()")  # it was made as a copy

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Run one tick of each task, again by the next worker where one has died of it."""
        self._done(*TICKS)

    def _done(self, *kinds: str) -> None:
        for _ in range(TRIES):
            failed = len(self.world.failed_ticks)
            if not self.world.living():
                self.wait(RESTART_SECONDS)
                self.world.start_worker()
            self.world.living()[-1].tick(*kinds)
            self.world.run_until_idle(until=self.world.time + AN_HOUR)
            if self.world.living() and len(self.world.failed_ticks) == failed:
                return

    def wait(self, seconds: float) -> None:
        """Let time pass without a tick: an outage of ours."""
        self.world.run(until=self.world.time + seconds)

    def live(self, seconds: float) -> None:
        """Let time pass, with a tick whenever something is due, and one at the end."""
        end = self.world.time + seconds
        while (due := self._next_due()) is not None and due < end:
            self.world.run(until=max(due, self.world.time) + 1.0)
            self.tick()
        self.world.run(until=max(end, self.world.time))
        self.tick()

    def _next_due(self) -> float | None:
        at = self.world.sql(_DUE, after=self.world.now())[0].at
        return None if at is None else self.world.since_start(at)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def behave(self, code: str, *story: Behaviour) -> None:
        """Let the key of a subscription do something else from now on."""
        uid = self.world.sql(_KEY, code=code)[0].customer_uid
        key_rows.put(self.world.sandbox.ledger, [_sandbox_key(uid, *story)])

    def make_key(self, *story: Behaviour) -> str:
        """Make a billing key that no subscription has yet, and return its customer_uid."""
        self._keys += 1
        uid, now = f"another-{self._keys}", self.world.now()
        key_rows.put(self.world.sandbox.ledger, [_sandbox_key(uid, *story)])
        with self.world.sessions.begin() as session:
            active = BillingKeyStatus.ACTIVE
            session.add(BillingKey(customer_uid=uid, pg=PG, label="", status=active, status_at=now, created_at=now))
        return uid

    def use_key(self, code: str, uid: str) -> None:
        """Let a subscription be charged by another key. Raises Refused."""
        now, most = self.world.now(), POLICY.max_amount
        change_key(self.world.sessions, code, uid, reason="a new card", max_amount=most, now=now)

    # --- changes ------------------------------------------------------------------------------------------------------

    def request(
        self,
        kind: ChangeKind,
        subject: str | int,
        when: When | None,
        parameters: Mapping[str, Any],
        key: str | None = None,
    ) -> ChangeRequest:
        about: dict[str, Any] = {"charge": subject} if isinstance(subject, int) else {"subscription": subject}
        return ChangeRequest(kind=kind, when=when, parameters=parameters, reason="asked", idempotency_key=key, **about)

    def preview(self, request: ChangeRequest) -> Preview:
        return preview_change(self.world.sessions, request, policy=POLICY, now=self.world.now())

    def ask(self, request: ChangeRequest | Agreement) -> Answer:
        """Ask for a change, as a command does in a process of its own."""
        self.tray.ask(request)
        self._done("ask")
        return self.tray.answered()

    def undo(self, change_id: int) -> None:
        undo_change(self.world.sessions, change_id, reason="undone", policy=POLICY, now=self.world.now())

    def agree(self, change_id: int) -> Change:
        """Write down that a customer has agreed to a change that waits for it. Raises Refused."""
        answer = self.ask(Agreement(change_id))
        if answer.requested is None:
            raise Refused(answer.refused)
        return answer.requested.change

    # --- what there is ------------------------------------------------------------------------------------------------

    def everything(self) -> str:
        """Return a digest of all rows that say what is owed, paid or asked for."""
        return str(self.world.sql(f"SELECT {_EVERYTHING} AS digest")[0].digest)

    def in_days(self, days: int) -> date:
        """Return the day in Seoul so many days from now."""
        return (self.world.now() + timedelta(hours=9, days=days)).date()


def agreed(request: ChangeRequest, preview: Preview) -> ChangeRequest:
    """Return the request for what was previewed, and nothing else."""
    return replace(request, fingerprint=preview.fingerprint)


def _sandbox_key(uid: str, *story: Behaviour) -> SandboxKey:
    return SandboxKey(uid, channel(PG, sandbox=True), Instrument.MONEY, story)
