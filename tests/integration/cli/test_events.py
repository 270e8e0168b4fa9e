"""`again events`: what Again has told others."""

from __future__ import annotations

import json

import pytest

from tests.integration.cli.conftest import Again
from worker.database.engine import Sessions
from worker.events.publishing import publish


def test_events_are_listed_and_shown(again: Again, subscription: str, sessions: Sessions):
    assert "1 change of state not published yet" in again("events", "list").err
    publish(sessions)
    [event] = again("events", "list", "--json").document
    assert (event["type"], event["data"]["subscription"]["code"]) == ("subscription.created", subscription)
    listed = again("events", "list", "--subscription", subscription, "--type", "subscription.created").out
    assert event["id"] in listed
    assert json.dumps(subscription) in again("events", "show", event["id"]).out
    assert again("events", "list", "--type", "charge.paid", "--json").document == []


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("show", "evt_none"), 1, "There is no event 'evt_none'"),
        (("list", "--type", "charge.payed"), 2, "charge.payed"),
        (("prune",), 2, "--older-than"),
        (("prune", "--older-than", 0), 2, "older-than"),
    ],
)
def test_wrong_question_about_events_is_refused(again: Again, arguments: tuple[object, ...], code: int, expected: str):
    assert expected in again("events", *arguments, code=code).said


def test_events_are_pruned_once_they_are_old(again: Again, subscription: str, sessions: Sessions):
    publish(sessions)
    assert again("events", "prune", "--older-than", 1, "--json").document["deleted"] == 0
    assert "0 events" in again("events", "prune", "--older-than", 1).out
    assert len(again("events", "list", "--json").document) == 1
