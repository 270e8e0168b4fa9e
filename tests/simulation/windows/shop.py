"""What the shop does meanwhile: links, other keys, pauses and cancellations."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from tests.simulation.windows.world import WindowWorld
from tests.support import acts
from worker.domain.errors import Refused
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.providers import Instrument, channel
from worker.sandbox.store import key_rows
from worker.subscriptions import key_change
from worker.subscriptions.billing_keys import NewKey, add_key

MOST_TO_CHANGE = 3


class Shop:
    """Acts for any of its subscriptions; what the product refuses, it leaves."""

    def __init__(self, world: WindowWorld, draw: Random) -> None:
        self._world, self._random = world, draw
        self.codes: list[str] = []
        self.links: list[str] = []
        self._keys = 0
        self._changed = 0

    def make_link(self) -> None:
        """Make a link to pay what is past due, or for the key that is needed, often with the first payment."""
        draw, world = self._random, self._world
        code = draw.choice(self.codes)
        pg = draw.choice((None, None, "kakaopay", "payco"))
        owed = [row.id for row in world.charges(code) if row.status in ("past_due", "charging")]
        with suppress(Refused):
            if owed and draw.random() < 0.8:
                self.links.append(world.link(charge=draw.choice(owed), pg=pg))
                return
            with_payment = draw.random() < 0.6 and not world.charges(code)
            self.links.append(world.link(code, pg=None if with_payment else pg, with_payment=with_payment))

    def change_something(self) -> None:
        """Pause, resume, replace the key, or cancel: seldom, for it ends much of a history."""
        draw = self._random
        code = draw.choice(self.codes)
        self._changed += 1
        with suppress(Refused):
            if self._changed <= MOST_TO_CHANGE:
                draw.choice((self.pause, self.resume, self.change_key, self.cancel))(code)
            else:
                self.resume(code)

    def pause(self, code: str) -> None:
        world = self._world
        acts.pause(world.sessions, code, reason="holiday", now=world.now())
        world.pauses.append((code, world.now(), None))

    def resume(self, code: str) -> None:
        world = self._world
        acts.resume(world.sessions, code, reason="back again", now=world.now())
        world.pauses[:] = [
            (paused, since, world.now()) if paused == code and until is None else (paused, since, until)
            for paused, since, until in world.pauses
        ]

    def cancel(self, code: str) -> None:
        acts.cancel(self._world.sessions, code, reason="moved away", now=self._world.now())

    def change_key(self, code: str) -> None:
        """Bring another key along, as an operator does with `again subscription key`."""
        world = self._world
        before = world.sql("SELECT billing_key_id FROM subscriptions WHERE code = :code", code=code)
        self._keys += 1
        customer_uid = f"brought-{self._keys}"
        key_rows.put(world.sandbox.ledger, [BillingKey(customer_uid, channel("payco", sandbox=True), Instrument.CARD)])
        add_key(world.sessions, NewKey(customer_uid=customer_uid, pg="payco"), now=world.now())
        said = key_change.owed_by_new_key(
            world.sessions, code, customer_uid, max_amount=2_000_000, now=world.now()
        ).amount
        world.promise(code, said)
        key_change.change_key(
            world.sessions, code, customer_uid, reason="by telephone", max_amount=2_000_000, owed=said, now=world.now()
        )
        world.left_behind.update(row.billing_key_id for row in before if row.billing_key_id is not None)
