"""Customers' stories around one window each, told to the end, and with a crash at any point of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from tests.simulation.engine.faults import Plan, Point, nothing
from tests.simulation.windows import scenes
from tests.simulation.windows.browser import Browser
from tests.simulation.windows.pages import PageServer
from tests.simulation.windows.verdict import judge_windows
from tests.simulation.windows.world import DAY, WindowWorld, emptied_of_windows

Scene = Callable[[WindowWorld, Browser], None]


@dataclass(frozen=True)
class Told:
    """What came of a story: its points from the first agreement on, and the periods that the residue has paid twice."""

    points: Sequence[Point]
    twice: int


@dataclass(frozen=True)
class Story:
    """A scene of customers at windows. `quiet_after` is how long all that is left to happen takes."""

    scene: Scene
    quiet_after: float = 1.5 * DAY
    page_class: type[PageServer] = PageServer


def tell_story(engine: Engine, story: Story, plan: Plan = nothing) -> Told:
    """Let a story happen, and judge it; raises Violation."""
    with emptied_of_windows(engine):
        world = WindowWorld(engine, plan)
        try:
            world.page_class = story.page_class
            world.book.plan("monthly", now=world.now(), dunning="1,2,3")
            world.start_worker()
            story.scene(world, Browser(world))
            world.live(until=world.time + story.quiet_after)
            return Told(_of_windows(world.points), judge_windows(world))
        finally:
            world.close()


def _of_windows(points: Sequence[Point]) -> Sequence[Point]:
    """Leave out what comes before a customer has agreed, and the sweeps."""
    first = next((at for at, point in enumerate(points) if point.worker.startswith("page")), len(points))
    return [point for point in points[first:] if not point.what.startswith("status")]


LEFT = Story(scenes.leaves_the_window)
STORIES = {
    "pays by hand": Story(scenes.pays_by_hand),
    "tells nobody": Story(scenes.tells_nobody),
    "has two tabs": Story(scenes.has_two_tabs),
    "pays at night": Story(scenes.pays_at_night),
    "leaves and comes back": Story(scenes.leaves_and_comes_back),
    "registers and pays": Story(scenes.registers_and_pays),
    "registers": Story(scenes.registers),
    "registers twice": Story(scenes.registers_twice),
    "replaces a dead key": Story(scenes.replaces_a_dead_key),
    "replaces it twice": Story(scenes.replaces_it_twice),
    "replaces a key dead for days": Story(scenes.replaces_a_key_dead_for_days),
    "closes the window": Story(scenes.closes_the_window),
    "leaves the window": LEFT,
    "a backup forgets the window": Story(scenes.a_backup_forgets_the_window, quiet_after=4 * DAY),
}
RESIDUE = Story(scenes.comes_back_after_all, quiet_after=4 * DAY)
TOLD_ONCE = {
    "a backup forgets the hold": Story(scenes.a_backup_forgets_the_hold, quiet_after=4 * DAY),
    "a backup forgets the registration": Story(scenes.a_backup_forgets_the_registration, quiet_after=4 * DAY),
    "replaces it with a payment under way": Story(scenes.replaces_it_with_a_payment_under_way, quiet_after=2 * DAY),
    "agrees before a period": Story(scenes.agrees_before_a_period_and_approves_after_it, quiet_after=2 * DAY),
    "pays one by hand and replaces the key": Story(scenes.pays_one_by_hand_and_replaces_the_key),
    "pays unheard before the next number": Story(scenes.pays_unheard_before_the_next_number, quiet_after=4 * DAY),
}
"""Without crashes: these are about what our records have forgotten, or were never told."""
