"""Traces: none until they are switched on, and refused where what sends them is not installed."""

from __future__ import annotations

import pytest
import structlog

from tests.support.collector import collecting
from worker.config import tracing
from worker.config.settings import InvalidSettings, Settings


def test_nothing_is_traced_until_traces_are_on():
    with tracing.span("claim", {"attempts": 1}):
        tracing.note(attempts=2)
        assert tracing.origin() is None
        assert tracing.add_trace_id(None, "info", {"event": "it is said"}) == {"event": "it is said"}


def test_traces_are_refused_where_their_packages_are_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)
    with pytest.raises(InvalidSettings, match=r"AGAIN_TRACES: is otlp, .* install again-billing\[otel\]"):
        Settings.from_env({"AGAIN_TRACES": "otlp"})


def test_span_tells_the_name_of_an_error_and_not_its_text(monkeypatch: pytest.MonkeyPatch):
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracing.start()
        with pytest.raises(RuntimeError), tracing.span("call"):
            raise RuntimeError("customer_uid_of_gildong")
        tracing.stop()
        (body,) = collector.bodies
    assert b"RuntimeError" in body
    assert b"gildong" not in body


def test_what_outlives_a_task_keeps_its_name_and_no_run_of_it():
    with structlog.contextvars.bound_contextvars(task="again.charge", task_id="1"):
        kept = tracing.outliving()
        assert structlog.contextvars.get_contextvars()["task_id"] == "1"
    assert kept.run(structlog.contextvars.get_contextvars) == {"task": "again.charge"}
