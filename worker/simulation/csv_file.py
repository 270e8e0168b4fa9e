"""The months as CSV: a row for each month of each dunning calendar, in whole won."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from worker.domain.errors import Refused
from worker.simulation.figures import Month, Year

COLUMNS = (
    *("dunning", "month", "charged", "charged_won", "recovered", "recovered_won", "lost", "lost_won"),
    *("refunded", "refunded_won", "kept_won", "canceled", "dropped", "running"),
)


def row_of(year: Year, month: Month) -> tuple[str | int, ...]:
    """Return the values of a month, in the order of the columns."""
    sums = (month.charged, month.recovered, month.lost, month.refunded)
    counted = [number for each in sums for number in (each.times, each.won)]
    return (year.dunning, month.name, *counted, month.kept, month.canceled, month.dropped, month.running)


def write(path: Path, years: Sequence[Year]) -> None:
    """Write all months. Raises Refused when the file cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(row_of(year, month) for year in years for month in year.months)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.") from None
