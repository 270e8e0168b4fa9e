"""Counting what strangers may do a thousand times a second, without as many lines in the log."""

from __future__ import annotations

import structlog

ONE_IN = 1000

log = structlog.get_logger()


class SampledLog:
    """Counts one kind of event, and logs the first and every thousandth."""

    def __init__(self, event: str) -> None:
        self._event = event
        self.total = 0

    def count(self, **about: object) -> None:
        if self.total % ONE_IN == 0:
            log.warning(self._event, times=self.total + 1, **about)
        self.total += 1
