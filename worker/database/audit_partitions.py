"""The audit's partitions, one a month: made ahead, so that every row can be taken out with its month.

What has no partition goes into the default one, and is moved once its month gets its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import text

from worker.database.engine import Sessions

_MAKE = text("SELECT make_audit_partitions()")


@dataclass(frozen=True, slots=True)
class PartitionsMade:
    """How many months of the audit got their partition."""

    made: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


def make_partitions(sessions: Sessions) -> PartitionsMade:
    """Make the audit's partitions of this month and of the next two, where there is none yet.

    The function runs with its owner's rights, so that workers need not be allowed to make tables.
    """
    with sessions.begin() as session:
        return PartitionsMade(int(session.execute(_MAKE).scalar_one()))
