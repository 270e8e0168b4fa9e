"""Limits of one pump run: concurrency, time, and the most it may charge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from worker.config.settings import Settings
from worker.domain.charge_limits import ChargeLimits
from worker.ledger.database_identity import HoldPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How much one pump run does at once, and for how long it goes on claiming."""

    max_in_flight: int  # calls, through each PG
    chunk: int  # charges claimed per transaction, of each PG
    budget: timedelta
    lease: timedelta
    send_within: timedelta  # a claimed attempt that was not sent by then is released
    prefix: str
    hold_policy: HoldPolicy | None = None  # None: the database is known to be whole, as in a test
    charge_limits: ChargeLimits | None = None  # None: no limit, as in a test


def run_limits(settings: Settings, hold_policy: HoldPolicy | None = None) -> RunLimits:
    """Return the limits that the settings give a pump run."""
    return RunLimits(
        max_in_flight=settings.max_in_flight,
        chunk=settings.claim_chunk,
        budget=timedelta(seconds=settings.pump_seconds),
        lease=settings.lease,
        send_within=timedelta(seconds=settings.write_back_seconds),
        prefix=settings.merchant_uid_prefix,
        hold_policy=hold_policy,
        charge_limits=limits_of(settings),
    )


def limits_of(settings: Settings) -> ChargeLimits:
    """Return the most that the settings let be charged through one PG."""
    return ChargeLimits(
        amount=settings.max_amount,
        run_charges=settings.max_run_charges,
        run_sum=settings.max_run_sum,
        day_charges=settings.max_day_charges,
        day_sum=settings.max_day_sum,
        subscription_charges_per_day=settings.max_subscription_charges_per_day,
    )
