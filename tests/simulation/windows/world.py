"""A world in which customers agree, and payment windows can be paid: the page server, the post, and what is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Engine

from tests.simulation.engine import backup
from tests.simulation.engine.database import TABLES as EVERY
from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import Plan, nothing
from tests.simulation.engine.outside import let_a_person_start
from tests.simulation.engine.world import World
from tests.simulation.windows.pages import PageServer, WindowWorker
from worker.checkout import create_link
from worker.database.tables.all_tables import metadata
from worker.sandbox.rules.webhooks import Webhook
from worker.sandbox.store import webhook_rows
from worker.subscriptions import sign_up

TABLES = tuple(
    name
    for name in reversed([each.name for each in metadata.sorted_tables])
    if name not in (*EVERY, "database_identity")
)
"""What windows have of their own, beside the tables of every history: those that refer to others first."""

RESTART_SECONDS = 5.0
HOUR, DAY = 3600.0, 86_400.0
IDLE = 12 * HOUR  # so often reconciliation comes by at least, though nothing seems to be due
WINDOWS_OF_ANY_AGE = 30 * DAY
"""The sandbox's windows live so long here, for no PG publishes how long its own do."""

RULES = {
    "webhook_url": "https://shop.invalid/webhooks",
    # That a merchant_uid which was paid is refused is what windows rest on; how is not published.
    "repeated_paid": "refuse",
}

_SWEPT = """
    INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, finished_at, lease_until)
    VALUES ('daily', false, :now, :now, :now, :now, :now, :now)
"""
_COPY = "; ".join(
    f"CREATE TABLE IF NOT EXISTS backup.{table} (LIKE public.{table}); DELETE FROM backup.{table};"
    f"INSERT INTO backup.{table} SELECT * FROM public.{table}"
    for table in TABLES
)
_PUT_BACK = "; ".join(
    f"DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup.{table}" for table in TABLES
)

# Checkouts are looked at for a whole day, hundreds of times. Here beat lags: soon, then when their windows are over.
_DUE = """
    SELECT (SELECT min(next_charge_at) FROM subscriptions) AS open,
           (SELECT min(next_attempt_at) FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
            JOIN billing_keys k ON k.id = s.billing_key_id
            WHERE k.status = 'active' AND s.status IN ('trialing', 'active', 'past_due')
              AND c.awaits_consent_since IS NULL
              AND NOT EXISTS (SELECT FROM discrepancies d WHERE d.charge_id = c.id AND d.status = 'open')) AS charge,
           least((SELECT min(next_lookup_at) FROM attempts WHERE status = 'unknown'),
                 (SELECT min(lease_until) FROM attempts WHERE status = 'started'),
                 (SELECT min(CASE WHEN lookups < 2 THEN next_lookup_at ELSE greatest(next_lookup_at, window_until) END)
                  FROM checkouts WHERE status = 'opened'),
                 (SELECT min(expires_at) FROM checkouts WHERE status = 'created'),
                 (SELECT min(next_lookup_at) FROM webhooks),
                 (SELECT min(forget_at) FROM billing_keys)) AS reconcile,
           (SELECT min(greatest(until, lease_until)) FROM sweeps WHERE finished_at IS NULL) AS sweep
"""


