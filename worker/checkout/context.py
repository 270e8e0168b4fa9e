"""Dependencies of the checkout use cases, passed as one value."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.domain.gateway import Gateway
from worker.domain.retry_policy import RetryPolicy
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import HoldPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutContext:
    """Sessions, gateway, clock and retry policy. `prefix` is that of this deployment's merchant_uids."""

    sessions: Sessions
    gateway: Gateway
    clock: Clock
    policy: RetryPolicy
    prefix: str
    hold_policy: HoldPolicy | None = None  # None: the database is known to be whole, as in a test

    def charging_is_allowed(self, session: Session) -> bool:
        """Return whether no charging hold stands: our records may be taken to have every payment. The caller commits.

        A clock that was set is for workers to notice: the pages' database role must not end what holds charging.
        """
        return self.hold_policy is None or charging_is_allowed(session, self.hold_policy, now=read(session, self.clock))
