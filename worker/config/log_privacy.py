"""Logs in a process that is another application's: its own settings hold, and what is secret stays out all the same."""

from __future__ import annotations

import logging

import structlog


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


def log_as_the_host_does() -> None:
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
