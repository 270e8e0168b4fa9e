"""A host that learns from events alone what is paid: through a crash of every part, it opens for who has paid."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from tests.support.arrivals import problems
from tests.support.book import Book
from tests.support.events import assert_events_tell_what_happened
from tests.system.faults import empty_broker
from tests.system.faults_servers import freeze, kill, thaw
from tests.system.faults_site import FaultSite, fault_site
from worker.domain.events.types import EventType
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, troubled

TICK_SECONDS = "4"
"""A worker that has only just started on a busy machine must come to its ticks before they expire."""

PATIENCE_SECONDS = 120.0

NOTHING_WAITS = "SELECT NOT EXISTS (SELECT FROM outbox) AND NOT EXISTS (SELECT FROM deliveries)"
"""Every change is an event by now, and every event has arrived."""


@pytest.fixture
def site() -> Iterator[FaultSite]:
    with tempfile.TemporaryDirectory(prefix="again-host-") as name:
        Path(name).chmod(0o711)
        with fault_site(Path(name), AGAIN_TICK_SECONDS=TICK_SECONDS) as site:
            site.book = Book(site.sessions)
            now = datetime.now(UTC)
            site.book.plan(now=now, charge_hour="0")
            site.book.plan("daily", now=now, charge_hour="0", cadence="day", dunning="1")
            site.workers.append(site.add_worker())
            site.beats.append(site.add_beat())
            yield site


def subscribe(site: FaultSite, *story: Behaviour, plan: str = "monthly", days_ago: int = 0) -> str:
    """Make a subscription that is due; returns its code."""
    assert site.book is not None
    now = datetime.now(UTC)
    starts_on = (now + timedelta(hours=9)).date() - timedelta(days=days_ago)
    subscribed = site.book.subscribe(now=now, plan=plan, starts_on=starts_on)
    site.portone.create_key(subscribed.customer_uid, *story)
    return subscribed.code


def test_event_whose_worker_is_killed_before_it_is_deleted_comes_again_with_its_id(site: FaultSite):
    with site.host.held():
        code = subscribe(site, pay())
        site.until(
            "the endpoint has it and has not answered",
            lambda: code in {each.subscription for each in site.host.arrivals()},
            patience=PATIENCE_SECONDS,
        )
        assert site.value("SELECT count(*) FROM deliveries WHERE last_error IS NULL AND attempts > 0") > 0
        kill(site.workers.pop())
    site.workers.append(site.add_worker())
    site.until(
        "it is paid, and all is told",
        lambda: site.statuses() == {"paid": 1} and site.all_is_told(),
        patience=PATIENCE_SECONDS,
    )
    first, second, *later = (each for each in site.host.arrivals() if each.subscription == code)
    assert first.type == EventType.SUBSCRIPTION_CREATED
    assert (second.id, second.position) == (first.id, first.position)
    assert EventType.CHARGE_PAID in {each.type for each in later}
    assert judged(site, faults=1) == []


def judged(site: FaultSite, *, faults: int) -> list[str]:
    return [*problems(site.events(), site.host.arrivals(), faults=faults)]


def kill_worker(site: FaultSite) -> None:
    kill(site.workers.pop())
    site.workers.append(site.add_worker())


def kill_beat(site: FaultSite) -> None:
    kill(site.beats.pop())
    site.beats.append(site.add_beat())


def kill_postgres(site: FaultSite) -> None:
    site.postgres.crash()
    site.postgres.restart()


def kill_hosts_worker(site: FaultSite) -> None:
    site.host.kill("shop")
    site.host.start_worker()


def kill_receiver(site: FaultSite) -> None:
    site.host.kill("receiver")
    site.host.start_receiver()


def test_message_that_dies_with_the_hosts_broker_is_read_again_once_it_is_back(site: FaultSite):
    """As one that a worker was just taking out of it: it is in no queue, and not in the hands of the worker either."""
    first = subscribe(site, pay())
    site.until("the host's worker works", lambda: first in site.host.open_features(), patience=PATIENCE_SECONDS)
    freeze(site.host.parts["shop"])
    code = subscribe(site, pay())
    with redis.Redis.from_url(site.host.broker.url) as broker:
        site.until(
            "all is in its broker",
            lambda: site.statuses() == {"paid": 2} and site.value(NOTHING_WAITS),
            patience=PATIENCE_SECONDS,
        )
        assert broker.delete("celery", "unacked", "unacked_index") > 0
    site.host.kill_broker()
    thaw(site.host.parts["shop"])
    site.until("its feature is open", lambda: code in site.host.open_features(), patience=PATIENCE_SECONDS)


CRASHES: tuple[Callable[[FaultSite], object], ...] = (
    kill_worker,
    kill_beat,
    empty_broker,
    kill_postgres,
    kill_hosts_worker,
    lambda site: site.host.kill_broker(),
    kill_receiver,
)


def test_feature_is_open_for_who_has_paid_through_a_crash_of_every_part(site: FaultSite):
    has_paid: set[str] = set()
    has_not: set[str] = set()
    for crash in CRASHES:
        before = site.newest_request()
        has_paid |= {subscribe(site, pay()), subscribe(site, troubled(Reply.DROP, charged=True), pay())}
        has_not |= {subscribe(site, decline()), subscribe(site, pay(), decline(), plan="daily", days_ago=1)}
        site.until("they are charged", lambda since=before: site.paid_since(since), patience=PATIENCE_SECONDS)  # type: ignore[misc]
        crash(site)
    refunded = subscribe(site, pay())
    site.until("its feature is open", lambda: refunded in site.host.open_features(), patience=PATIENCE_SECONDS)
    cancel(site, refunded)
    site.until(
        "each has paid or was declined", lambda: site.statuses() == ends(len(CRASHES)), patience=PATIENCE_SECONDS
    )
    site.until("all is told", site.all_is_told, patience=PATIENCE_SECONDS)
    assert site.host.open_features() == has_paid
    assert site.host.known_features() == has_paid | has_not | {refunded}
    assert judged(site, faults=len(CRASHES)) == []
    assert_events_tell_what_happened(site.sessions)
    assert set(site.portone.charges().values()) == {1}, "by PortOne's ledger, every period is paid once"


def cancel(site: FaultSite, code: str) -> None:
    """Cancel a subscription for its customer, who gets the money back."""
    words = (
        "subscription",
        "cancel",
        code,
        "--at",
        "now",
        "--refund",
        "all",
        "--yes",
        "--reason",
        "changed their mind",
    )
    settings = site.settings.environment(AGAIN_DATABASE_URL=site.database_url, AGAIN_BROKER_URL=site.broker_url)
    subprocess.run([sys.executable, "-m", "worker.cli", *words], env=settings, check=True, capture_output=True)


def ends(times: int) -> Counter[str]:
    """Return how many charges have which status in the end: those by the day have paid one, and are declined one."""
    return Counter({"paid": 3 * times + 1, "past_due": 2 * times})
