"""When a payment window expires, and which decisions it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.sandbox_windows import window
from worker.sandbox.rules.answers import ApiError
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.windows import Choice, State, read_decision


def test_only_an_open_window_expires():
    assert not window().is_expired(1899, life_seconds=900)
    assert window().is_expired(1900, life_seconds=900)
    assert not replace(window(), state=State.APPROVED).is_expired(9999, life_seconds=900)


def test_decision_is_read_from_a_form_or_from_json():
    fields = {"decision": "decline", "instrument": "money", "reason": "balance"}
    decision = read_decision(Call("POST", "/", fields=fields), window(pg="payco"))
    assert (decision.choice, decision.instrument, decision.reason.code) == (Choice.DECLINE, Instrument.MONEY, "CC10")


@pytest.mark.parametrize("fields", [{}, {"decision": "maybe"}, {"decision": "approve", "instrument": "gold"}])
def test_decision_that_a_window_does_not_offer_is_rejected(fields: dict[str, Any]):
    with pytest.raises(ApiError):
        read_decision(Call("POST", "/", fields=fields), window())
