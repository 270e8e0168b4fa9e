"""Celery's configuration: lost, repeated or late messages do no harm, and no pump run is cut in half."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads, prepare_accept_content

from schedules.beat import beat_table
from worker.app import QUEUE, app, configuration
from worker.charging.run_limits import RunLimits, run_limits
from worker.config.settings import Settings
from worker.config.task_limits import task_time_limit, visibility_timeout


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("AGAIN_DATABASE_URL", "postgresql://nobody@localhost/none")
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    return configuration()


def test_messages_are_json_acknowledged_late_and_leave_no_results(configured: dict[str, object]):
    assert configured["accept_content"] == configured["result_accept_content"] == ["json"]
    assert configured["task_serializer"] == configured["event_serializer"] == "json"
    assert configured["task_acks_late"] is True
    assert configured["task_reject_on_worker_lost"] is True
    assert configured["result_backend"] is None
    assert configured["task_default_queue"] == QUEUE


@pytest.mark.parametrize(
    "content_type",
    ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "text/plain"],
)
def test_message_in_another_format_is_rejected_before_it_is_read(configured: dict[str, list[str]], content_type: str):
    accepted = prepare_accept_content(configured["accept_content"])
    with pytest.raises(ContentDisallowed):
        loads(b"never read", content_type, "binary", accept=accepted)
    assert loads(b"[]", "application/json", "utf-8", accept=accepted) == []


def test_soft_shutdown_waits_for_calls_in_flight_though_no_task_runs(configured: dict[str, object]):
    assert configured["worker_enable_soft_shutdown_on_idle"] is True
    assert configured["worker_soft_shutdown_timeout"] == task_time_limit(Settings.from_env()).total_seconds()


def test_half_open_broker_connection_is_noticed(configured: dict[str, object]):
    options = configured["broker_transport_options"]
    assert isinstance(options, dict)
    assert options["socket_timeout"] == 5
    assert options["health_check_interval"] == 5
    assert options["visibility_timeout"] == configured["visibility_timeout"]


def test_ticks_name_existing_tasks_and_expire(configured: dict[str, object], monkeypatch):
    schedule = configured["beat_schedule"]
    assert isinstance(schedule, dict)
    assert {name: entry["task"] for name, entry in schedule.items()} == {each.task: each.task for each in beat_table()}
    app.loader.import_default_modules()  # as a worker does when it starts
    assert {entry.task for entry in beat_table()} <= app.tasks.keys()
    assert all(entry["options"]["expires"] > 0 for entry in schedule.values())


def test_tasks_take_no_argument(configured: dict[str, object]):
    app.loader.import_default_modules()
    for entry in beat_table():
        assert list(inspect.signature(app.tasks[entry.task].run).parameters) == []


EXTREMES = [
    {},
    {"AGAIN_PUMP_SECONDS": "600"},
    {"AGAIN_READ_TIMEOUT_SECONDS": "300", "AGAIN_QUIET_PERIOD_SECONDS": "7200"},
    {"AGAIN_WRITE_BACK_SECONDS": "120"},
    {"AGAIN_CONNECT_TIMEOUT_SECONDS": "60"},
]


@pytest.mark.parametrize("variables", EXTREMES, ids=str)
def test_time_limit_is_longer_than_any_pump_run(variables: dict[str, str]):
    settings = Settings.from_env(variables)
    limits: RunLimits = run_limits(settings)
    longest = limits.budget + limits.send_within + settings.call_deadline + limits.send_within
    assert task_time_limit(settings) >= longest
    assert timedelta(seconds=visibility_timeout(settings)) > task_time_limit(settings)
