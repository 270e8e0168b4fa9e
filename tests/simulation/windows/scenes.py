"""What customers do at windows: one scene each, before whatever follows from it by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.simulation.engine.stories import CLOSED
from tests.simulation.windows.browser import Browser
from tests.simulation.windows.world import DAY, HOUR, WindowWorld
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

EVENING = 31 * HOUR  # of the second day: the dunning calendar's next try comes in the morning, 15 hours later
NOBODY: tuple[float, ...] = ()


def overdue(world: WindowWorld, *story: Behaviour, pg: str = "kakaopay") -> tuple[str, int]:
    """A subscription whose first charge was declined; returns its code and the charge's id."""
    code = world.subscribe(*(story or (decline(), pay())), pg=pg)
    world.tick("open", "charge")
    world.run(until=world.time + 10.0)
    return code, world.charges(code)[0].id


def approved(world: WindowWorld, browser: Browser, seconds: float, *, reports: Sequence[float] = (0.1,)) -> Any:
    """Press the yellow button so long after the window has opened."""
    return lambda window: world.after(seconds, partial(browser.decide, window, reports=reports))


def lost(world: WindowWorld) -> None:
    """Let no webhook arrive."""
    world.post = lambda _: NOBODY


# --- scenes -----------------------------------------------------------------------------------------------------------


def pays_by_hand(world: WindowWorld, browser: Browser) -> None:
    _, charge = overdue(world)
    browser.open(world.link(charge=charge), "kakaopay", then=approved(world, browser, 30.0, reports=(0.1, 3.0)))


def tells_nobody(world: WindowWorld, browser: Browser) -> None:
    lost(world)
    _, charge = overdue(world)
    browser.open(world.link(charge=charge), "payco", then=approved(world, browser, 30.0, reports=NOBODY))


def has_two_tabs(world: WindowWorld, browser: Browser) -> None:
    _, charge = overdue(world)
    browser.open(world.link(charge=charge), "kakaopay", then=approved(world, browser, 40.0))
    browser.open(world.link(charge=charge), "payco", then=approved(world, browser, 20.0))


def pays_at_night(world: WindowWorld, browser: Browser) -> None:
    """After seventeen hours: the lease and a day of the dunning calendar pass by, and a decline in another tab."""
    _, charge = overdue(world, decline(times=2), pay())
    world.run(until=EVENING)
    link = world.link(charge=charge)
    browser.open(link, "kakaopay", then=approved(world, browser, 17 * HOUR))
    world.after(60.0, lambda: browser.open(link, "payco", then=lambda window: browser.decide(window, "decline")))


def leaves_and_comes_back(world: WindowWorld, browser: Browser) -> None:
    """The key was charged meanwhile, under the window's own merchant_uid."""
    _, charge = overdue(world)
    world.run(until=EVENING)
    browser.open(world.link(charge=charge), "payco", then=approved(world, browser, 25 * HOUR))


def registers_and_pays(world: WindowWorld, browser: Browser) -> None:
    code = world.pending()
    browser.open(world.link(code, with_payment=True), "kakaopay", then=approved(world, browser, 30.0))


def registers(world: WindowWorld, browser: Browser) -> None:
    browser.open(world.link(world.pending()), "payco", then=approved(world, browser, 30.0))


def registers_twice(world: WindowWorld, browser: Browser) -> None:
    """In one tab with the first payment, in the other one alone."""
    code = world.pending()
    browser.open(world.link(code, with_payment=True), "kakaopay", then=approved(world, browser, 60.0))
    world.after(10.0, lambda: browser.open(world.link(code), "payco", then=approved(world, browser, 20.0)))


def replaces_a_dead_key(world: WindowWorld, browser: Browser) -> None:
    code, _ = overdue(world, decline(*CLOSED))
    browser.open(world.link(code), "payco", then=approved(world, browser, 30.0))


def replaces_it_twice(world: WindowWorld, browser: Browser) -> None:
    """And presses Back at once, in the tab of the first of the two, before any worker has come by."""
    code, _ = overdue(world, decline(*CLOSED))
    for pg in ("payco", "kakaopay"):
        browser.open(world.link(code), pg, then=browser.decide)
        world.run(until=world.time + 60.0)
    browser.report(browser.windows[0])
    world.run(until=world.time + 10.0)


