"""Metrics over HTTP while real processes charge, are killed and come back: nothing goes back, nothing counts twice."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from itertools import pairwise

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.system.conftest import Site
from worker.devstack.stack import Part, start_part, wait_for
from worker.devstack.stack import free_port as free
from worker.sandbox.rules.behaviours import pay, slow

COUNT = 300


def start_metrics(site: Site) -> Part:
    port = free(0)
    environment = site.settings.environment(AGAIN_DATABASE_URL=site.database_url)
    command = (sys.executable, "-m", "worker.cli", "metrics", "serve", "--port", str(port))
    part = start_part("metrics", command, environment, site.logs, url=f"http://127.0.0.1:{port}")
    site.parts.append(part)
    wait_for(part, "/health")
    return part


def scraped(part: Part) -> Counter[str]:
    """Return the sums of all counters, by name, as one scrape has them."""
    response = httpx.get(f"{part.url}/metrics", trust_env=False, timeout=30)
    assert response.status_code == 200
    totals: Counter[str] = Counter()
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            if family.type == "counter" or sample.name.endswith("_count"):
                totals[sample.name] += int(sample.value)
    return totals


def test_totals_never_go_back_nor_double_when_worker_children_are_killed(site: Site):
    count = site.subscribe((COUNT // 2, (pay(),)), (COUNT // 2, (slow(0.5),)))
    metrics = start_metrics(site)
    worker = site.start_worker()
    site.until("the worker is ready", lambda: " ready." in worker.log.read_text())
    site.start_beat()
    seen: list[Counter[str]] = []
    killed: set[int] = set()

    def all_paid() -> bool:
        seen.append(scraped(metrics))
        paid = site.statuses()["paid"]
        children = psutil.Process(worker.process.pid).children()
        if len(killed) < 2 and children and paid > COUNT // 10 * (1 + 3 * len(killed)):
            killed.add(children[0].pid)
            children[0].send_signal(signal.SIGKILL)
        return paid == count and not site.open_attempts()

    site.until("all are paid", all_paid, patience=120)
    assert killed, "a process was killed while it worked"
    site.until("all are told", lambda: scraped(metrics)["again_charges_paid_total"] >= count, patience=30)
    seen.append(scraped(metrics))
    for before, after in pairwise(seen):
        assert all(after[name] >= total for name, total in before.items()), "a total never goes back"
    assert seen[-1]["again_charges_paid_total"] == count
    assert seen[-1]["again_charges_paid_won_total"] == count * 9900
    assert 0 < seen[-1]["again_call_seconds_count"] <= site.portone.report().again_requests
    assert site.comparison().agrees


def test_metrics_server_has_the_metrics_and_nothing_else(site: Site):
    metrics = start_metrics(site)
    listening = {each.laddr.ip for each in psutil.Process(metrics.process.pid).net_connections("tcp")}
    assert listening == {"127.0.0.1"}
    assert httpx.get(f"{metrics.url}/metrics", headers={"accept": "text/html"}, trust_env=False).status_code == 200
    for path in ("/", "/c/anything", "/webhooks/portone"):
        assert httpx.get(f"{metrics.url}{path}", trust_env=False).status_code == 404
