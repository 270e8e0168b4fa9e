"""What operators are told: what is wrong and what to do, and in a chat nothing that calls people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from worker.domain.events.destinations import Message
from worker.domain.events.operator_texts import HEADINGS, chat_text, mail_text
from worker.domain.events.types import EventType

ALERT = {"check": "stops", "finding": "payco since 2026-12-01 09:00 KST: drill", "remedy": "again start payco"}


def message(kind: EventType, data: dict[str, Any]) -> Message:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    return Message(id="evt_1", type=kind, at=at, version=1, position=1, data=data)


def told(kind: EventType, data: dict[str, Any]) -> str:
    return chat_text(message(kind, data))


def test_open_alert_says_what_is_wrong_and_what_to_do():
    heading, finding, remedy = told(EventType.ALERT_OPENED, ALERT).splitlines()
    assert heading == ":red_circle: *Again* 문제가 생겼습니다 / trouble: *stops*"
    assert (finding, remedy) == (ALERT["finding"], ALERT["remedy"])


def test_closed_alert_says_which_trouble_is_over():
    text = told(EventType.ALERT_CLOSED, ALERT)
    assert text == ":large_green_circle: *Again* 해결되었습니다 / over: *stops*"


@pytest.mark.parametrize("word", ["<!channel>", "<!here>", "<@U012AB3CD>", "<https://evil.example|look>"])
def test_text_of_an_operator_calls_no_one_and_leads_nowhere(word: str):
    assert word not in told(EventType.ALERT_OPENED, {**ALERT, "finding": f"payco: {word}"})


@pytest.mark.parametrize(
    ("data", "about"),
    [
        ({"pg": "payco"}, "payco"),
        ({"name": "one payment per period", "rows": 1}, "one payment per period"),
        ({"subscription": {"code": "7ZK3M9QX2VB4C"}}, "7ZK3M9QX2VB4C"),
        ({}, None),
    ],
)
def test_other_event_is_told_by_its_type_and_what_it_is_about(data: dict[str, Any], about: str | None):
    text = told(EventType.CHANNEL_STOPPED, data)
    assert text == f":white_circle: *Again* channel.stopped{f': *{about}*' if about else ''}"


def test_every_event_of_an_alert_has_a_heading():
    assert {kind for kind in EventType if kind.value.startswith("alert.")} <= HEADINGS.keys()


def test_mail_says_the_same_as_the_chat_without_its_markup():
    subject, body = mail_text(message(EventType.ALERT_OPENED, ALERT))
    assert subject == "[Again] 문제가 생겼습니다 / trouble: stops"
    assert body == f"{subject}\n\n{ALERT['finding']}\n\n{ALERT['remedy']}\n"
