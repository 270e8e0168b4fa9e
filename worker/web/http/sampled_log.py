"""Sampled warnings about events that an attacker can trigger at will: the first and every thousandth are logged."""

from __future__ import annotations

import structlog

SAMPLE_EVERY = 1000

log = structlog.get_logger()


class SampledLog:
    """Counts one kind of event, and logs a sample of it."""

    def __init__(self, event: str) -> None:
        self._event = event
        self.total = 0

    def count(self, **about: object) -> None:
        if self.total % SAMPLE_EVERY == 0:
            log.warning(self._event, times=self.total + 1, **about)
        self.total += 1
