"""Every running subscription has one active billing key, which PortOne has too, and no key comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.simulation.windows.world import WindowWorld

_KEYS = """
    SELECT k.id, k.customer_uid, k.status, s.code, s.status AS subscription, s.billing_key_id = k.id AS current
    FROM billing_keys k JOIN subscriptions s
      ON s.billing_key_id = k.id OR substring(k.customer_uid FROM '[0-9A-HJKMNP-TV-Z]{13}') = s.code
    ORDER BY k.id
"""
_PUT_TO_WORK = """
    SELECT s.code, a.reason FROM audit a JOIN subscriptions s ON s.id = a.entity_id
    WHERE a.entity = 'subscription' AND a.reason LIKE 'billing key % to %' ORDER BY a.id
"""
_USED_AFTER_DELETION = """
    SELECT r.number FROM requests r JOIN billing_keys k USING (customer_uid)
    WHERE r.endpoint LIKE '%/again' AND r.received_at > k.deleted_at + 1
"""
_ALIVE_THERE = "SELECT customer_uid FROM billing_keys WHERE deleted_at IS NULL"
RUNNING = ("trialing", "active", "past_due", "paused")


def wrong_keys(world: WindowWorld) -> Iterator[str]:
    """Return which keys are wrong: what a subscription is charged by, what PortOne has, and what was deleted."""
    alive = {row["customer_uid"] for row in world.sandbox.ledger.execute(_ALIVE_THERE)}
    if not world.restored and world.sandbox.ledger.execute(_USED_AFTER_DELETION).fetchall():
        yield "a billing key was used after it was deleted"
    changes = [(row.code, row.reason.partition(":")[0]) for row in world.sql(_PUT_TO_WORK)]
    yield from (f"{code} went back: {said}" for code, said in changes if (code, _back(said)) in changes)
    keys = world.sql(_KEYS)
    for code in {row.code for row in keys if row.subscription in RUNNING}:
        ours = [row for row in keys if row.code == code and (row.current or row.id not in world.left_behind)]
        yield from _keys_of(code, ours, alive, restored=bool(world.restored))


def _keys_of(code: str, keys: Sequence[Any], alive: set[str], *, restored: bool) -> Iterator[str]:
    """Look at the keys of one subscription. What was deleted in a lost world, a restored one cannot know."""
    current = [row for row in keys if row.current]
    active = [row for row in keys if row.status == "active"]
    if len(current) != 1 or current[0].status not in ("active", "dead"):
        yield f"{code} is charged by {[(row.id, row.status) for row in current]}"
    elif current[0].status == "active" and [row.id for row in active] != [current[0].id]:
        yield f"{code} has active keys {[row.id for row in active]}, and is charged by {current[0].id}"
    for row in keys:
        if row.status == "active" and row.customer_uid not in alive and not restored:
            yield f"{code} has key {row.id}, which PortOne has not"
        if row.status == "deleted" and row.customer_uid in alive:
            yield f"{code} has deleted key {row.id}, which PortOne still has"


def _back(said: str) -> str:
    """Turn "billing key 1 to 2" round."""
    before, _, after = said.removeprefix("billing key ").partition(" to ")
    return f"billing key {after} to {before}"
