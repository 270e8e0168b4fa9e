"""Settings that are fine one by one and do not fit together, as sentences that name the variables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from worker.config.broker_url import broker_problems
from worker.config.checkout_checks import sdk_problems, secret_problems
from worker.config.event_checks import events_problems
from worker.config.portone_url import live_problems, sandbox_problems
from worker.config.smtp_url import smtp_problems

if TYPE_CHECKING:
    from worker.config.settings import Settings

MAX_BANK_TRANSACTION = timedelta(minutes=20)
"""How long the outcome of a bank's transaction may stay open (documented by Kakao Pay)."""


def contradictions(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each setting that contradicts another, names the wrong server or could lose money."""
    if (settings.portone_key is None) != (settings.portone_secret is None):
        yield "AGAIN_PORTONE_KEY and AGAIN_PORTONE_SECRET go together: set both, or neither."
    if settings.live and settings.database_url is None:
        yield (
            "With a live key set AGAIN_DATABASE_URL (and AGAIN_BROKER_URL): the embedded database is for trying "
            "out, and holds the sandbox's subscriptions."
        )
    if settings.live:
        yield from live_problems(settings.portone_url)
    yield from sdk_problems(settings.sdk_url, live=settings.live)
    if settings.checkout_secret is not None:
        yield from secret_problems(settings.checkout_secret.get_secret_value())
    yield from sandbox_problems(settings.portone_url, settings.sandbox_url, live=settings.live)
    if settings.broker_url is not None:
        yield from broker_problems(settings.broker_url.get_secret_value())
    events_broker = None if settings.events_broker_url is None else settings.events_broker_url.get_secret_value()
    yield from events_problems(settings.events_task, events_broker, settings.events_queue)
    smtp_url = None if settings.smtp_url is None else settings.smtp_url.get_secret_value()
    yield from smtp_problems(smtp_url, settings.smtp_from, settings.alerts_to)
    yield from _contradicting_limits(settings)


def _contradicting_limits(settings: Settings) -> Iterator[str]:
    if settings.sweep_days * 86_400 < settings.sweep_every_seconds + 86_400:
        yield (
            "AGAIN_SWEEP_DAYS must be a day more than AGAIN_SWEEP_EVERY_SECONDS: what was paid between two "
            "comparisons would be seen by neither."
        )
    if settings.claim_chunk > min(settings.max_run_charges, settings.max_day_charges):
        yield (
            "AGAIN_CLAIM_CHUNK must not exceed AGAIN_MAX_RUN_CHARGES or AGAIN_MAX_DAY_CHARGES: one claim would "
            "be more than may be claimed, so it would take nothing and stop its PG."
        )
    if settings.quiet_period <= settings.lease * 2:
        yield (
            "AGAIN_QUIET_PERIOD_SECONDS must exceed twice the lease of an attempt "
            f"({2 * settings.lease.total_seconds():g}, from the time-outs), "
            "or a payment still under way would be taken for none."
        )
    if settings.live and settings.quiet_period < MAX_BANK_TRANSACTION:
        yield (
            f"AGAIN_QUIET_PERIOD_SECONDS must be at least {MAX_BANK_TRANSACTION.total_seconds():g} when "
            "AGAIN_PORTONE_KEY is set: a bank may take this long to decide whether money moved."
        )
    if settings.lookup_backoff_seconds[-1] < settings.quiet_period_seconds:
        yield (
            "AGAIN_LOOKUP_BACKOFF_SECONDS must reach to the end of AGAIN_QUIET_PERIOD_SECONDS or beyond, "
            "or no look-up could ever prove that nothing was charged."
        )
