"""Every fault that strikes a running system, one at a time. A strike returns when the trouble itself is over.

Nothing here repairs anything: a process that was killed is started again, as any supervisor does, and that is all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import monotonic

from tests.system.faults_servers import family, freeze, kill, thaw
from tests.system.faults_site import FaultSite, actors
from worker.database import heartbeats
from worker.devstack.stack import Part

Healed = Callable[[], bool]

MANY = 15
"""Calls that must have met a trouble of PortOne's before it ends; the book's own stories cause a few as well."""

# Rows that it locked in a transaction stay locked until it thaws; all other work is taken over.
_TAKEN = """
    SELECT clock_timestamp() > :lease_until AND NOT EXISTS (
        SELECT FROM attempts WHERE status = 'started' AND lease_until <= :lease_until FOR UPDATE SKIP LOCKED)
"""

_HOST_FAILS = "SELECT EXISTS (SELECT FROM destinations WHERE name = 'host' AND failures > 0)"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its name and action. The action returns a predicate that is true once the struck part works again."""

    words: str
    strike: Callable[[FaultSite], Healed]


def in_order(seed: int) -> list[Fault]:
    """Return every fault once, in the order of a seed."""
    return Random(seed).sample(FAULTS, len(FAULTS))


# --- workers --------------------------------------------------------------------------------------------------------


def kill_worker(site: FaultSite) -> Healed:
    worker = _busy_worker(site)
    kill(worker)
    site.workers.append(site.add_worker())
    return _charges_again(site, site.workers[-1])


def kill_children(site: FaultSite) -> Healed:
    worker = _busy_worker(site)
    site.workers.append(worker)
    for child in family(worker)[1:]:
        child.kill()
    return _charges_again(site, worker)


def freeze_worker(site: FaultSite) -> Healed:
    """For longer than its lease: by then its attempts are declared abandoned and looked up by others."""
    worker = _busy_worker(site)
    site.workers.append(worker)
    freeze(worker)
    last = site.value("SELECT max(lease_until) FROM attempts WHERE status = 'started'")
    site.until("others have taken its attempts", lambda: site.value(_TAKEN, lease_until=last))
    thaw(worker)
    return _charges_again(site, worker)


def restart_workers(site: FaultSite) -> Healed:
    """A rolling restart: the new ones run before the old ones are asked to end, and those end in order."""
    old, site.workers[:] = site.workers[:], [site.add_worker() for _ in site.workers]
    site.until("the new workers are ready", lambda: all(b" ready." in new.log.read_bytes() for new in site.workers))
    theirs = [actor for worker in old for actor in actors(worker)]
    for worker in old:
        worker.process.terminate()
    site.until("the old workers have ended", lambda: all(worker.ended is not None for worker in old))
    assert [worker.ended for worker in old] == [0] * len(old)
    assert site.open_of(theirs) == 0, "a worker that was asked to end has left calls unsettled"
    return _charges_again(site, site.workers[-1])


# --- beat and the servers -------------------------------------------------------------------------------------------


def kill_beat(site: FaultSite) -> Healed:
    kill(site.beats.pop(0))
    site.beats.append(site.add_beat())
    return _ticks_again(site)


def kill_both_beats(site: FaultSite) -> Healed:
    for beat in site.beats:
        kill(beat)
    site.beats[:] = [site.add_beat() for _ in site.beats]
    return _ticks_again(site)


def empty_broker(site: FaultSite) -> Healed:
    site.broker.kill()
    site.broker.restart()
    return _ticks_again(site)


def crash_database(site: FaultSite) -> Healed:
    """Crash the database, and keep it down until a write-back has failed."""
    before = site.said(b"write-back failed")
    site.postgres.crash()
    site.until("an answer could not be written back", lambda: site.said(b"write-back failed") > before)
    site.postgres.restart()
    return _ticks_again(site)


# --- PortOne --------------------------------------------------------------------------------------------------------


def freeze_sandbox(site: FaultSite) -> Healed:
    """The kernel accepts requests that no process reads; they are charged when it thaws, after their clients left."""
    before = site.newest_audit()
    freeze(site.sandbox.part)
    site.until("calls have timed out", lambda: site.noted("timeout", before) >= MANY)
    thaw(site.sandbox.part)
    return _at_once


def hang_sandbox(site: FaultSite) -> Healed:
    before = site.newest_audit()
    site.portone.switch(outage="hang")
    site.until("calls have timed out", lambda: site.noted("timeout", before) >= MANY)
    site.portone.switch(outage="none")
    return _at_once


def kill_sandbox(site: FaultSite) -> Healed:
    before = site.newest_audit()
    site.sandbox.kill()
    site.until("nobody gets a connection", lambda: site.noted("connect_failed", before) >= MANY)
    site.sandbox.restart()
    return _at_once


# --- the host -------------------------------------------------------------------------------------------------------


def kill_hosts_worker(site: FaultSite) -> Healed:
    site.host.kill("shop")
    site.host.start_worker()
    return _host_learns_again(site)


def kill_hosts_broker(site: FaultSite) -> Healed:
    site.host.kill_broker()
    return _host_learns_again(site)


def kill_receiver(site: FaultSite) -> Healed:
    site.host.kill("receiver")
    site.until("a delivery has failed", lambda: site.value(_HOST_FAILS))
    site.host.start_receiver()
    heard = site.host.heard()
    return lambda: site.host.heard() > heard


FAULTS = (
    Fault("kill -9 of a worker, main process and children", kill_worker),
    Fault("kill -9 of a worker's children", kill_children),
    Fault("SIGSTOP of a worker beyond its lease, SIGCONT", freeze_worker),
    Fault("rolling restart of the workers with SIGTERM", restart_workers),
    Fault("kill -9 of one beat of two", kill_beat),
    Fault("kill -9 of both beats", kill_both_beats),
    Fault("kill -9 of Valkey, restarted empty", empty_broker),
    Fault("pg_ctl stop -m immediate of PostgreSQL", crash_database),
    Fault("SIGSTOP of PortOne (sandbox), SIGCONT", freeze_sandbox),
    Fault("PortOne (sandbox) hangs", hang_sandbox),
    Fault("kill -9 of PortOne (sandbox)", kill_sandbox),
    Fault("kill -9 of the host's Celery worker", kill_hosts_worker),
    Fault("kill -9 of the host's broker, which keeps", kill_hosts_broker),
    Fault("kill -9 of the host's endpoint", kill_receiver),
)


def _busy_worker(site: FaultSite) -> Part:
    """Take the oldest worker off the list, with calls in flight."""
    worker = site.workers.pop(0)
    theirs = actors(worker)
    site.until("it has calls in flight", lambda: site.open_of(theirs) > 0)
    site.struck_at = monotonic()
    return worker


def _charges_again(site: FaultSite, worker: Part) -> Healed:
    """The worker, in whatever processes it has now, claims again."""
    after = site.last_claim()
    return lambda: site.claimed_by(actors(worker), after) > 0


def _ticks_again(site: FaultSite) -> Healed:
    """A tick of beat has come through the broker and a worker to the database."""
    struck_at = site.value("SELECT clock_timestamp()")

    def healed() -> bool:
        with site.sessions() as session:
            return bool(heartbeats.last_seen(session)[heartbeats.BEAT] > struck_at)

    return healed


def _host_learns_again(site: FaultSite) -> Healed:
    """Its worker works off events that it had not."""
    seen = len(site.host.seen())
    return lambda: len(site.host.seen()) > seen


def _at_once() -> bool:
    """Payments moving is all there is to see."""
    return True
