"""Every charge and every subscription, in slices by their ids: what a full pass of the invariants walks through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from worker.operations import full_pass_queries
from worker.operations.changed_rows import Touched
from worker.operations.invariant_judge import SLICE


@dataclass(frozen=True, slots=True)
class Place:
    """The last charge and the last subscription that were judged; every charge comes before the subscriptions."""

    charge: int = 0
    subscription: int = 0


START = Place()


def after(session: Session, place: Place) -> tuple[Touched, Place] | None:
    """Return the next slice, and the place at its end; None after the last one."""
    charges = session.scalars(full_pass_queries.CHARGES, {"after": place.charge, "limit": SLICE}).all()
    if charges:
        return Touched(charges, ()), Place(charges[-1], place.subscription)
    subscriptions = session.scalars(
        full_pass_queries.SUBSCRIPTIONS, {"after": place.subscription, "limit": SLICE}
    ).all()
    if subscriptions:
        return Touched((), subscriptions), Place(place.charge, subscriptions[-1])
    return None


def walk(session: Session) -> Iterator[Touched]:
    """Return one slice after the other, of all rows."""
    place = START
    while (following := after(session, place)) is not None:
        touched, place = following
        yield touched


def end(session: Session) -> Place:
    """Return where a pass ends, as things stand."""
    return Place(*session.execute(full_pass_queries.LAST).one())
