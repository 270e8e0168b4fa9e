"""The chart is a picture of its kind, and what cannot be drawn is refused before anything is simulated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from worker.domain.errors import Refused
from worker.simulation import chart
from worker.simulation.chart import draw, require_drawable
from worker.simulation.figures import Month, Sum, Year

YEAR = Year(
    dunning="1,3,5,7",
    months=(
        Month(name="2027-01", charged=Sum(9, 900_000), recovered=Sum(1, 90_000), running=10),
        Month(name="2027-02", charged=Sum(8, 800_000), lost=Sum(1, 90_000), refunded=Sum(1, 90_000), running=9),
    ),
)


def test_two_years_are_drawn_beside_each_other(tmp_path: Path):
    alone, both = tmp_path / "one.png", tmp_path / "two.png"
    draw(alone, [YEAR], title="a year")
    draw(both, [YEAR, YEAR], title="two years")
    widths = [int.from_bytes(path.read_bytes()[16:20]) for path in (alone, both)]
    assert alone.read_bytes().startswith(b"\x89PNG")
    assert widths[1] == 2 * widths[0]


def test_svg_names_the_calendar_and_what_was_recovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # text as text
    path = tmp_path / "year.svg"
    draw(path, [YEAR], title="a year")
    assert "dunning 1,3,5,7: 50 % of what was declined is recovered" in path.read_text()


def test_another_kind_of_file_is_refused(tmp_path: Path):
    with pytest.raises(Refused, match=r"give a name that ends in \.png or \.svg"):
        require_drawable(tmp_path / "year.pdf")


def test_without_the_extra_its_name_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    require_drawable(tmp_path / "year.PNG")
    monkeypatch.setattr(chart, "find_spec", lambda _: None)
    with pytest.raises(Refused, match=r"again-billing\[charts\]"):
        require_drawable(tmp_path / "year.png")


def test_picture_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "year.png").mkdir()
    with pytest.raises(Refused, match="cannot be written: Is a directory"):
        draw(tmp_path / "year.png", [YEAR], title="a year")


def test_matplotlib_is_loaded_only_to_draw():
    assert "matplotlib.pyplot" not in sys.modules
