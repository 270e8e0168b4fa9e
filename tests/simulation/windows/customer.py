"""What one seed's customers do: they agree, pay, are declined, close, come back days later, and report as they like."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from tests.simulation.engine.stories import CLOSED
from tests.simulation.windows.browser import Browser, Window
from tests.simulation.windows.world import DAY, HOUR, WindowWorld
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, pay, slow, troubled
from worker.sandbox.store import key_rows

PGS = ("kakaopay", "payco")
FORGED = "imp_999999999999"
ANSWERS: tuple[Behaviour, ...] = (
    *(decline(),) * 5,
    *(pay(),) * 3,
    decline(*CLOSED),
    decline(shape=Shape.MESSAGE, recorded=False),
    slow(300.0),
    pay(hidden_seconds=900.0),
    *(troubled(reply, charged=charged) for reply in (Reply.DROP, Reply.HANG) for charged in (True, False)),
    troubled(Reply.ERROR, charged=True),
)


def a_story(draw: Random) -> tuple[Behaviour, ...]:
    """Draw how a billing key answers `again`: mostly declined at first, so that there is something to pay by hand."""
    declines = (decline(times=draw.randint(1, 3)),) if draw.random() < 0.7 else ()
    return (*declines, *draw.choices(ANSWERS, k=draw.randint(0, 2)))


class Customer:
    """All customers who have a link, in as many tabs as they like."""

    def __init__(self, world: WindowWorld, draw: Random, links: Sequence[str]) -> None:
        self._world, self._random, self._links = world, draw, links
        self._browser = Browser(world)
        self._browser.registered = self._give_a_story

    def open(self) -> None:
        draw = self._random
        if self._links:
            asleep = draw.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, draw.uniform(0, 600), draw.uniform(0, 30 * HOUR)))
            link = draw.choice(self._links[-4:])
            self._browser.open(link, draw.choice((None, *PGS)), asleep=asleep, then=self._perhaps_at_once)

    def _perhaps_at_once(self, window: Window) -> None:
        if self._random.random() < 0.3:
            self._world.after(
                self._random.uniform(1, 120), partial(self._browser.decide, window, reports=self._reports())
            )

    def decide(self) -> None:
        if windows := self._browser.windows:
            choice = self._random.choice(("approve", "approve", "approve", "decline", "close"))
            self._browser.decide(self._random.choice(windows[-6:]), choice, reports=self._reports())

    def _reports(self) -> tuple[float, ...]:
        draw = self._random
        late = draw.uniform(0, 2 * DAY)
        return draw.choice(((), (), (0.1,), (0.1,), (0.1, 0.1), (0.1, late), (late,)))

    def report(self) -> None:
        """Press Back, or load the page again that a window had come back to."""
        if self._browser.windows:
            self._browser.report(self._random.choice(self._browser.windows))

    def knock(self) -> None:
        """Ask about a link without any callback, or with another window's payment."""
        if self._links:
            imp_uids = [each.imp_uid for each in self._browser.windows]
            self._world.page.complete(self._random.choice(self._links), self._random.choice((None, FORGED, *imp_uids)))

    def forge(self) -> None:
        """Send a webhook that comes before its payment, or is about no payment at all."""
        if self._browser.windows:
            window = self._random.choice(self._browser.windows)
            imp_uid = self._random.choice((FORGED, window.imp_uid))
            self._world.page.hear({"imp_uid": imp_uid, "merchant_uid": window.merchant_uid, "status": "paid"})

    def _give_a_story(self, window: Window) -> None:
        key_rows.set_story(self._world.sandbox.ledger, a_story(self._random), [str(window.customer_uid)])
