"""What a host has received, compared with the events there are: all of it, in order, and again only as promised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.domain.events.types import EventType


class HostReply(StrEnum):
    TAKE = "take"
    LOSE = "lose"  # it takes the message, and its answer is lost
    HANG = "hang"  # it takes the message, and never answers
    REFUSE = "refuse"  # answered 500, and nothing is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event, as it is kept or as it has arrived."""

    position: int
    id: str
    type: EventType
    data: Any

    @property
    def subscription(self) -> str | None:
        """The code of the subscription that it is about, if it is about one."""
        subscription = self.data.get("subscription")
        return None if subscription is None else str(subscription["code"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival(Told):
    """One message, as it arrived; one that comes again is another arrival of the same position."""

    reply: HostReply

    @property
    def taken(self) -> bool:
        return self.reply is not HostReply.REFUSE

    @property
    def acknowledged(self) -> bool:
        return self.reply is HostReply.TAKE


def problems(kept: Sequence[Told], arrivals: Sequence[Arrival], *, faults: int) -> Iterator[str]:
    """Return what does not hold, after a number of faults each of which may have sent a message once more."""
    yield from _not_received(kept, arrivals)
    yield from _out_of_order(kept, arrivals)
    yield from _repeated(arrivals, faults)
    yield from _otherwise_named([*kept, *arrivals])


def _not_received(kept: Iterable[Told], arrivals: Iterable[Arrival]) -> Iterator[str]:
    received = {(each.position, each.id) for each in arrivals if each.taken}
    for event in kept:
        if (event.position, event.id) not in received:
            yield f"{event.type} at {event.position} has never arrived"


def _out_of_order(kept: Iterable[Told], arrivals: Iterable[Arrival]) -> Iterator[str]:
    """Nothing arrives of a subscription, not even to be refused, before all that stands before it was taken.

    What was refused and is not kept was lost with a database: the restored one tells it in another place.
    """
    of_each: dict[str, set[int]] = defaultdict(set)
    for told in (*kept, *(each for each in arrivals if each.taken)):
        if told.subscription is not None:
            of_each[told.subscription].add(told.position)
    taken: set[int] = set()
    for arrival in arrivals:
        if arrival.subscription is not None:
            earlier = {position for position in of_each[arrival.subscription] if position < arrival.position}
            if earlier - taken:
                yield f"{arrival.type} at {arrival.position} has overtaken {sorted(earlier - taken)}"
        if arrival.taken:
            taken.add(arrival.position)


def _repeated(arrivals: Iterable[Arrival], faults: int) -> Iterator[str]:
    """An event comes again after an answer that was none, and after a fault, as often as there were any."""
    of_each: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        of_each[arrival.position].append(arrival)
    for position, several in of_each.items():
        if len(several) - 1 > faults + sum(not each.acknowledged for each in several[:-1]):
            yield f"{several[0].type} at {position} has arrived {len(several)} times"


def _otherwise_named(told: Iterable[Told]) -> Iterator[str]:
    """The same fact has the same id, though a restored backup was told of it once more; and no two facts share one."""
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    facts: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for each in told:
        if (fact := _fact(each)) is not None:
            ids[fact].add(each.id)
            facts[each.id].add(fact)
    yield from (f"{fact} is told under {sorted(several)}" for fact, several in ids.items() if len(several) > 1)
    yield from (f"{one} tells of {sorted(several)}" for one, several in facts.items() if len(several) > 1)


def _fact(told: Told) -> tuple[str, ...] | None:
    """Return what is known to happen once, by what a restored database comes to again."""
    match told.type:
        case EventType.SUBSCRIPTION_CREATED:
            return told.type, str(told.subscription)
        case EventType.CHARGE_PAID | EventType.CHARGE_VOIDED:
            return told.type, str(told.subscription), told.data["charge"]["period_start"]
        case EventType.CHARGE_DECLINED:
            return told.type, told.data["attempt"]["merchant_uid"]
        case _:
            return None
