"""Charge requests to the sandbox and its answers, as values."""

from __future__ import annotations

import json
from typing import Any

from worker.sandbox.rules import charge_requests
from worker.sandbox.rules.answers import Answer
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.charge_requests import ChargeRequest

FIELDS: dict[str, Any] = {"customer_uid": "key", "merchant_uid": "m1", "amount": 9900, "name": "Plan"}


def call(**fields: Any) -> Call:
    return Call("POST", "/subscribe/payments/again", fields={**FIELDS, **fields})


def request(**fields: Any) -> ChargeRequest:
    return charge_requests.read(call(**fields))


def code_and_status(answer: Answer | None) -> tuple[int, int] | None:
    return None if answer is None else (json.loads(answer.body)["code"], answer.status)
