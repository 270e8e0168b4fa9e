"""Reviving billing keys that a mistaken hard decline has killed, such as all of those of a merchant's suspension.

What is previewed is what is done: the preview does it all and rolls it back, and a key whose sum is another by then is
left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.domain.errors import Refused
from worker.domain.states import BillingKeyStatus
from worker.ledger import charges, key_revival
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import open_due_now
from worker.subscriptions import key_queries, queries


@dataclass(frozen=True, slots=True)
class Revived:
    """What reviving a key comes to, in charges and won: at once, and once paused or held subscriptions go on."""

    charges: int = 0
    amount: int = 0
    waiting_charges: int = 0
    waiting_amount: int = 0

    def __add__(self, more: Revived) -> Revived:
        return Revived(
            self.charges + more.charges,
            self.amount + more.amount,
            self.waiting_charges + more.waiting_charges,
            self.waiting_amount + more.waiting_amount,
        )


@dataclass(frozen=True, slots=True)
class Revival:
    """What each of several keys comes to, by its id; `left` are those that were as they are no more."""

    keys: dict[int, Revived] = field(default_factory=dict)
    left: tuple[int, ...] = ()

    @property
    def total(self) -> Revived:
        return sum(self.keys.values(), Revived())


def dead_key(sessions: Sessions, text: str) -> int:
    """Return the id of the dead key with this id or customer_uid. Raises Refused for none, two, or another state."""
    with sessions() as session:
        found = key_queries.matching(session, text)
    if not found:
        raise Refused("There is no such billing key. `again key list --status dead` shows those that are dead.")
    if len(found) > 1:
        raise Refused("The key given is the id of one billing key and the customer_uid of another. Give an id as #ID.")
    key = found[0]
    if key.status is not BillingKeyStatus.DEAD:
        raise Refused(f"Billing key {key.id} is {key.status}, not dead: there is nothing to revive.")
    if key.forget_at is not None:
        raise Refused(f"Billing key {key.id} was replaced and is being deleted at PortOne: it cannot be revived.")
    return key.id


def killed_alike(sessions: Sessions, *, killed_by: str, since: datetime, pg: str | None) -> Sequence[int]:
    """List the keys killed since an instant for one reason. Raises Refused when there is none."""
    with sessions() as session:
        found = key_revival.killed_alike(session, killed_by=killed_by, since=since, pg=pg)
    if not found:
        raise Refused(
            f"No billing key died since {since:%Y-%m-%d %H:%M %Z} for a reason with {killed_by!r:.60} in it. "
            "`again key list --status dead` shows the reasons."
        )
    return found


def preview(sessions: Sessions, key_ids: Iterable[int], *, clock: Clock) -> Revival:
    """Return what reviving keys would charge at once: each is revived, and rolled back."""
    revival = Revival()
    for key_id in key_ids:
        with sessions() as session:
            if (revived := _revive(session, key_id, "a preview", clock())) is not None:
                revival.keys[key_id] = revived
    return revival


def revive(sessions: Sessions, agreed: Revival, *, reason: str, clock: Clock) -> Revival:
    """Revive the keys of a preview, each in a transaction of its own, and only with the sum that was shown for it."""
    done, left = Revival(), []
    for key_id, expected in agreed.keys.items():
        with sessions() as session:
            if _revive(session, key_id, reason, clock()) == expected:
                session.commit()
                done.keys[key_id] = expected
            else:
                left.append(key_id)
    return Revival(done.keys, tuple(left))


def _revive(session: Session, key_id: int, reason: str, now: datetime) -> Revived | None:
    codes = key_revival.subscriptions_of(session, key_id)
    for code in codes:
        charges.lock_open_charges(session, code)
    rows = [row for code in codes if (row := queries.locked(session, code)) is not None]
    for row in rows:
        # What no tick has opened yet would be charged besides: as much as a dead key leaves open.
        if (due := due_subscription(session, row.id, now=now)) is not None:
            open_due_now(session, due, now=now)
    if not key_revival.revive(session, key_id, reason=reason, now=now):
        return None
    revived = Revived()
    for each in key_revival.charged_now(session, key_id, now=now):
        revived += Revived(0, 0, each.charges, each.amount) if each.waits else Revived(each.charges, each.amount)
    return revived
