"""The examples of docs/webhooks.md run as they stand there: what Again signs is what they take."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.delivery.webhook_sender import signed
from worker.domain.events import signing_secrets
from worker.domain.events.destinations import Message
from worker.domain.events.types import EventType

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL)
SECRET, OTHER = (signing_secrets.written(bytes(range(first, first + 32))) for first in (1, 100))


def message(position: int) -> Message:
    data = {"subscription": {"paid_until": "2026-02-05T00:00:00Z"}}
    now = datetime.now(UTC)
    return Message(id=f"evt_{position}", type=EventType.CHARGE_PAID, at=now, version=1, position=position, data=data)


@pytest.fixture
def names() -> list[dict[str, Any]]:
    """What each example defines."""
    found: list[dict[str, Any]] = [{}, {}]
    for example, defined in zip(EXAMPLES, found, strict=True):
        exec(example, defined)
    return found


@pytest.mark.parametrize("secrets", [[SECRET], [OTHER, SECRET]])
def test_documented_receiver_takes_what_is_signed_and_once(names: Any, secrets: list[str], capsys: Any):
    receive = names[0]["receive"]
    body = message(1).body()
    headers = signed(secrets, "evt_1", body, datetime.now(UTC))
    assert [receive(headers, body.encode(), SECRET) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == "paid until 2026-02-05T00:00:00Z\n"


def test_documented_receiver_refuses_another_signature_body_and_time(names: Any):
    receive = names[0]["receive"]
    body, now = message(1).body(), datetime.now(UTC)
    headers = signed([SECRET], "evt_1", body, now)
    assert receive(headers, body.encode(), OTHER) == 401
    assert receive(headers, body.replace("paid", "void").encode(), SECRET) == 401
    late = signed([SECRET], "evt_1", body, now.replace(year=now.year - 1, day=1))
    assert receive(late, body.encode(), SECRET) == 401


def test_documented_task_takes_what_is_sent(names: Any, capsys: Any):
    names[1]["on_event"](id="evt_2", **message(2).content())
    assert capsys.readouterr().out == "evt_2 paid until 2026-02-05T00:00:00Z\n"
