"""What one pump run did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class PumpResult:
    """What one pump run did; flower shows it as the task's result.

    An outcome counts in the run that wrote it back: a call that takes long is claimed by one, and may end in the next.
    """

    claimed: int
    paid: int
    declined: int
    not_charged: int
    unknown: int  # those included that could not be written back, which reconciliation looks up
    seconds: float
    ended: str

    @classmethod
    def between(cls, before: Mapping[str, int], after: Mapping[str, int], *, seconds: float, ended: str) -> Self:
        """Return the result of a run from the counts of its process before and after it."""
        counts = Counter(after)
        counts.subtract(before)
        return cls(
            claimed=counts["claimed"],
            paid=counts["paid"],
            declined=counts["declined"],
            not_charged=counts["not_charged"],
            unknown=counts["unknown"] + counts["lost"],
            seconds=round(seconds, 3),
            ended=ended,
        )

    def summary(self) -> dict[str, object]:
        """Return it as flower and the log show it."""
        return asdict(self)
