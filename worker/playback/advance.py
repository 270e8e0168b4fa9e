"""Advancing the clock: what falls due on the way is done in order, each at its time, by the ticks that always do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import sleep

from worker import ticks
from worker.config.settings import FASTEST_SWEEP
from worker.domain.errors import Refused
from worker.playback import queries
from worker.playback.queries import Coming
from worker.playback.turning import LOOK_SECONDS, clock_now, turn_clock
from worker.process import Process
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin
from worker.ticks import Summarized

Tell = Callable[[datetime, str], None]
"""Is called with how far the clock has come, and what it waits for, if anything."""

STEP = timedelta(hours=6)
"""The clock is turned by no more at once: notices and daily work look for themselves whether they are due."""

MOST_ROUNDS = 1_000
"""Rounds of ticks at one instant; far more than any chain of consequences."""

IN_ORDER: Mapping[str, Callable[[Process], Summarized]] = {
    "sweep": ticks.sweep,  # while one holds charging, nothing else can be done
    "apply_changes": ticks.apply_changes,
    "open_charges": ticks.open_charges,
    "charge": lambda process: process.charge(),
    "reconcile": ticks.reconcile,
    "checkout_maintenance": ticks.checkout_maintenance,
    "refunds": ticks.go_on_with_refunds,
}
"""The ticks that wait for instants, in the order in which one makes work for the next."""

COMES_OF: Mapping[str, str] = {"charge": "open_charges"}
"""What is due at once when another tick has found something to do: nothing has to be asked in between."""

WORK = (
    *("applied", "failed"),
    *("opened", "void", "paid", "ended", "released"),
    *("claimed", "abandoned", "declined", "not_charged"),
    *("done", "webhooks", "deleted_keys", "tried"),
    *("finished", "repaired"),
)
"""What the ticks count that moves something on, and may make more due at once."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What has happened while the clock went from one instant to another: events by type, and what was paid in won."""

    since: datetime
    until: datetime
    events: Mapping[str, int]
    paid: int


COMPARES = "waiting for a worker that compares PortOne's payments with our records"


def player_of(runtime: Runtime, portone: SandboxAdmin, tell: Tell) -> Player:
    """Return a player of this runtime; the caller closes its process."""
    settings = runtime.settings.model_copy(update={"sweep_requests_per_second": FASTEST_SWEEP})
    return Player(Process(replace(runtime, settings=settings), close=lambda: None), portone, tell)


@dataclass(frozen=True, slots=True)
class Player:
    """Plays time with the ticks of one process.

    `alone`: no other process works with this database, so that ticks leave no heartbeats.
    """

    process: Process
    portone: SandboxAdmin
    tell: Tell = lambda _at, _waits: None
    alone: bool = False

    def advance(self, until: datetime) -> Advanced:
        """Advance the clock, and do on the way what falls due. Raises Refused for a time that has passed."""
        runtime = self.process.runtime
        since = clock_now(runtime).now
        if until <= since:
            raise Refused(f"The clock shows {since:%Y-%m-%d %H:%M} UTC: it advances to a later time than that.")
        with runtime.sessions() as session:
            position = queries.last_event(session)
        self._settle(at_step=True)
        stepped_at = runtime.clock()
        while (now := runtime.clock()) < until:
            with runtime.sessions() as session:
                next_at = queries.coming(session, now=now).next_at
            at_step = next_at is None or next_at > stepped_at + STEP
            to = min(until, stepped_at + STEP if at_step else next_at or until)
            self.turn_to(to)
            self._settle(at_step=at_step or to == until)
            stepped_at = to if at_step else stepped_at
        self.process.wait_for_deliveries()
        self._tick("check_invariants", ticks.check_invariants)
        with runtime.sessions() as session:
            happened, paid = queries.happened_since(session, position), queries.paid_since(session, position)
        return Advanced(since, runtime.clock(), happened, paid)

    def turn_to(self, instant: datetime) -> None:
        """Turn the clock on to an instant, unless it shows a later one. Nothing is done on the way."""
        runtime = self.process.runtime
        state = clock_now(runtime)
        if instant > state.now:
            turn_clock(
                runtime,
                self.portone,
                instant - state.real,
                tell=lambda waits: self.tell(runtime.clock(), waits),
                meanwhile=self._do_a_round,
            )
        self.tell(runtime.clock(), "")

    def _settle(self, *, at_step: bool) -> None:
        """Do all that is due by now, and tell others."""
        runtime = self.process.runtime
        if at_step:
            with runtime.sessions() as session:
                every = runtime.statement_policy.every
                sweep_is_due = queries.sweep_is_due(session, now=runtime.clock(), every=every)
            if sweep_is_due:
                self._compare()
            self._tick("notices", ticks.send_due_notices)
        self.do_what_is_due()
        self._publish()

    def do_what_is_due(self) -> datetime | None:
        """Do all that is due by now, and what follows from it at once; return when something will fall due next."""
        before: frozenset[str] | None = None
        next_at: datetime | None = None
        for _ in range(MOST_ROUNDS):
            coming, done = self._do_a_round()
            next_at = coming.next_at
            # The first round may have found that a sweep has to come first.
            if not coming.due or (not done and coming.due == before):
                break
            before = coming.due
        return next_at

    def _compare(self) -> None:
        """Compare PortOne's payments with our records to the end, or wait for the worker that does."""
        runtime = self.process.runtime
        while True:
            self._tick("sweep", ticks.sweep)
            with runtime.sessions() as session:
                if not queries.sweep_goes_on(session):
                    return
            self.tell(runtime.clock(), COMPARES)
            sleep(LOOK_SECONDS)

    def _do_a_round(self) -> tuple[Coming, bool]:
        """Run the ticks whose time has come; return what had come, and whether one has found anything to do."""
        runtime = self.process.runtime
        with runtime.sessions() as session:
            coming = queries.coming(session, now=runtime.clock())
        done: dict[str, bool] = {}
        for name, tick in IN_ORDER.items():
            if name in coming.due or done.get(COMES_OF.get(name, "")):
                done[name] = self._tick(name, tick)
        return coming, any(done.values())

    def _tick(self, task: str, tick: Callable[[Process], Summarized]) -> bool:
        """Run one tick; True when it has found something to do."""
        if not self.alone:
            ticks.begin(self.process, f"again.{task}")
        summary = tick(self.process).summary()
        return any(isinstance(count := summary.get(name), int) and count > 0 for name in WORK)

    def _publish(self) -> None:
        """Publish what has happened, and let the relay deliver it beside what comes next."""
        while self.process.publish().events:
            pass
        self.process.relay()