def replaces_a_key_dead_for_days(world: WindowWorld, browser: Browser) -> None:
    """Two more periods have opened behind it, and have never been tried."""
    code = _dead_for_days(world)
    browser.open(world.link(code), "payco", then=approved(world, browser, 30.0))


def replaces_it_with_a_payment_under_way(world: WindowWorld, browser: Browser) -> None:
    """One of the charges is in another window when the key is replaced, and comes back unpaid a day later."""
    code = _dead_for_days(world)
    browser.open(world.link(charge=world.charges(code)[-1].id), "kakaopay")
    world.run(until=world.time + 60.0)
    browser.open(world.link(code), "payco", then=approved(world, browser, 30.0))


def agrees_before_a_period_and_approves_after_it(world: WindowWorld, browser: Browser) -> None:
    code = _dead_for_days(world)
    browser.open(world.link(code), "payco", then=approved(world, browser, 20 * HOUR))


def pays_one_by_hand_and_replaces_the_key(world: WindowWorld, browser: Browser) -> None:
    """In two tabs: the page for the key was read before, and its window is approved afterwards."""
    code = _dead_for_days(world)
    browser.open(world.link(code), "payco", then=approved(world, browser, 90.0))
    browser.open(world.link(charge=world.charges(code)[-1].id), "kakaopay", then=approved(world, browser, 20.0))


def _dead_for_days(world: WindowWorld) -> str:
    world.book.plan("daily", now=world.now(), cadence="day")
    code = world.subscribe(decline(*CLOSED), plan="daily")
    world.live(until=world.time + 2.2 * DAY)
    return code


def leaves_the_window(world: WindowWorld, browser: Browser) -> None:
    """It was opened for another key; the old one stays."""
    code, _ = overdue(world)
    browser.open(world.link(code), "payco")


def closes_the_window(world: WindowWorld, browser: Browser) -> None:
    _, charge = overdue(world)
    browser.open(world.link(charge=charge), "kakaopay", then=lambda window: browser.decide(window, "close"))


def comes_back_after_all(world: WindowWorld, browser: Browser) -> None:
    """What is left: after a day, a decline, and the payment of the next number, the window is paid."""
    _, charge = overdue(world, decline(times=2), pay())
    world.run(until=EVENING)
    browser.open(world.link(charge=charge), "kakaopay", then=approved(world, browser, 41 * HOUR))


def a_backup_forgets_the_window(world: WindowWorld, browser: Browser) -> None:
    """And the customer pays in it, two hours after the backup has taken the database's place."""
    _, charge = overdue(world)
    since = world.back_up()
    browser.open(world.link(charge=charge), "kakaopay", then=approved(world, browser, 3 * HOUR))
    world.run(until=world.time + HOUR)
    world.put_back(since)


def a_backup_forgets_the_hold(world: WindowWorld, browser: Browser) -> None:
    """What was declined before is due at once, beside a window that our records have forgotten."""
    _, charge = overdue(world, decline(times=2), pay())
    world.run(until=EVENING - HOUR)
    since = world.back_up()
    browser.open(world.link(charge=charge), "kakaopay", then=approved(world, browser, 17 * HOUR))
    world.run(until=EVENING)
    world.put_back(since)


def a_backup_forgets_the_registration(world: WindowWorld, browser: Browser) -> None:
    code = world.pending()
    since = world.back_up()
    browser.open(world.link(code, with_payment=True), "kakaopay", then=approved(world, browser, 30.0))
    world.run(until=world.time + HOUR)
    world.put_back(since)


def pays_unheard_before_the_next_number(world: WindowWorld, browser: Browser) -> None:
    """In an expired window, after a decline; no webhook comes, and the next number comes before the next sweep."""
    lost(world)
    _, charge = overdue(world, decline(times=2), pay())
    world.run(until=EVENING)
    browser.open(world.link(charge=charge), "kakaopay", then=approved(world, browser, 29 * HOUR, reports=NOBODY))
