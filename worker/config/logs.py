"""One line per event: readable on a terminal, JSON where machines read it. Secrets have no way in: see the reprs."""

from __future__ import annotations

import io
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import ExcInfo, Processor

from schedules.beat import RELAY
from worker.config.terminal import plain, plain_event
from worker.config.tracing import add_trace_id

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    add_trace_id,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# They name addresses, and an address can hold a customer_uid.
_TOO_TALKATIVE = ("httpx", "httpcore", "aiohttp", "sqlalchemy", "alembic")


def configure_logs(level: str) -> None:
    """Send every log line of this process, Celery's too, to standard error in one form."""
    on_terminal = sys.stderr.isatty()
    # Plain tracebacks: the pretty ones show local variables, and those hold customer_uids.
    pretty = structlog.dev.ConsoleRenderer(exception_formatter=_plain_traceback)
    renderer: Processor = pretty if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([plain_event] if on_terminal else [structlog.processors.format_exc_info]),
                renderer,
            ],
        )
    )
    if level != "DEBUG":
        handler.addFilter(_is_worth_a_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TOO_TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # its warnings are of tries that it repeats


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Return False for the lines that the relay's tick would leave every second: sent, received, succeeded."""
    if record.levelno > logging.INFO:
        return True
    if isinstance(record.msg, dict):  # ours
        return not (record.msg.get("event") == "tick sent" and record.msg.get("task") == RELAY)
    return not (isinstance(record.args, dict) and record.args.get("name") == RELAY)


def log_errors_only() -> None:
    """Configure logging for commands: errors only, on standard error."""
    structlog.configure(
        processors=[*_SHARED, plain_event, structlog.dev.ConsoleRenderer(exception_formatter=_plain_traceback)],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )


def _plain_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    traceback = io.StringIO()
    structlog.dev.plain_traceback(traceback, exc_info)
    stream.write(plain(traceback.getvalue()))


class _Asked(logging.Filter):
    """Drops the lines of httpx that are about our requests; those about a host's own stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return not any(address in said for address in self.addresses)


_ASKED = _Asked()


def keep_out_of_logs(address: str) -> None:
    """Let httpx log no request to a server: PortOne's addresses may hold a customer_uid."""
    _ASKED.addresses.add(address)
    logging.getLogger("httpx").addFilter(_ASKED)  # once: it is the same filter


def log_through_the_host() -> None:
    """Send our lines to the standard library's logging, unless the host has configured structlog itself.

    As it comes, structlog prints tracebacks with all local variables, and those hold customer_uids.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
