"""Collecting a charge with ten real commands at once, while two real workers pump: it is charged once."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

from sqlalchemy import text

from tests.support.book import Book
from tests.system.conftest import Site
from worker.sandbox.rules.behaviours import decline, pay

COMMANDS = 10
POOR = decline("LACK_BALANCE", "잔액이 부족합니다")


def collect(site: Site, charge: int) -> subprocess.Popen[str]:
    environment = site.settings.environment(AGAIN_DATABASE_URL=site.database_url, AGAIN_BROKER_URL=site.broker_url)
    command = (sys.executable, "-m", "worker.cli", "charge", "collect", str(charge), "--yes", "--json")
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_ten_commands_at_once_beside_two_workers_collect_a_charge_once(site: Site):
    site.book = Book(site.sessions)
    site.book.plan(now=datetime.now(UTC), charge_hour="0", dunning="none")
    site.subscribe((1, (POOR, pay())))
    for name in ("first", "second"):
        site.start_worker(name)
    site.start_beat()
    site.until("it is given up", lambda: site.statuses() == {"uncollectible": 1})
    with site.sessions() as session:
        charge = session.execute(text("SELECT id FROM charges")).scalar_one()

    running = [collect(site, charge) for _ in range(COMMANDS)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in running]

    site.until("it is paid", lambda: site.statuses() == {"paid": 1})
    done = [said for said, code in ended if code == 0]
    refused = [said[1] for said, code in ended if code == 1]
    assert (len(done), len(refused)) == (1, COMMANDS - 1)
    assert all(f"Charge {charge}" in said for said in refused)
    assert site.portone.report().charges == 1
    assert site.comparison().agrees
    with site.sessions() as session:
        assert session.execute(text("SELECT kind, status FROM changes")).all() == [("collect", "applied")]
