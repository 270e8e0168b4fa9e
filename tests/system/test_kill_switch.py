"""The kill switch under load: no request leaves after `again stop` has returned."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

from tests.system.conftest import Site
from worker.charging import kill_switch
from worker.database import heartbeats
from worker.domain.clock import system_clock
from worker.sandbox.rules.behaviours import pay, slow

CHARGES = 400
IN_FLIGHT = 40  # two children of one worker, each with half of the concurrency limit

# As slow as this, the charges would take half a minute: longer than a command takes on a busy machine. The time-outs
# are long, so that no answer is late.
SLOW = slow(3.0)
PATIENT = {"max_in_flight": IN_FLIGHT // 2, "read_timeout_seconds": 12.0, "quiet_period_seconds": 40.0}


def again(site: Site, *arguments: str) -> str:
    """Run a command as an operator would, and return its output."""
    environment = site.settings.environment(AGAIN_DATABASE_URL=site.database_url, AGAIN_BROKER_URL=site.broker_url)
    command = (sys.executable, "-m", "worker.cli", *arguments)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def heart_beats(site: Site, *, more: int) -> None:
    """Wait until the charging task has logged `count` more signs of life on beat's ticks."""
    seen: set[datetime] = set()

    def alive() -> bool:
        with site.sessions() as session:
            seen.add(heartbeats.last_seen(session)["again.charge"])
        return len(seen) > more

    site.until(f"{more} further pump runs", alive)


def test_requests_stop_leaving_once_again_stop_has_returned(site: Site):
    site.settings = site.settings.model_copy(update=PATIENT)
    kill_switch.set_switch(site.sessions, "all", reason="not yet", stopped_by="test", now=system_clock())
    site.start_beat()
    site.start_worker()
    site.subscribe((CHARGES, (SLOW,)))
    site.until("all are opened", lambda: site.statuses() == {"due": CHARGES})
    kill_switch.start_charging(site.sessions, "all", now=system_clock())
    site.until("the pumps are in full swing", lambda: site.portone.report().again_requests > IN_FLIGHT)

    assert "No call is in flight." in again(site, "stop", "--reason", "drill")
    sent = site.portone.report().again_requests
    assert site.open_attempts()["started"] == 0
    assert IN_FLIGHT < sent < CHARGES  # stopped in the middle of it

    heart_beats(site, more=5)
    assert site.portone.report().again_requests == sent
    assert site.open_attempts()["started"] == 0
    assert site.statuses()["paid"] == site.portone.report().charges == sent

    site.portone.behave(pay())
    again(site, "start")
    site.until("all are paid", lambda: site.statuses() == {"paid": CHARGES})
    assert site.portone.report().again_requests == CHARGES
    assert site.comparison().agrees
