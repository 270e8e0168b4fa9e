"""Traces and log lines of real processes: what one charge went through, and nothing secret in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.collector import Collector, collecting
from tests.system.conftest import Site
from worker.sandbox.rules.behaviours import decline, pay

PAID, DECLINED = 20, 3

NOTHING_LISTENS = "http://127.0.0.1:9"


def traced(site: Site, collector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is started from here on send its spans to a collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
    site.settings = site.settings.model_copy(update={"traces": "otlp"})


def lines(log: Path) -> list[dict[str, Any]]:
    """Return the lines that are ours; a worker's banner is none."""
    return [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]


def customer_uids(site: Site) -> list[str]:
    with site.sessions() as session:
        return list(session.scalars(text("SELECT customer_uid FROM billing_keys")))


def test_charge_can_be_followed_by_its_spans_and_by_its_lines(site: Site, monkeypatch: pytest.MonkeyPatch):
    with collecting() as collector:
        traced(site, collector.url, monkeypatch)
        site.subscribe((PAID, (pay(),)), (DECLINED, (decline(),)))
        site.start_beat()
        worker = site.start_worker()
        site.until("all are charged", lambda: site.statuses() == {"paid": PAID, "past_due": DECLINED})
        site.until("their events are written", lambda: bool(collector.named("publish")))
        site.stop()
    logged = lines(worker.log)
    spans_lead_from_a_tick_to_its_calls(collector)
    each_attempt_has_a_line_with_its_trace(site, collector, logged)
    assert [line for line in logged if "task" not in line and is_ours(line)] == []
    for customer_uid in customer_uids(site):
        assert customer_uid not in worker.log.read_text("utf-8")
        assert all(customer_uid.encode() not in body for body in collector.bodies)
    assert site.comparison().agrees
    assert site.portone.report().charges == PAID


def spans_lead_from_a_tick_to_its_calls(collector: Collector) -> None:
    spans = {span.id: span for span in collector.spans}
    assert {span.service for span in spans.values()} == {"again"}
    calls, written = collector.named("call"), collector.named("write back")
    assert len({span.attributes["again.merchant_uid"] for span in calls}) == len(calls) == PAID + DECLINED
    assert {spans[span.parent].name for span in calls} == {"again.charge"}
    assert {spans[span.parent].name for span in collector.named("claim")} == {"again.charge"}
    assert {spans[span.parent].name for span in collector.named("publish")} == {"again.relay"}
    assert sum(span.attributes["again.attempts"] for span in written) == PAID + DECLINED
    assert {trace for span in written for trace in span.links} == {span.trace for span in calls}


def each_attempt_has_a_line_with_its_trace(site: Site, collector: Collector, logged: list[dict[str, Any]]) -> None:
    settled = [line for line in logged if line["event"] == "attempt settled"]
    with site.sessions() as session:
        attempts = session.execute(text("SELECT merchant_uid, status, decline_kind, code FROM attempts")).all()
    assert {(line["merchant_uid"], line["outcome"], line.get("kind"), line.get("code")) for line in settled} == {
        tuple(row) for row in attempts
    }
    assert len(settled) == PAID + DECLINED
    assert {(line["pg"], line["task"]) for line in settled} == {("kakaopay", "again.charge")}
    assert {line["trace_id"] for line in settled} == {span.trace for span in collector.named("write back")}


def is_ours(line: dict[str, Any]) -> bool:
    """Return False for what Celery says of its worker and of tasks, each by its name, and of ticks handed back."""
    return re.match(r"Task |.*(Connected|ready|Warm|mingle|sync|Requeuing)", line["event"]) is None


def test_collector_that_is_gone_holds_up_no_charge_and_no_end(site: Site, monkeypatch: pytest.MonkeyPatch):
    traced(site, NOTHING_LISTENS, monkeypatch)
    site.subscribe((PAID, (pay(),)))
    site.start_beat()
    worker = site.start_worker()
    site.until("all are paid", lambda: site.statuses() == {"paid": PAID})
    worker.stop(patience=20)
    assert worker.process.returncode == 0
    assert site.comparison().agrees
    assert site.portone.report().charges == PAID
