"""What a forecast is asked for, and by which of the settings that decide about charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from schedules.plans import GateMode
from worker.changes.kind import ChangePolicy
from worker.domain.forecast import Days
from worker.ledger import blockers


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The days, the instant as of which things are looked at, and the policies: `gate` is the deployment's mode."""

    days: Days
    now: datetime
    policy: ChangePolicy
    gate: GateMode

    @property
    def until(self) -> datetime:
        return self.days.until

    def has(self, at: datetime) -> bool:
        """Return whether an instant is in the days."""
        return self.days.since <= at <= self.days.until

    def parameters(self, session: Session) -> Mapping[str, Any]:
        """Return the parameters of every query of a forecast, as things stand at this statement."""
        return {
            **blockers.parameters(session, now=self.now),
            "until": self.until,
            "max_amount": self.policy.max_amount,
        }
