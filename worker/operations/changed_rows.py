"""Which charges and subscriptions have changed since the last check of the invariants.

New charges, attempts and consents say so by their ids, and triggers write other changes of a status into the audit.
What they leave out is what a worker does with an attempt that it has sent: those that were open at the last look are
looked at again. Ids are given before their transactions commit, so one that commits late lies behind others that were
read: what the last look's snapshot did not show is new, wherever it lies. No clock is asked, so none that is set back
hides anything.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.operations import change_queries

CHANGES_AT_ONCE = 100_000
"""Rows of a table that one look reads; what is beyond is left for the next."""

CONSENTED = 12
"""Newest charges of a subscription that are looked at once its customer has consented to something."""

ENTITIES = {
    "charge": "charges",
    "attempt": "attempts",
    "discrepancy": "discrepancies",
    "refund": "refunds",
    "subscription": "subscriptions",
    "billing_key": "billing_keys",
    "consent": "consenting",
}
"""Which set of `Changes` an entity belongs to."""

Ids = Mapping[str, int]
"""The last id of each table whose new rows are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the checks have come.

    Nothing up to the `settled` ids can appear any more. Up to `judged` whatever `snapshot` shows is judged. The
    `pending` ids are settled once every transaction before `pending_xid` has ended.
    """

    settled: Ids
    judged: Ids
    pending: Ids
    pending_xid: int | None
    open_attempts: Sequence[int]  # at the last look: a worker settles them without a row in the audit
    snapshot: str | None  # None: of another database, so that it says nothing


@dataclass(slots=True)
class Changes:
    """Ids of the rows that have changed, by table, and of the subscriptions whose customers have consented."""

    charges: set[int] = field(default_factory=set)
    attempts: set[int] = field(default_factory=set)
    discrepancies: set[int] = field(default_factory=set)
    refunds: set[int] = field(default_factory=set)
    subscriptions: set[int] = field(default_factory=set)
    billing_keys: set[int] = field(default_factory=set)
    consenting: set[int] = field(default_factory=set)

    def add(self, entity: str, ids: Iterable[int]) -> None:
        """Add rows of an entity; those of another kind concern no charge."""
        if entity in ENTITIES:
            known: set[int] = getattr(self, ENTITIES[entity])
            known.update(ids)


@dataclass(frozen=True, slots=True)
class Touched:
    """The charges and subscriptions to be judged."""

    charges: Collection[int]
    subscriptions: Collection[int]


@dataclass(frozen=True, slots=True)
class Look:
    """What has changed since the last look, and the position from which the next one goes on."""

    changes: Changes
    next: Position
    complete: bool  # False: there is more, from `next` on


def look(session: Session, *, limit: int) -> Look:
    """Read what has changed since the last look. The caller judges that, and lets the next one `advance`."""
    plan_by_index(session)
    position = _position(session)
    mark = session.execute(change_queries.MARK).one()
    changes, last = _read(session, position, limit)
    judged = {table: last.get(table, max(mark.ids[table], position.judged[table])) for table in mark.ids}
    return Look(changes, _next(position, mark, judged), not last)


def changes_waiting(session: Session, *, limit: int) -> tuple[Changes, bool]:
    """Return what has changed since the last look, and whether that is all of it. Writes nothing, not even a mark."""
    plan_by_index(session)
    changes, last = _read(session, _position(session), limit)
    return changes, not last


def _position(session: Session) -> Position:
    return Position(**session.execute(change_queries.POSITION).one()._mapping)  # noqa: SLF001 - public


def _read(session: Session, position: Position, limit: int) -> tuple[Changes, Ids]:
    """Return the changes, and by table the last id that was read where there is more."""
    changes = Changes(attempts=set(position.open_attempts))
    last = {}
    for table, query in change_queries.NEW_ROWS.items():
        asked = {"settled": position.settled[table], "judged": position.judged[table], "snapshot": position.snapshot}
        rows = session.execute(query, {**asked, "limit": limit}).all()
        for row in rows:
            changes.add(row.entity, [row.entity_id])
        if len(rows) == limit:
            last[table] = rows[-1].id
    return changes, last


def _next(position: Position, mark: Any, judged: Ids) -> Position:
    next_ = replace(position, judged=judged, snapshot=mark.snapshot, open_attempts=mark.open_attempts)
    # Numbers of transactions begin again in another cluster: what was under way there is in a backup, or it is lost.
    is_open = position.pending_xid is not None and mark.oldest_xid < position.pending_xid <= mark.own_xid
    if is_open or any(judged[table] < position.pending[table] for table in judged):
        return next_
    return replace(
        next_,
        settled=position.pending,
        pending={table: min(mark.ids[table], judged[table]) for table in judged},
        pending_xid=mark.own_xid,
    )


def advance(session: Session, position: Position) -> None:
    """Let the next look go on from here."""
    ids = {name: json.dumps(getattr(position, name)) for name in ("settled", "judged", "pending")}
    rest = {name: getattr(position, name) for name in ("pending_xid", "open_attempts", "snapshot")}
    session.execute(change_queries.ADVANCE, {**ids, **rest})


def touched(session: Session, changes: Changes) -> Touched:
    """Return the charges and subscriptions that changes are about."""
    keys = session.scalars(change_queries.OF_KEYS, {"billing_keys": sorted(changes.billing_keys)}).all()
    subscriptions = changes.subscriptions | changes.consenting | set(keys)
    asked: Mapping[str, Any] = {
        "charges": sorted(changes.charges),
        "attempts": sorted(changes.attempts),
        "discrepancies": sorted(changes.discrepancies),
        "refunds": sorted(changes.refunds),
        "subscriptions": sorted(subscriptions),
        "consenting": sorted(changes.consenting),
        "consented": CONSENTED,
    }
    rows = session.execute(change_queries.TOUCHED, asked).all()
    return Touched([row.id for row in rows], subscriptions | {row.subscription_id for row in rows})
