"""Every story of a window with a crash at every point: of the page server, of a worker, and of what they ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Engine

from tests.simulation.charging.exhaustive import EVERYTHING
from tests.simulation.engine.faults import AFTER_COMMIT, ANSWER_UNDER_WAY, Fault, Kind, Point, applies, at
from tests.simulation.engine.verdict import Violation
from tests.simulation.windows.stories import Story, Told, tell_story

CRASH = Fault(Kind.CRASH)
TURNS = 4  # of a worker's points, where not all are told
FREE = ("getToken", "again: not sent")
"""Who stands still before these, does so before a charge leaves: how long that may be is not the windows' affair."""


def tell_every_crash(engine: Engine, story: Story, *, thorough: bool) -> int:
    """Run a story with each fault at each point; returns how many histories that were."""
    calm = _checked(engine, story, None)
    number = 1
    for point, fault in _struck(calm.points, thorough=thorough):
        _checked(engine, story, (point, fault))
        number += 1
    return number


def _struck(points: Sequence[Point], *, thorough: bool) -> Iterator[tuple[Point, Fault]]:
    """Where not all are told: crashes after commits, all of the page server's and of the workers' each in its turn.

    What dies before its commit does what it would have done, had it died after the one before.
    """
    if thorough:
        yield from ((point, fault) for point in points for fault in EVERYTHING if _means_something(fault, point))
        return
    commits = [point for point in points if point.what.endswith(AFTER_COMMIT)]
    pages = [point for point in commits if point.worker.startswith("page")]
    sent = [point for point in points if point.what == f"again: {ANSWER_UNDER_WAY}"]
    for point in (*pages, *sent, *[point for point in commits if point not in pages][::TURNS]):
        yield point, CRASH


def _means_something(fault: Fault, point: Point) -> bool:
    return applies(fault.kind, point) and not (fault.seconds and point.what.startswith(FREE))


def _checked(engine: Engine, story: Story, struck: tuple[Point, Fault] | None) -> Told:
    try:
        return tell_story(engine, story, at({} if struck is None else {struck[0].number: struck[1]}))
    except Violation as violation:
        where = "" if struck is None else f", {struck[1]} at {struck[0]}"
        raise Violation(f"{story.scene.__name__}{where}\n{violation}") from None
