"""The id of an event is the fact's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from worker.domain.events.identifiers import event_id
from worker.domain.events.types import EventType

STARTS = datetime(2026, 1, 5, 1, tzinfo=UTC)
PAID = EventType.CHARGE_PAID


def test_same_fact_has_the_same_id_wherever_it_is_written_down():
    one = event_id(PAID, "0000000000001", STARTS, "")
    assert event_id(PAID, "0000000000001", STARTS.astimezone(timezone(timedelta(hours=9))), "") == one
    assert re.fullmatch("evt_[a-z2-7]{24}", one)


def test_facts_that_differ_in_anything_have_different_ids():
    ids = [
        event_id(PAID, "0000000000001", STARTS, ""),
        event_id(EventType.CHARGE_VOIDED, "0000000000001", STARTS, ""),
        event_id(PAID, "0000000000002", STARTS, ""),
        event_id(PAID, "0000000000001", STARTS + timedelta(seconds=1), ""),
        event_id(PAID, "0000000000001", STARTS, "1"),
        event_id(PAID, "0000000000001", None, ""),
        event_id(PAID, None, STARTS, ""),
    ]
    assert len(set(ids)) == len(ids)
