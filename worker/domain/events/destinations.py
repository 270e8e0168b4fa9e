"""Where events go, and what is put there: a message, and what came of sending it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from worker.domain.events.types import EventType

TASK_DESTINATION = "celery"
"""The name of the destination that settings make: the host's Celery task."""

EMAIL_DESTINATION = "email"
"""The name of the destination that settings make: notices by SMTP."""

ALERTS_DESTINATION = "alerts"
"""The name of the destination that settings make: alerts to operators, by SMTP."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class DestinationKind(StrEnum):
    WEBHOOK = "webhook"
    TASK = "task"  # a Celery task of the host
    CHAT = "chat"  # an incoming webhook of Slack, Mattermost or what understands their form
    EMAIL = "email"  # notices to subscriptions that have an address, and alerts to operators


class DestinationStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"  # nothing is queued and nothing is sent
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a message is sent, and what signs it."""

    kind: DestinationKind
    target: str  # a URL, or the name of a Celery task
    secrets: Sequence[str] = field(default=(), repr=False)  # newest first; all sign while a receiver changes over


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event as it is delivered. `id` names the fact: sent again, it is the same."""

    id: str
    type: EventType
    at: datetime
    version: int
    position: int
    data: Mapping[str, Any]

    def content(self) -> dict[str, Any]:
        """Return what is sent besides the id, which a webhook has in its headers."""
        return {
            "type": self.type.value,
            "timestamp": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "version": self.version,
            "position": self.position,
            "data": dict(self.data),
        }

    def body(self) -> str:
        """Return the body of a webhook, which is signed as it is."""
        return json.dumps(self.content(), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Delivered:
    """It has arrived."""

    answer: str = ""  # what the receiver said, in a few words


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """It may not have arrived: it is sent again. The reason is short, and quotes nothing that a receiver said."""

    reason: str
    gone: bool = False  # the receiver wants nothing more, ever


Delivery = Delivered | NotDelivered


class Sender(Protocol):
    """Sends messages to one kind of destination; never raises."""

    async def send(self, endpoint: Endpoint, message: Message, *, now: datetime) -> Delivery: ...

    async def aclose(self) -> None: ...


Senders = Mapping[DestinationKind, Sender]
