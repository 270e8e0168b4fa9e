"""Destinations that settings make: the host's Celery task, and e-mails. They are kept as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.events.destinations import (
    ALERTS_DESTINATION,
    EMAIL_DESTINATION,
    TASK_DESTINATION,
    DestinationKind,
    DestinationStatus,
)
from worker.domain.events.types import EventType
from worker.events import destination_queries
from worker.events.destination_queries import Destination, NewDestination
from worker.events.destinations import ALERTS, NOT_SET, SETTING_OF, known, set_status


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDestination:
    """A destination as the settings say; `target` is None where they name none."""

    name: str
    kind: DestinationKind
    target: str | None
    types: Sequence[EventType] = ()

    @property
    def setting(self) -> str:
        return SETTING_OF[self.name]


def of_settings(task: str | None, smtp_from: str | None, alerts_to: str | None) -> tuple[KeptDestination, ...]:
    """Return the destinations of the host's task, of notices by e-mail, and of alerts to the address of operators."""
    return (
        KeptDestination(name=TASK_DESTINATION, kind=DestinationKind.TASK, target=task),
        KeptDestination(
            name=EMAIL_DESTINATION, kind=DestinationKind.EMAIL, target=smtp_from, types=(EventType.NOTICE_DUE,)
        ),
        KeptDestination(name=ALERTS_DESTINATION, kind=DestinationKind.EMAIL, target=alerts_to, types=ALERTS),
    )


def keep(sessions: Sessions, wanted: Sequence[KeptDestination], *, now: datetime) -> None:
    """Keep destinations as the settings say; nothing is written where they are so."""
    with sessions() as session:
        found = {each.name: each for each in destination_queries.listed(session)}
    for each in wanted:
        if not _is_kept(found.get(each.name), each):
            with sessions.begin() as session:
                _keep(session, each, now)


def _is_kept(found: Destination | None, wanted: KeptDestination) -> bool:
    if found is None:
        return wanted.target is None
    if wanted.target is None:
        return found.status is DestinationStatus.DISABLED
    return found.target == wanted.target and found.status_reason != wanted.setting + NOT_SET


def _keep(session: Session, wanted: KeptDestination, now: datetime) -> None:
    if wanted.target is not None:
        new = NewDestination(
            name=wanted.name, kind=wanted.kind, target=wanted.target, types=[each.value for each in wanted.types]
        )
        destination_queries.add(session, new, now=now)
    destination = known(session, wanted.name)
    reason = wanted.setting + NOT_SET
    if wanted.target is None:
        set_status(session, destination, DestinationStatus.DISABLED, reason=reason, now=now)
        return
    if destination.target != wanted.target:
        destination_queries.set_target(session, destination.id, wanted.target)
    if destination.status_reason == reason:
        set_status(session, destination, DestinationStatus.ACTIVE, reason=f"{wanted.setting} is set", now=now)
