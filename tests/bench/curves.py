"""A chart as SVG text: lines with points, titled axes, a legend. It changes its colors with the reader's scheme.

A picture stands in an `<img>`, where it knows the reader's scheme and not the page's: its background is its own.
"""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10

from tests.bench.figures import Chart, Curve

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 56, 84  # margins around the plot
SMALLEST = 1e-3
"""What a logarithmic axis shows for less, nothing included."""

COLORS = ("c0", "c1", "c2", "c3", "c4")

_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2933 }
    .title { font-size: 16px; font-weight: 600 } .tick { font-size: 12px; fill: #52606d }
    .page { fill: #ffffff } .grid { stroke: #d9dee4 } .axis { stroke: #7b8794 }
    polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round }
    .c0 { stroke: #00796b } .c1 { stroke: #c2410c } .c2 { stroke: #5b4bc4 } .c3 { stroke: #a16207 }
    .c4 { stroke: #52606d } circle { stroke-width: 2.5; fill: #ffffff }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb } .tick { fill: #9aa5b1 } .page { fill: #1f2329 } .grid { stroke: #3a424d }
      .axis { stroke: #7b8794 } circle { fill: #1f2329 }
      .c0 { stroke: #4db6ac } .c1 { stroke: #fb923c } .c2 { stroke: #a99cf5 } .c3 { stroke: #eab308 }
      .c4 { stroke: #9aa5b1 }
    }
"""


class Axis:
    """One axis: which value stands where, and which values get a label."""

    def __init__(self, values: list[float], start: float, end: float, *, logarithmic: bool) -> None:
        self._start, self._end, self._logarithmic = start, end, logarithmic
        if logarithmic:
            positive = [max(value, SMALLEST) for value in values]
            lowest, highest = floor(log10(min(positive))), ceil(log10(max(positive)))
            highest = max(highest, lowest + 1)
            self._low, self._high = float(lowest), float(highest)
            self.ticks = [10.0**power for power in range(lowest, highest + 1)]
        else:
            step = _round_step(max(values) or 1)
            self._low, self._high = 0.0, step * ceil((max(values) or 1) / step)
            self.ticks = [step * number for number in range(round(self._high / step) + 1)]

    def at(self, value: float) -> float:
        """Return the coordinate of a value."""
        place = log10(max(value, SMALLEST)) if self._logarithmic else value
        return self._start + (self._end - self._start) * (place - self._low) / (self._high - self._low)


def _round_step(highest: float) -> float:
    """Return the distance of ticks: 1, 2 or 5 times a power of ten, four to eight of them."""
    power = 10.0 ** floor(log10(highest))
    return next(step * power for step in (0.1, 0.2, 0.5, 1, 2) if highest / (step * power) <= 8)


def _said(value: float) -> str:
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if value >= unit * 10 or (value >= unit and value % unit == 0):
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def drawn(chart: Chart) -> str:
    """Return the chart as an SVG document."""
    points = [point for curve in chart.curves for point in curve.points]
    x = Axis([point[0] for point in points], LEFT, WIDTH - RIGHT, logarithmic=chart.logarithmic_x)
    y = Axis([point[1] for point in points], HEIGHT - BOTTOM, TOP, logarithmic=chart.logarithmic_y)
    said = "; ".join(
        f"{curve.name}: {', '.join(f'{px:g} {py:g}' for px, py in curve.points)}" for curve in chart.curves
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"  <title>{escape(chart.title)}</title>",
        f"  <desc>{escape(f'{chart.y} against {chart.x}. {said}')}</desc>",
        f"  <style>{_STYLE}  </style>",
        f'  <rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        f'  <text class="title" x="{LEFT}" y="30">{escape(chart.title)}</text>',
        *_grid(x, y),
        f'  <text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 42}" text-anchor="middle">{escape(chart.x)}</text>',
        (
            f'  <text transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
            f"{escape(chart.y)}</text>"
        ),
    ]
    place = float(LEFT)
    for curve, color in zip(chart.curves, COLORS, strict=False):
        lines += _line(curve, color, x, y)
        lines.append(f'  <line class="{color}" stroke-width="2.5" x1="{place}" x2="{place + 22}" y1="382" y2="382"/>')
        lines.append(f'  <text x="{place + 28}" y="386">{escape(curve.name)}</text>')
        place += 56 + 7 * len(curve.name)
    return "\n".join([*lines, "</svg>", ""])


def _grid(x: Axis, y: Axis) -> list[str]:
    lines = []
    for value in y.ticks:
        at = y.at(value)
        lines.append(f'  <line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'  <text class="tick" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_said(value)}</text>')
    for value in x.ticks:
        at = x.at(value)
        lines.append(
            f'  <line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 5}"/>'
        )
        lines.append(
            f'  <text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{_said(value)}</text>'
        )
    lines.append(
        f'  <line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'
    )
    return lines


def _line(curve: Curve, color: str, x: Axis, y: Axis) -> list[str]:
    placed = [(x.at(px), y.at(py)) for px, py in curve.points]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in placed)
    dots = placed if len(placed) <= 12 else []
    return [
        f'  <polyline class="{color}" points="{path}"/>',
        *(f'  <circle class="{color}" cx="{px:.1f}" cy="{py:.1f}" r="4"/>' for px, py in dots),
    ]
