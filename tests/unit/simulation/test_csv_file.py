"""The months as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from worker.domain.errors import Refused
from worker.simulation.csv_file import write
from worker.simulation.figures import Month, Sum, Year

YEAR = Year(dunning="1,3", months=(Month(name="2027-01", charged=Sum(2, 200), refunded=Sum(1, 50), running=9),))


def test_each_month_of_each_calendar_is_a_row(tmp_path: Path):
    path = tmp_path / "year.csv"
    write(path, [YEAR, YEAR])
    with path.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert first == second
    assert (first["dunning"], first["month"], first["charged"], first["charged_won"]) == ("1,3", "2027-01", "2", "200")
    assert (first["kept_won"], first["running"]) == ("150", "9")


def test_file_that_cannot_be_written_is_refused(tmp_path: Path):
    with pytest.raises(Refused, match="cannot be written: Is a directory"):
        write(tmp_path, [YEAR])
