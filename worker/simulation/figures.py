"""The figures of a simulated year: month by month, and in all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from dateutil.relativedelta import relativedelta


@dataclass(frozen=True, slots=True)
class Sum:
    """How many, and how many won."""

    times: int = 0
    won: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.times + other.times, self.won + other.won)


NONE = Sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What happened in a month. `charged` was paid at the first try, `recovered` after a decline."""

    name: str
    charged: Sum = NONE
    recovered: Sum = NONE
    lost: Sum = NONE
    refunded: Sum = NONE
    canceled: int = 0  # by customers
    dropped: int = 0  # at the end of their dunning
    running: int = 0  # subscriptions at the end of the month

    @property
    def paid(self) -> int:
        """Won that were paid."""
        return self.charged.won + self.recovered.won

    @property
    def kept(self) -> int:
        """Won that were paid and not refunded."""
        return self.paid - self.refunded.won


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """All months of a simulation, and how it was run."""

    dunning: str
    months: Sequence[Month]
    still_owed: Sum = NONE
    restarted: int = 0
    violations: Sequence[str] = ()  # invariants that do not hold
    discrepancies: Sequence[str] = ()  # where the database and the sandbox's ledger differ, in sentences
    ledger: Sum = NONE  # payments and won, by the sandbox's ledger
    seconds: float = field(default=0.0, compare=False)  # real ones, which no seed determines

    @property
    def total(self) -> Month:
        """The sums of all months; `running` is that of the end."""
        return Month(
            name="total",
            charged=sum((month.charged for month in self.months), NONE),
            recovered=sum((month.recovered for month in self.months), NONE),
            lost=sum((month.lost for month in self.months), NONE),
            refunded=sum((month.refunded for month in self.months), NONE),
            canceled=sum(month.canceled for month in self.months),
            dropped=sum(month.dropped for month in self.months),
            running=self.months[-1].running if self.months else 0,
        )

    @property
    def recovery_percent(self) -> float | None:
        """Of the won that were declined at first and are settled by now, the share that was paid; None without any."""
        total = self.total
        declined = total.recovered.won + total.lost.won
        return None if not declined else 100 * total.recovered.won / declined

    @property
    def agrees(self) -> bool:
        """Whether the database and the sandbox's ledger agree to the won, and every invariant holds."""
        return not self.discrepancies and not self.violations


Found = Mapping[tuple[str, str], Sum]
"""What was counted, by month and name of the figure."""


def months_of(found: Found, *, start_on: date, count: int, subscriptions: int) -> tuple[Month, ...]:
    """Return the months from a first day on, those in which nothing happened too."""
    months: list[Month] = []
    running = subscriptions
    for place in range(count):
        name = f"{start_on + relativedelta(months=place):%Y-%m}"
        by_name = {what: amount for (month, what), amount in found.items() if month == name}
        canceled, dropped = (by_name.get(what, NONE).times for what in ("canceled", "dropped"))
        running -= canceled + dropped
        money = {what: by_name.get(what, NONE) for what in ("charged", "recovered", "lost", "refunded")}
        months.append(Month(name=name, canceled=canceled, dropped=dropped, running=running, **money))
    return tuple(months)


Payments = Mapping[str, tuple[int, int]]
"""What was paid under each merchant_uid, and what of it was refunded, in won."""


def discrepancies_of(here: Payments, there: Payments, *, shown: int = 5) -> tuple[str, ...]:
    """Return a sentence about each payment of which the database and the sandbox's ledger say different things."""
    said = []
    for merchant_uid in sorted(here.keys() | there.keys()):
        ours, theirs = here.get(merchant_uid, (0, 0)), there.get(merchant_uid, (0, 0))
        if ours != theirs:
            said.append(
                f"{merchant_uid}: {ours[0]:,} KRW paid and {ours[1]:,} refunded in the database, "
                f"{theirs[0]:,} and {theirs[1]:,} at the sandbox."
            )
    more = len(said) - shown
    return (*said[:shown], *([f"... and {more:,} more."] if more > 0 else ()))
