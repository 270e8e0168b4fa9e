"""In another application's process its log settings hold, and no customer_uid gets into them."""

from __future__ import annotations

import logging

import httpx
import pytest
import structlog

from worker.config.log_privacy import keep_out_of_logs, log_as_the_host_does


def test_httpx_logs_the_hosts_requests_and_none_of_ours(caplog: pytest.LogCaptureFixture):
    keep_out_of_logs("https://portone.test")
    keep_out_of_logs("https://portone.test")
    caplog.set_level(logging.DEBUG)
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as http:
        http.get("https://portone.test/subscribe/customers/gildong_0001_1234")
        http.get("https://weather.test/today")
    assert "gildong_0001_1234" not in caplog.text
    assert "https://weather.test/today" in caplog.text


def test_our_lines_go_where_the_hosts_go_and_show_no_local_variables(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    log_as_the_host_does()
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


def test_a_host_that_has_configured_structlog_keeps_its_settings():
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    before = structlog.get_config()["processors"]
    log_as_the_host_does()
    assert structlog.get_config()["processors"] is before
