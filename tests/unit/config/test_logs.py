"""Log lines: one form for ours and Celery's, and never a local variable."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from worker.config.logs import configure_logs


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
