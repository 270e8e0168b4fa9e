"""Destinations, as operators add, try, rotate, disable, enable and remove them: `again webhook`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.events import signing_secrets
from worker.domain.events.addresses import url_problem
from worker.domain.events.destinations import (
    ALERTS_DESTINATION,
    EMAIL_DESTINATION,
    NAME,
    TASK_DESTINATION,
    DestinationKind,
    DestinationStatus,
)
from worker.domain.events.types import EventType
from worker.events import delivery_queries, destination_queries
from worker.events.destination_queries import Destination, NewDestination
from worker.events.drain import LEASE

LONGEST_NAME = 40

ALERTS = (EventType.ALERT_OPENED, EventType.ALERT_GROWN, EventType.ALERT_CLOSED)
"""What a chat is told of, unless other types are asked for."""

SETTING_OF = {
    TASK_DESTINATION: "AGAIN_EVENTS_TASK",
    EMAIL_DESTINATION: "AGAIN_SMTP_URL",
    ALERTS_DESTINATION: "AGAIN_ALERTS_TO",
}
"""The destinations that settings make, by their names."""

NOT_SET = " is not set"
"""How the reason ends with which a destination is disabled whose setting is gone."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A webhook and its newest secret, which is shown this once."""

    destination: Destination
    secret: str = field(repr=False)


def add_webhook(
    sessions: Sessions,
    url: str,
    *,
    name: str | None,
    types: Sequence[str],
    secret: str | None,
    allowed: Sequence[str],
    now: datetime,
) -> Signed:
    """Add a webhook: events that are written from now on go there. Raises Refused."""
    if problem := url_problem(url, allowed):
        raise Refused(f"The address {problem}.")
    new = NewDestination(
        name=_read_name(name if name is not None else _name_of(url)),
        kind=DestinationKind.WEBHOOK,
        target=url,
        secrets=[_secret(secret)],
        types=read_types(types),
    )
    with sessions.begin() as session:
        if not destination_queries.add(session, new, now=now):
            raise Refused(f"There is a destination {new.name} already; give --name another one.")
        return Signed(known(session, new.name), new.secrets[0])


def add_chat(
    sessions: Sessions, url: str, *, name: str | None, types: Sequence[str], allowed: Sequence[str], now: datetime
) -> Destination:
    """Add an incoming webhook of a chat, which is told of alerts, or of the types that are given. Raises Refused."""
    if problem := url_problem(url, allowed):
        raise Refused(f"The address {problem}.")
    new = NewDestination(
        name=_read_name(name if name is not None else _name_of(url)),
        kind=DestinationKind.CHAT,
        target=url,
        types=read_types(types) or list(ALERTS),
    )
    with sessions.begin() as session:
        if not destination_queries.add(session, new, now=now):
            raise Refused(f"There is a destination {new.name} already; give --name another one.")
        return known(session, new.name)


def rotate(sessions: Sessions, name: str, *, secret: str | None, now: datetime) -> Signed:
    """Make a webhook another secret; the one before signs as well, until the rotation is finished. Raises Refused."""
    with sessions.begin() as session:
        destination = known_signed(session, name)
        newest = _secret(secret)
        if newest in destination.secrets:
            raise Refused(f"That is a secret of {name} already; leave it out, and one is made.")
        destination_queries.set_secrets(session, destination.id, [newest, destination.secrets[0]], now=now)
        return Signed(known(session, name), newest)


def finish_rotation(sessions: Sessions, name: str, *, now: datetime) -> Destination:
    """Sign by the newest secret alone. Raises Refused where there is no other."""
    with sessions.begin() as session:
        destination = known_signed(session, name)
        if len(destination.secrets) == 1:
            raise Refused(f"{name} is signed by one secret alone; there is no rotation to finish.")
        destination_queries.set_secrets(session, destination.id, destination.secrets[:1], now=now)
        return known(session, name)


def enable(sessions: Sessions, name: str, *, now: datetime) -> Destination:
    """Let a destination have events again, and return it as it was before. What is queued is sent at once."""
    with sessions.begin() as session:
        before = known(session, name)
        if before.status is DestinationStatus.ACTIVE and not before.health.failures:
            raise Refused(f"{name} is active already.")
        if before.status_reason.endswith(NOT_SET):
            raise Refused(f"{before.status_reason}: set it, and the destination {name} is enabled by itself.")
        set_status(session, before, DestinationStatus.ACTIVE, reason="enabled", now=now)
        delivery_queries.retry_now(session, before.id, now=now, unless_before=now + LEASE)
        return before


def disable(sessions: Sessions, name: str, *, reason: str, now: datetime) -> Destination:
    """Send nothing more to a destination; what is queued for it stays. Raises Refused."""
    with sessions.begin() as session:
        destination = known(session, name)
        if destination.status is DestinationStatus.DISABLED:
            raise Refused(f"{name} is disabled already: {destination.status_reason}.")
        set_status(session, destination, DestinationStatus.DISABLED, reason=reason, now=now)
        return known(session, name)


def remove(sessions: Sessions, name: str, *, now: datetime) -> int:
    """Remove a webhook for good, with what is queued for it; returns how many events that were. Raises Refused."""
    with sessions.begin() as session:
        destination = known_added(session, name)
        set_status(session, destination, DestinationStatus.REMOVED, reason="removed", now=now)
        return delivery_queries.forget(session, destination.id)


def known(session: Session, name: str) -> Destination:
    """Return a destination by its name, locked. Raises Refused for an unknown one."""
    destination = destination_queries.named(session, name)
    if destination is None:
        raise Refused(f"There is no destination {name!r:.60}. `again webhook list` shows those there are.")
    return destination


def known_added(session: Session, name: str) -> Destination:
    """Return what a command has added, by its name and locked. Raises Refused for others, and for the host's task."""
    destination = known(session, name)
    if name in SETTING_OF:
        raise Refused(f"{name} is no webhook, but what {SETTING_OF[name]} says: change that setting.")
    return destination


def known_signed(session: Session, name: str) -> Destination:
    """Return a webhook that is signed, by its name and locked. Raises Refused for whatever has no secret."""
    destination = known_added(session, name)
    if destination.kind is not DestinationKind.WEBHOOK:
        raise Refused(f"{name} is a chat, which has no secret but its address: remove it, and add another address.")
    return destination


def read_types(types: Sequence[str]) -> list[str]:
    """Return types of events, each once. Raises Refused for one that there is not."""
    for each in types:
        if each not in list(EventType):
            raise Refused(f"There is no type of events {each!r:.60}. docs/events.md lists them.")
    return list(dict.fromkeys(types))


def set_status(
    session: Session, destination: Destination, status: DestinationStatus, *, reason: str, now: datetime
) -> None:
    """Enable, disable or remove a destination."""
    destination_queries.set_status(session, destination.id, status, reason=reason, now=now)


def _secret(given: str | None) -> str:
    made = signing_secrets.written(secrets.token_bytes(signing_secrets.BYTES))
    return made if given is None else signing_secrets.read(given)


def _name_of(url: str) -> str:
    """Return a name made of a URL's host."""
    host = urlsplit(url).hostname or ""
    return re.sub(r"[^a-z0-9]+", "-", host.lower())[:LONGEST_NAME].strip("-") or "webhook"


def _read_name(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise Refused(f"The name is {name!r:.60} but must be 1 to 40 of a-z, 0-9 and -, not - first.")
    if name in SETTING_OF:
        raise Refused(f"The name {name} is that of the destination which {SETTING_OF[name]} makes; choose another.")
    return name
