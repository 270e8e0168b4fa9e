"""From a change of state that the outbox has noted to the event that tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from schedules.notices import NO_NOTICE
from worker.domain.events.catalogue import CATALOGUE
from worker.domain.events.identifiers import event_id
from worker.domain.events.types import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A change of state as the outbox has noted it. `known` is all that is known of it, by the names of events."""

    type: EventType
    at: datetime
    key: str  # tells it from others of its type and its period, or its subscription
    subscription_id: int | None
    subscription: str | None  # its code
    period_start: datetime | None
    known: Mapping[str, Any]
    gone: Sequence[str] = ()  # which of the rows that it is about are there no more
    notices: str = NO_NOTICE  # which its plan wants
    time_zone: str | None = None  # of its plan


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to be written down; `data` is what its type's model has made of a fact."""

    id: str
    type: EventType
    version: int
    at: datetime
    subscription_id: int | None
    data: Mapping[str, Any]


class NotInCatalogue(Exception):
    """What is known of a fact is not what the catalogue says of its type; the text quotes no value."""


def event_of(fact: Fact) -> NewEvent:
    """Return the event of a fact: of all that is known, what the catalogue says of its type. Raises NotInCatalogue."""
    entry = CATALOGUE[fact.type]
    try:
        data = entry.data.model_validate({name: fact.known.get(name) for name in entry.data.model_fields})
    except ValidationError as error:
        places = sorted({".".join(map(str, each["loc"])) for each in error.errors(include_input=False)})
        raise NotInCatalogue(
            f"A {fact.type.value} in the outbox has a {', '.join(places)} that docs/events.schema.json does not allow, "
            "so no events are published: run the version of Again that has migrated this database."
        ) from None
    return NewEvent(
        id=event_id(fact.type, fact.subscription, fact.period_start, fact.key),
        type=fact.type,
        version=entry.version,
        at=fact.at,
        subscription_id=fact.subscription_id,
        data=data.model_dump(mode="json"),
    )
