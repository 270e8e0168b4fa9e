"""From a fact to its event: what the catalogue says of its type, and nothing else that is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from worker.domain.events.facts import Fact, NotInCatalogue, event_of
from worker.domain.events.types import EventType

AT = datetime(2026, 1, 5, 1, tzinfo=UTC)
FACT = Fact(
    type=EventType.CHANNEL_STOPPED,
    at=AT,
    key="kakaopay",
    subscription_id=None,
    subscription=None,
    period_start=None,
    known={"pg": "kakaopay", "reason": "asked for by Hong"},
)


def test_event_says_what_its_type_says_and_nothing_else():
    event = event_of(FACT)
    assert (event.type, event.at, event.version, event.data) == (EventType.CHANNEL_STOPPED, AT, 1, {"pg": "kakaopay"})


def test_fact_that_lacks_what_its_type_says_is_no_event():
    with pytest.raises(NotInCatalogue, match=r"channel\.stopped in the outbox has a pg"):
        event_of(replace(FACT, known={}))