class WindowWorld(World):
    """A world with customers. `post` gives the delays with which a webhook is delivered: none, one, or several."""

    def __init__(self, engine: Engine, plan: Plan = nothing, *, rules: dict[str, Any] | None = None) -> None:
        super().__init__(engine, plan, rules={**RULES, **(rules or {})}, watched=True)
        self.worker_class = WindowWorker
        self.page_class = PageServer
        self.post: Callable[[Webhook], Sequence[float]] = lambda _: (1.0,)
        self.pauses: list[tuple[str, datetime, datetime | None]] = []
        self.agreed: dict[str, float] = {}  # when each merchant_uid was last agreed to, by a server that told of it
        self.promises: list[
            tuple[str, datetime, int]
        ] = []  # what each subscription was said to be charged with at once
        self.left_behind: set[int] = set()  # billing keys that an operator has replaced: those are theirs to delete
        self.restored: list[tuple[float, float]] = []  # from when to when a lost world has lasted
        self._heard, self._swept, self._looked = 0, 0.0, 0.0
        self._page: PageServer | None = None
        self.sandbox._switches = replace(self.sandbox.switches, window_life_seconds=WINDOWS_OF_ANY_AGE)
        self.sandbox.news = self._announced
        self.change(_SWEPT, now=self.now())

    # --- who is there -----------------------------------------------------------------------------------------------

    @property
    def page(self) -> PageServer:
        """The web process; one that died is started again by the next request."""
        if self._page is None or not self._page.alive:
            self._page = self.page_class(self, f"page{len(self.workers) + 1}")
            self.workers.append(self._page)
        return self._page

    def pumps(self) -> list[WindowWorker]:
        """The workers that take ticks."""
        return [each for each in self.workers if isinstance(each, WindowWorker) and each.alive and not each.frozen]

    # --- the shop ---------------------------------------------------------------------------------------------------

    def pending(self, plan: str = "monthly") -> str:
        """Begin a subscription that waits for its first key."""
        customer = f"pending-{len(self.sql('SELECT FROM subscriptions'))}"
        made = sign_up.subscribe(self.sessions, customer, plan=plan, key=None, max_amount=2_000_000, now=self.now())
        return made.code

    def link(self, subscription: str | None = None, **terms: Any) -> str:
        """Make a link; raises Refused."""
        return create_link(self.sessions, self.settings, subscription=subscription, now=self.now(), **terms).code

    def promise(self, subscription: str, amount: int) -> None:
        """Remember what a page, or a command, has said that a subscription owes now."""
        self.promises.append((subscription, self.now(), amount))

    def charges(self, subscription: str) -> Sequence[Any]:
        sql = "SELECT c.* FROM charges c JOIN subscriptions s ON s.id = c.subscription_id WHERE s.code = :code"
        return self.sql(f"{sql} ORDER BY c.id", code=subscription)

    # --- PortOne's post ---------------------------------------------------------------------------------------------

    def _announced(self) -> None:
        for webhook in webhook_rows.log(self.sandbox.ledger, after=self._heard):
            self._heard = webhook.number
            for seconds in self.post(webhook):
                self.after(seconds, partial(self._deliver, webhook))

    def _deliver(self, webhook: Webhook) -> None:
        self.page.hear(webhook.body)

    # --- time -------------------------------------------------------------------------------------------------------

    def due_in(self) -> dict[str, float]:
        """When each tick finds something to do, in seconds of this world."""
        row = self.sql(_DUE)[0]._mapping
        due = {kind: (at - self.instant(0)).total_seconds() for kind, at in row.items() if at is not None}
        due["sweep"] = min(due.get("sweep", self._swept + DAY), self._swept + DAY)
        due["reconcile"] = min(due.get("reconcile", self._looked + IDLE), self._looked + IDLE)
        return due

    def live(self, *, until: float) -> None:
        """Tick for what is due, let customers do what they have planned, and start again what has died."""
        patience, before = 1.0, None
        while self.time < until:
            due = self.due_in()
            patience = 2 * patience if due == before else 1.0  # due by a clock that is ahead, or held
            before = due
            kinds = [kind for kind, at in due.items() if at <= self.time]
            if kinds:
                self.tick(*kinds)
                self.run_until_idle(until=min(until, self.time + HOUR))
                continue_at = self.time + min(patience, HOUR)
            else:
                continue_at = min(*due.values(), until)
            happening = self.next_happening()
            self.run(until=min(continue_at if happening is None else min(continue_at, happening), until))

    def tick(self, *kinds: str) -> None:
        worker = next(iter(self.pumps()), None) or self.start_worker()
        if "sweep" in kinds and not self.sql("SELECT FROM sweeps WHERE finished_at IS NULL"):
            self._swept = max(self._swept, self.time)
        if "reconcile" in kinds:
            self._looked = self.time
        worker.tick(*kinds)

    # --- backups ----------------------------------------------------------------------------------------------------

    def back_up(self) -> float:
        backup.back_up(self.engine)
        with self.engine.begin() as connection:
            connection.exec_driver_sql(_COPY)
        return self.time

    def put_back(self, since: float) -> None:
        """Put the backup of then in the database's place."""
        backup.put_back(self.engine)
        with self.engine.begin() as connection:
            backup._without_triggers(connection)
            connection.exec_driver_sql(_PUT_BACK)
        let_a_person_start(self)
        self.restored.append((since, self.time))
        self.struck.append(f"{self.now():%m-%d %H:%M:%S} restored")


@contextmanager
def emptied_of_windows(engine: Engine) -> Iterator[None]:
    """Empty the database for a history, and leave nothing in the tables that other histories do not know."""
    with emptied(engine):
        try:
            yield
        finally:
            with engine.begin() as connection:
                backup._without_triggers(connection)
                for table in TABLES:
                    connection.exec_driver_sql(f"DELETE FROM {table}")
