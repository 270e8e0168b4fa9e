"""Every history of one period: each fault at each point, under each rule that matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Engine

from tests.simulation.charging.one_period import History, Told, tell
from tests.simulation.engine.faults import NOT_SENT, STANDSTILLS, Fault, Kind, Point, applies, at
from tests.simulation.engine.stories import GUARDED, RULES, STORIES, Story
from tests.simulation.engine.verdict import Violation

CRASH = Fault(Kind.CRASH)
BEYOND_THE_LEASE = Fault(Kind.FREEZE, 300.0)
ALMOST_THE_QUIET_PERIOD = Fault(Kind.FREEZE, 1560.0)
BEYOND_THE_QUIET_PERIOD = Fault(Kind.FREEZE, 2400.0)
SUSPENDED = Fault(Kind.SUSPEND, 2400.0)
OTHERS = (
    BEYOND_THE_LEASE,
    ALMOST_THE_QUIET_PERIOD,
    BEYOND_THE_QUIET_PERIOD,
    SUSPENDED,
    *(Fault(kind) for kind in (Kind.LOSE_DATABASE, Kind.REFUSE, Kind.LOSE_REQUEST)),
)
EVERYTHING = (CRASH, *OTHERS)

QUIET_SECONDS = 1800.0
CLOCKS_APART = 120.0
SPARE_SECONDS = 60.0


def means_something(fault: Fault, point: Point, story: Story) -> bool:
    """Leave out what the quiet period does not promise to outlast: a request that lands after it."""
    if not applies(fault.kind, point):
        return False
    before_it_left = point.what.startswith("again") and point.what.endswith(NOT_SENT)
    if fault.kind in STANDSTILLS and (before_it_left or point.what.startswith("getToken")):
        return fault.seconds + story.lateness + SPARE_SECONDS < QUIET_SECONDS - CLOCKS_APART
    return True


def tell_all(
    engine: Engine, story: Story, faults: Sequence[Fault], *, thorough: bool, workers: Sequence[float] = (0.0,)
) -> int:
    """Run a story with each fault at each point; returns the number of histories."""
    plain = History(story.behaviours, RULES[0], behind=workers, corrected_after=story.corrected_after)
    calm = checked(engine, plain, story.name)
    number = 1
    for fault in faults:
        for point in calm.points if thorough else _of_its_own(calm.points, story):
            if means_something(fault, point, story):
                for alone in (False, True) if fault.kind in STANDSTILLS and len(workers) == 1 else (False,):
                    struck = replace(plain, plan=at({point.number: fault}), alone=alone)
                    name = f"{story.name}, {fault} at {point}{', alone' if alone else ''}"
                    number += _under_the_rules(engine, struck, name, point, every_rule=thorough)
    return number


def _of_its_own(points: Sequence[Point], story: Story) -> Sequence[Point]:
    """Leave out the points at which a story equals another one that is run in full."""
    whats = [point.what for point in points]
    first = 0 if story is STORIES[0] else whats.index(f"again: {NOT_SENT}") - 2
    last = len(points) if story.told_by is None else whats.index(f"findAll: {NOT_SENT}")
    return points[first:last]


def tell_twice_struck(engine: Engine, story: Story, fault: Fault) -> Iterator[int]:
    """Strike at each point, and once more at each point of the recovery from that."""
    plain = History(story.behaviours, RULES[0])
    for first in checked(engine, plain, story.name).points:
        once = checked(engine, replace(plain, plan=at({first.number: fault})), f"{story.name}, {fault} at {first}")
        for second in once.points[first.number + 1 :]:
            plan = at({first.number: fault, second.number: fault})
            checked(engine, replace(plain, plan=plan), f"{story.name}, {fault} at {first} and at {second}")
            yield 1


def tell_guarded(engine: Engine, story: Story, *, thorough: bool) -> Iterator[int]:
    """Run a story, and each crash of it, under the rules that never pay a merchant_uid twice."""
    for rules in GUARDED:
        plain = History(story.behaviours, rules)
        name = f"{story.name}, {'-'.join(rules.values())}"
        points = checked(engine, plain, name).points
        for point in points if thorough else points[::3]:
            checked(engine, replace(plain, plan=at({point.number: CRASH})), f"{name}, {CRASH} at {point}")
            yield 1


def _under_the_rules(engine: Engine, history: History, name: str, point: Point, *, every_rule: bool) -> int:
    """Rules about a repeated merchant_uid have no effect where none was repeated."""
    if not checked(engine, history, name).repeated:
        return 1
    # If not all are run, each point gets one of them.
    others = RULES[1:] if every_rule else RULES[1 + point.number % 3 :][:1]
    for rules in others:
        checked(engine, replace(history, rules=rules), f"{name}, {'-'.join(rules.values())}")
    return 1 + len(others)


def checked(engine: Engine, history: History, name: str) -> Told:
    try:
        return tell(engine, history)
    except Violation as violation:
        raise Violation(f"{name}\n{violation}") from None
