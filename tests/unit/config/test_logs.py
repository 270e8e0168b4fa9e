"""Log lines: one form for ours and Celery's, a host's own settings in its process, and never a local variable."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest
import structlog

from worker.config.logs import configure_logs, keep_out_of_logs, log_through_the_host


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["in a file", "on a terminal"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream: io.StringIO = request.param()
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs("DEBUG")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail(customer_uid: str) -> None:
    raise RuntimeError("it broke")


# Celery logs a task's failure through logging, with exc_info; ours goes through structlog.
@pytest.mark.parametrize("log", [logging.getLogger("celery.app.trace"), structlog.get_logger()], ids=["celery", "ours"])
def test_a_traceback_shows_lines_and_no_local_variables(written: io.StringIO, log):
    customer_uid = "customer_uid" + "_of_gildong"
    try:
        fail(customer_uid)
    except RuntimeError:
        log.exception("the task failed")
    assert "it broke" in written.getvalue()
    assert "in fail" in written.getvalue()
    assert customer_uid not in written.getvalue()


def test_libraries_that_name_addresses_are_quiet_even_when_everything_is_logged(written: io.StringIO):
    for name in ("httpx", "aiohttp.client", "sqlalchemy.engine", "httpcore.http11"):
        logging.getLogger(name).info("GET /subscribe/customers/customer_uid_of_gildong")
    assert written.getvalue() == ""


def test_httpx_logs_the_hosts_requests_and_none_of_ours(caplog: pytest.LogCaptureFixture):
    keep_out_of_logs("https://portone.test")
    keep_out_of_logs("https://portone.test")
    caplog.set_level(logging.DEBUG, logger="httpx")
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as http:
        http.get("https://portone.test/subscribe/customers/gildong_0001_1234")
        http.get("https://weather.test/today")
    assert "gildong_0001_1234" not in caplog.text
    assert "https://weather.test/today" in caplog.text


def test_our_lines_go_where_the_hosts_go_and_show_no_local_variables(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    log_through_the_host()
    customer_uid = "gildong_0001_1234"
    try:
        int("none")
    except ValueError:
        structlog.get_logger().exception("a webhook could not be looked up", times=2)
    (line,) = caplog.records
    assert (line.levelname, line.name) == ("ERROR", __name__)
    assert line.getMessage().startswith("event='a webhook could not be looked up' times=2")
    assert "ValueError: invalid literal" in line.getMessage()
    assert customer_uid not in caplog.text
    assert capsys.readouterr() == ("", "")


def test_configured_structlog_of_a_host_is_kept():
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    before = structlog.get_config()["processors"]
    log_through_the_host()
    assert structlog.get_config()["processors"] is before


def lines_about(task: str) -> None:
    """Log what beat and a worker say of one tick, and what goes wrong with it."""
    structlog.get_logger().info("tick sent", task=task)
    context = {"name": task, "id": "1", "runtime": 0.01, "return_value": "{}"}
    logging.getLogger("celery.worker.strategy").info("Task %(name)s[%(id)s] received", context)
    logging.getLogger("celery.app.trace").info("Task %(name)s[%(id)s] succeeded in %(runtime)ss", context)
    logging.getLogger("celery.app.trace").error("Task %(name)s[%(id)s] failed", context)
    structlog.get_logger().info("it has done something", task=task)


@pytest.mark.parametrize(
    ("level", "task", "lines"),
    [("INFO", "again.relay", 2), ("INFO", "again.charge", 5), ("DEBUG", "again.relay", 5)],
)
def test_tick_of_every_second_leaves_lines_only_of_what_it_has_done(
    level: str, task: str, lines: int, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs(level)
    lines_about(task)
    assert written.getvalue().count(task) == lines
    assert "failed" in written.getvalue()
