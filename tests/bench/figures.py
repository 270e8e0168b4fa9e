"""What one part of the benchmark returns: figures with their aims, and charts; as values that JSON can keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

AT_LEAST, AT_MOST = "at least", "at most"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. The aim is printed beside it and never asserted: machines differ."""

    name: str
    value: float
    unit: str = ""
    aim: float | None = None
    bound: str = AT_LEAST
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Return whether the aim is met; None where there is none."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.bound == AT_LEAST else self.value <= self.aim


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a chart."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One picture: `file` is its name without ending. Labels name the unit."""

    file: str
    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    logarithmic_x: bool = False
    logarithmic_y: bool = False

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Return the chart that JSON has kept."""
        curves = tuple(
            Curve(name=curve["name"], points=tuple((x, y) for x, y in curve["points"])) for curve in kept["curves"]
        )
        return replace(cls(**{**kept, "curves": ()}), curves=curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """What one part has measured, and under what circumstances."""

    part: str
    title: str
    form: str  # of the sizes: tiny, short, long
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...] = ()
    machine: Mapping[str, Any]  # with the load before and after
    seconds: float

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Return the result that JSON has kept."""
        figures = tuple(Figure(**figure) for figure in kept["figures"])
        charts = tuple(Chart.read(chart) for chart in kept["charts"])
        return cls(**{**kept, "figures": figures, "charts": charts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures and charts of one part, before it is known when and where they were taken."""

    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...] = ()
