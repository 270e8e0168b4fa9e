"""How much one pump run does at once, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from worker.config.settings import Settings
from worker.domain.charge_limits import Caps
from worker.ledger.database_identity import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one pump run does at once, and for how long it goes on claiming."""

    window: int
    chunk: int
    budget: timedelta
    lease: timedelta
    send_within: timedelta  # a claimed attempt that could not be sent by then is given back
    prefix: str
    watch: Watch | None = None  # None: the database is known to be whole, as in a test
    caps: Caps | None = None  # None: nothing guards, as in a test

    @property
    def least_room(self) -> int:
        """So much of the window must be free for a claim to be worth its round trips; the rest of it stays busy."""
        return max(1, min(self.chunk, self.window // 20))


def limits_of(settings: Settings, watch: Watch | None = None) -> Limits:
    """Give a pump run its limits from the settings."""
    return Limits(
        window=settings.max_in_flight,
        chunk=settings.claim_chunk,
        budget=timedelta(seconds=settings.pump_seconds),
        lease=settings.lease,
        send_within=timedelta(seconds=settings.write_back_seconds),
        prefix=settings.merchant_uid_prefix,
        watch=watch,
        caps=Caps(
            amount=settings.max_amount,
            run_charges=settings.max_run_charges,
            run_sum=settings.max_run_sum,
            day_charges=settings.max_day_charges,
            day_sum=settings.max_day_sum,
            subscription_charges_per_day=settings.max_subscription_charges_per_day,
        ),
    )
