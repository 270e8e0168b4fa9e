"""A message as it is delivered."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from worker.domain.events.destinations import DestinationKind, Endpoint, Message
from worker.domain.events.types import EventType

SEOUL = timezone(timedelta(hours=9))


def test_body_holds_the_event_with_its_time_in_utc_and_texts_as_they_are():
    message = Message(
        id="evt_1",
        type=EventType.CHARGE_PAID,
        at=datetime(2026, 1, 5, 12, 0, tzinfo=SEOUL),
        version=1,
        position=7,
        data={"name": "골드"},
    )
    assert "골드" in message.body()
    assert json.loads(message.body()) == {
        "type": "charge.paid",
        "timestamp": "2026-01-05T03:00:00Z",
        "version": 1,
        "position": 7,
        "data": {"name": "골드"},
    }


def test_secrets_of_an_endpoint_do_not_show():
    endpoint = Endpoint(kind=DestinationKind.WEBHOOK, target="https://example.com", secrets=["whsec_sesame"])
    assert "sesame" not in repr(endpoint)
