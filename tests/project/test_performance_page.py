"""The page of performance shows what its JSON holds, and charts are drawn of any values."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from tests.bench import report
from tests.bench.__main__ import PARTS, SHOWN
from tests.bench.curves import drawn
from tests.bench.figures import AT_MOST, Chart, Curve, Figure, PartResult

MACHINE = {
    "date": "2026-01-02 03:04 UTC",
    "cores": 2,
    "processor": "A processor",
    "memory_gib": 8.0,
    "system": "Linux 6",
    "python": "3.11.1",
    "postgresql": "18.1",
    "commit": "abc",
    "load_before": [0.1, 0.2, 0.3],
    "load_after": [1.1, 0.2, 0.3],
}
CHART = Chart(
    file="planted",
    title="Rate & window",
    x="calls",
    y="per second",
    curves=(Curve(name="Again", points=((100.0, 90.0), (1000.0, 700.0))),),
)
RESULT = PartResult(
    part="claim",
    title="Claims",
    form="short",
    figures=(
        Figure(name="ratio", value=0.956, aim=0.97),
        Figure(name="memory", value=1234, unit="MiB", aim=2000, bound=AT_MOST, note="peak"),
    ),
    charts=(CHART,),
    machine=MACHINE,
    seconds=12.5,
)


def test_page_shows_what_its_json_holds():
    published = report.kept_results(report.PUBLISHED)
    results = [published[part] for part in SHOWN if part in published]
    assert report.with_figures(report.PAGE.read_text(), results) == report.PAGE.read_text()
    charts = {chart.file for result in results for chart in result.charts}
    assert charts == {path.stem for path in report.PUBLISHED.glob("*.svg")}


def test_page_describes_every_part_that_is_measured():
    described = re.findall(r"^\| `(\w+)` \|", report.PAGE.read_text(), re.MULTILINE)
    assert sorted(described) == sorted(PARTS) == sorted(SHOWN)


def test_figures_stand_between_their_markers_once_however_often_published():
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.with_figures(page, [RESULT])
    assert once == report.with_figures(once, [RESULT])
    assert "old" not in once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "| Claims | ratio | 0.956 | ≥ 0.97 | no |" in once
    assert "| ratio | 0.956 | ≥ 0.97 | - |" in once
    assert "| memory | 1,234 MiB | ≤ 2,000 MiB | peak |" in once
    assert "2026-01-02 03:04 UTC, commit abc, `make bench`: 2 cores of A processor" in once


def test_results_of_other_parts_are_kept_beside_new_ones(tmp_path):
    report.keep([RESULT], tmp_path)
    other = PartResult(part="ticks", title="Ticks", form="long", figures=(), machine=MACHINE, seconds=1)
    report.keep([other], tmp_path)
    assert report.kept_results(tmp_path) == {"claim": RESULT, "ticks": other}
    assert (tmp_path / "planted.svg").read_text() == drawn(CHART)


@pytest.mark.parametrize("value", [0.0, 0.004, 1.0, 7.0, 950.0, 12_345.0, 4e6])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_chart_has_its_points_and_ticks_inside(value: float, logarithmic: bool):
    points = ((1.0, value / 2), (1000.0, value))
    curves = (Curve(name="one", points=points),)
    chart = Chart(file="a", title="a < b", x="x", y="y", curves=curves, logarithmic_x=True, logarithmic_y=logarithmic)
    root = ET.fromstring(drawn(chart))
    spots = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.findall(".//{*}circle")]
    assert len(spots) == 2
    assert all(70 <= x <= 700 and 50 <= y <= 320 for x, y in spots)
    ticks = [text for text in root.findall(".//{*}text") if text.get("class") == "tick"]
    assert 4 <= len(ticks) <= 20
