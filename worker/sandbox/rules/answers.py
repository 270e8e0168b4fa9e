"""Answers as values: wait for a while, then answer in one of several ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.sandbox.rules import texts

JSON_TYPE = "application/json; charset=utf-8"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Delivery(StrEnum):
    """How an answer travels; the driver (HTTP, a simulation) decides what that means in bytes."""

    WHOLE = "whole"
    HANG = "hang"  # nothing ever arrives: the client has to time out
    DROP = "drop"  # the connection is closed in good order before a byte of the answer
    RESET = "reset"  # the connection is reset (RST) before a byte of the answer
    CUT = "cut"  # the head and half of the body arrive, then the connection is closed


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that passes before the next step, whether or not the client is still there."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The last step of a request. `result` is the code in the ledger's list of requests."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = Delivery.WHOLE
    result: str = "answered"

    @property
    def said(self) -> str:
        """The message of an error answer."""
        message: str = json.loads(self.body)["message"]
        return message


Steps = Iterator[Pause | Answer]


def pause(seconds: float) -> Iterator[Pause]:
    """Return the step that waits so long; none for no time."""
    if seconds > 0:
        yield Pause(seconds)


class ApiError(Exception):
    """Ends a request with an error answer; `endpoints.handle` turns it into the last step."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.result)
        self.answer = answer


def as_json(value: Any) -> str:
    """Return compact JSON with Korean unescaped."""
    return _ENCODER.encode(value)


def answered(document: str, *, status: int = 200, result: str = "answered") -> Answer:
    """Return a JSON document in the envelope of a call that worked (code 0, message null) [documented]."""
    return Answer(status, f'{{"code":0,"message":null,"response":{document}}}'.encode(), result=result)


def refusal(message: str, *, code: int = 1, status: int = 200, result: str = "refused") -> Answer:
    """Return an error envelope. Code 1 is PortOne's own refusal, -1 comes from further down [seen in client code]."""
    body = as_json({"code": code, "message": message, "response": None})
    return Answer(status, body.encode(), result=result)


def bad_request(message: str) -> Answer:
    """Return the answer to an unreadable request. The status 400 was seen for missing fields; code 1 is assumed."""
    return refusal(message, status=400)


def not_found(message: str = texts.NO_PAYMENT) -> Answer:
    """Return "not found": 404 [documented], text [seen in client code], code 1 [assumed]."""
    return refusal(message, status=404, result="not_found")


def not_in_sandbox(what: str) -> Answer:
    """Return "not part of this sandbox": 501, so that no client takes it for "not found"."""
    return refusal(texts.NOT_IN_SANDBOX.format(what=what), status=501, result="not_in_sandbox")


def unauthorized() -> Answer:
    """Return the 401 for a missing or expired token: body [seen in client code, weak], header as spelt [documented]."""
    body = as_json({"code": -1, "message": "Unauthorized", "response": None})
    return Answer(401, body.encode(), headers=(("WWW-Authorize", "iamport"),), result="unauthorized")


def server_error() -> Answer:
    """Return HTTP 500. PortOne's body for this is not known; an envelope is assumed."""
    body = as_json({"code": -1, "message": "Internal Server Error", "response": None})
    return Answer(500, body.encode(), result="error")


def unavailable() -> Answer:
    """Return 503 with the HTML page of a proxy in front of the API [assumed]: not an envelope, not JSON."""
    page = b"<html><head><title>503</title></head><body><h1>503 Service Temporarily Unavailable</h1></body></html>"
    return Answer(503, page, "text/html", result="unavailable")


def never() -> Answer:
    """Return no answer at all: the connection stays open."""
    return Answer(delivery=Delivery.HANG, result="hung")


def dropped(delivery: Delivery = Delivery.DROP) -> Answer:
    """Return no answer: the connection ends without a byte."""
    return Answer(delivery=delivery, result="dropped")
