"""Stale workers: what they still write back after the database was restored from a backup.

Ids are used again after a restore. A worker that was frozen with an answer, and continues when the hold is over, must
not write it to rows that only look like its own.
"""

from __future__ import annotations

from tests.simulation.engine.backup import back_up
from tests.simulation.engine.faults import ANSWERED, Fault, Kind, first_time, nth_time
from tests.simulation.engine.outside import restore
from tests.simulation.engine.world import World
from tests.simulation.restore.restored_period import DAY, Restored
from worker.sandbox.rules.behaviours import Behaviour, Verdict, pay, slow

UNTIL_THE_NEXT_IS_UNDER_WAY = Fault(Kind.FREEZE, 2000.0)  # beyond the hold, with the next request out
FOR_A_MOMENT = Fault(Kind.FREEZE, 10.0)
LANDS_LATER = (slow(600.0), pay())


def frozen_with(answer: Behaviour, *, then: tuple[Behaviour, ...] = (), other_customer: bool = False) -> Restored:
    """One is answered, and its worker freezes; a backup of before takes over.

    The same subscription is charged again, or, with `other_customer`, one that gets its ids.
    """

    def scene(world: World) -> None:
        world.book.plan("monthly", now=world.now(), dunning="1")
        if not other_customer:
            world.subscribe(answer, *then)
        back_up(world.engine)
        if other_customer:
            world.subscribe(answer)
        _charge(world)
        restore(world)
        if other_customer:
            world.subscribe(*then)

    return Restored(scene, plan=first_time(f"again: {ANSWERED}", UNTIL_THE_NEXT_IS_UNDER_WAY))


def _charge(world: World) -> None:
    world.start_worker().tick("open", "charge")
    world.run(until=5.0)


def frozen_with_a_page() -> Restored:
    """A reconciliation has read its last page at the restore; the one that then holds charging gets its id."""

    def scene(world: World) -> None:
        world.subscribe(pay())
        back_up(world.engine)
        _charge(world)
        world.idle_ticks.come = False
        world.run(until=DAY)
        world.workers[0].tick("open", "sweep")
        world.run(until=DAY + 1.0)
        world.idle_ticks.come = True
        restore(world)
        world.start_worker().tick("open")
        world.run(until=DAY + 20.0)

    return Restored(scene, plan=nth_time(4, f"status: {ANSWERED}", FOR_A_MOMENT))


def hidden(behaviour: Behaviour) -> Restored:
    """A lost payment that look-ups show much later, while reconciliation runs every half a minute."""

    def scene(world: World) -> None:
        world.subscribe(behaviour)
        back_up(world.engine)
        _charge(world)
        restore(world)
        for _ in range(62):
            for worker in world.living():
                worker.tick("open", "sweep")
            world.run(until=world.time + 30.0)

    return Restored(scene)


def backed_up_under_way() -> Restored:
    """The backup has a request in progress; it was then declined, and the next attempt paid, both lost."""

    def scene(world: World) -> None:
        world.book.plan("monthly", now=world.now(), dunning="1")
        world.subscribe(Behaviour(verdict=Verdict.DECLINED, text="한도초과", answer_seconds=2.0), pay())
        world.start_worker().tick("open", "charge")
        world.run(until=1.5)
        back_up(world.engine)
        for when in (5.0, DAY):
            world.run(until=when)
            world.workers[0].tick("open", "charge")
        world.run(until=DAY + 7200.0)
        restore(world)
        for tick in ("open", "sweep"):
            world.workers[0].tick(tick)
            world.run(until=world.time + 5.0)

    return Restored(scene)
