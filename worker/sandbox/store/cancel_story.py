"""How `POST /payments/cancel` goes, call by call: a story as keys have, kept in the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence

from worker.sandbox.rules import stories
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.behaviours import Behaviour, current, drawn
from worker.sandbox.store.ledger import Ledger

STORY, CALLS = "cancel_story", "cancel_calls"


def set_story(ledger: Ledger, story: Sequence[Behaviour]) -> None:
    """Start a new story of cancels; an empty one cancels."""
    with ledger.transaction():
        ledger.write_state(STORY, as_json(stories.written(story)))
        ledger.write_state(CALLS, "0")


def next_behaviour(ledger: Ledger) -> Behaviour:
    """Use up one call of the story, and return how it goes: `paid` cancels, `declined` is refused by the PG."""
    story = stories.read(json.loads(ledger.read_state(STORY) or "[]"))
    calls = int(ledger.read_state(CALLS) or 0)
    ledger.write_state(CALLS, str(calls + 1))
    return drawn(current(story, calls), "cancel", calls)
