"""One fault run: subscriptions are charged while every part is struck in turn; at the end all records agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tests.support.arrivals import problems
from tests.support.events import assert_events_tell_what_happened
from tests.system import faults_book
from tests.system.faults import Fault, in_order
from tests.system.faults_secrets import assert_nothing_secret_was_printed
from tests.system.faults_site import PASSWORD, FaultSite, actors, fault_site
from worker.devstack.stack import last_lines
from worker.domain.merchant_uid import MerchantUid, parse
from worker.sandbox.switches import Repeat

CHARGES = 2_000
BETWEEN = 15
"""Payments that must move between the recovery from one fault and the next."""

ENOUGH = 90
"""Charges that should be left for each fault still to come."""

MORE = 500
"""Subscriptions that are added when too few charges are left: on a busy machine a recovery takes its time."""

UNFORGIVING = {"repeated_paid": Repeat.ACCEPT, "repeated_failed": Repeat.ACCEPT, "repeated_in_flight": Repeat.ACCEPT}
"""A PortOne that charges whatever it is sent, however often: only our code keeps a period from being paid twice."""


@dataclass(frozen=True, slots=True)
class Struck:
    """One line of the report; all times in seconds. `moved` and `healed` count from the end of the trouble."""

    fault: str
    at: float
    paid: int
    trouble: float
    moved: float
    healed: float


class FaultRun:
    """Strikes a site in the order of a seed, and remembers."""

    def __init__(self, site: FaultSite, seed: int) -> None:
        self.site, self.seed = site, seed
        self.struck: list[Struck] = []
        self.told = ""
        self.total = CHARGES
        self.seconds = 0.0
        self._began = monotonic()

    def go(self) -> None:
        site = self.site
        site.portone.switch(**UNFORGIVING)
        faults_book.fill(site.sessions, site.portone, site.logs.parent, total=CHARGES, now=datetime.now(UTC))
        site.workers += [site.add_worker(), site.add_worker()]
        site.beats += [site.add_beat(), site.add_beat()]
        unruly = site.add_worker(app="tests.system.set_clock")
        self._began = monotonic()
        faults = in_order(self.seed)
        for number, fault in enumerate(faults):
            self._wait_for_payments(BETWEEN, len(faults) - number)
            self._strike(fault, len(faults) - number)
        assert site.claimed_by(actors(unruly)) > 0, "the worker whose clock is wrong has done nothing"
        self._finish()

    def _pace(self, faults_left: int) -> None:
        """Make PortOne slower, and add subscriptions, when too few charges might be left for the faults to come."""
        site = self.site
        scarce = self.total - site.paid() < ENOUGH * faults_left
        if scarce:
            now = datetime.now(UTC)
            faults_book.fill_more(site.sessions, site.portone, site.logs.parent, after=self.total, count=MORE, now=now)
            self.total += MORE
        site.portone.switch(latency_seconds=[1.0, 1.5] if scarce else [0.3, 0.6])

    def _until(self, words: str, reached: Callable[[], bool], faults_left: int) -> None:
        """Wait until something is true; meanwhile the charges must not run out."""

        def looked() -> bool:
            self._pace(faults_left)
            return reached()

        self.site.until(words, looked)

    def _wait_for_payments(self, number: int, faults_left: int) -> None:
        enough = self.site.paid() + number
        self._until(f"{number} payments move", lambda: self.site.paid() >= enough, faults_left)

    def _strike(self, fault: Fault, faults_left: int) -> None:
        site, paid = self.site, self.site.paid()
        site.struck_at = monotonic()
        healed = fault.strike(site)
        at, over, request = site.struck_at, monotonic(), site.newest_request()
        self._until(f"payments move after {fault.words}", lambda: site.paid_since(request), faults_left)
        moved = monotonic()
        self._until(f"recovered from {fault.words}", healed, faults_left)
        done = monotonic()
        self.struck.append(Struck(fault.words, at - self._began, paid, over - at, moved - over, done - over))

    def _finish(self) -> None:
        """End all trouble: PortOne is quick and well, and every charge is settled without help."""
        site = self.site
        site.portone.switch(latency_seconds=[0.01, 0.05])
        faults_book.mend(site.portone, total=CHARGES)
        ends = faults_book.ends(CHARGES) + Counter(paid=self.total - CHARGES)
        site.until("every story has ended", lambda: site.statuses() == ends)
        site.until("everything is told", site.all_is_told)
        self.seconds = monotonic() - self._began

    def judge(self) -> None:
        """Check the promises, on the ledger and in the database."""
        site = self.site
        really = Counter(site.portone.charges().values())
        assert set(really) == {1}, f"charged more than once: {site.portone.report().charged_twice}"
        comparison = site.comparison()
        assert comparison.agrees, comparison
        assert site.open_attempts() == {}
        assert site.said(b"decided otherwise here") == 0, "a look-up was believed that was wrong"
        assert site.value("SELECT count(*) FROM attempts WHERE started_at > clock_timestamp()") == 0
        assert site.value("SELECT count(*) FROM discrepancies WHERE status = 'open'") == 0
        site.until("every invariant holds", lambda: site.value("SELECT count(*) FROM violations") == 0)
        self._judge_what_was_told()
        running = [*site.workers, *site.beats, *site.host.parts.values()]
        ended = [
            f"{part.name} ({part.ended}): {last_lines(part.log, 30)}" for part in running if part.ended is not None
        ]
        assert ended == [], f"ended by itself: {ended}"

    def _judge_what_was_told(self) -> None:
        """Check that the host has learned what has happened, all of it, in order, and no secret."""
        host = self.site.host
        assert_events_tell_what_happened(self.site.sessions)
        arrived = host.arrivals()
        assert [*problems(self.site.events(), arrived, faults=len(self.struck))] == []
        paid = {
            parts.subscription_code
            for uid in self.site.portone.charges()
            if isinstance(parts := parse(uid), MerchantUid)
        }
        assert host.open_features() == paid
        told = " ".join(json.dumps(each.data, ensure_ascii=False) for each in arrived)
        assert [mark for mark in faults_book.MARKS if mark in told] == []
        repeated = len(arrived) - len({each.position for each in arrived})
        self.told = (
            f"{len(arrived):,} messages to the host's endpoint, {repeated:,} of them once more; "
            f"its worker has ended by itself {host.worker_ended} times, and was started again"
        )

    def report(self) -> str:
        """What was struck, when, and how long it took until payments moved and the struck part worked again."""
        head = f"{'at':>6} {'paid':>6}  {'fault':<48} {'trouble':>8} {'payment':>8} {'healed':>8}"
        lines = [
            f"{each.at:>5.1f}s {each.paid:>6,}  {each.fault:<48} {each.trouble:>7.1f}s {each.moved:>7.1f}s "
            f"{each.healed:>7.1f}s"
            for each in self.struck
        ]
        title = (
            f"{self.total:,} charges under {len(self.struck)} faults, seed {self.seed}; two beats and a worker whose "
        )
        end = f"every story ended after {self.seconds:.0f} s; requests to charge: "
        return "\n".join(
            (
                f"\n{title}clock is set by four hours every five seconds, throughout",
                head,
                *lines,
                f"{end}{self.site.portone.report().again_requests:,}",
                self.told,
            )
        )


def tell_run(folder: Path, seed: int) -> str:
    """Do a whole run in a folder, check it, and return its report. Everything that was printed stays in `logs`."""
    with fault_site(folder) as site:
        run = FaultRun(site, seed)
        try:
            run.go()
            run.judge()
        finally:
            print(report := run.report())  # shown with a failure
    assert_nothing_secret_was_printed(folder / "logs", folder / "ledger.sqlite", [*faults_book.MARKS, PASSWORD])
    return report
