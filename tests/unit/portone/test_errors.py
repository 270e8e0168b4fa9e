"""What each failure of a call proves: only a failure to connect proves that nothing was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from worker.domain.outcomes import NO_ANSWER, Answer, NotChargedReason, UnknownReason
from worker.portone.errors import (
    MAYBE_PROCESSED,
    NOTHING_SENT,
    NoAnswer,
    NoToken,
    NotReached,
    NotSent,
    PortOneError,
    Rejected,
    TooLate,
    Unauthorized,
    explain,
)


def family(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


HTTPX_ERRORS = sorted({kind for kind in family(httpx.RequestError) if kind.__module__.startswith("httpx")}, key=str)


@pytest.mark.parametrize("kind", HTTPX_ERRORS)
def test_every_httpx_error_is_in_exactly_one_table(kind):
    assert (kind in NOTHING_SENT) != (kind in MAYBE_PROCESSED), (
        f"{kind} is new or in both: decide whether it proves that not one byte was sent"
    )


def test_errors_that_prove_that_nothing_was_sent_are_exactly_these():
    assert {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol} == NOTHING_SENT


@pytest.mark.parametrize("kind", HTTPX_ERRORS)
def test_httpx_error_is_explained_by_its_table(kind):
    explained = explain(kind("what the library says"))
    if kind in NOTHING_SENT:
        assert isinstance(explained, NotReached)
    else:
        assert isinstance(explained, NoAnswer)
        assert explained.reason is MAYBE_PROCESSED[kind]
        assert explained.answer == Answer(message=kind.__name__), "the library's text could hold an address"


@pytest.mark.parametrize("parent", sorted(NOTHING_SENT, key=str))
def test_unknown_subclass_of_a_listed_error_counts_as_unknown(parent):
    class New(parent):  # type: ignore[misc, valid-type]  # a class made of a parameter
        pass

    assert isinstance(explain(New("new")), NoAnswer)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("what is this"), UnknownReason.UNREADABLE),
        (RecursionError(), UnknownReason.UNREADABLE),
        (MemoryError(), UnknownReason.UNREADABLE),
        (KeyError("status"), UnknownReason.UNREADABLE),
        (TimeoutError(), UnknownReason.TIMEOUT),
        (httpx.InvalidURL("x"), UnknownReason.UNREADABLE),
        (httpx.StreamError("x"), UnknownReason.UNREADABLE),
        (aiohttp.ClientConnectionError(), UnknownReason.UNREADABLE),  # one the transport let through
        (ConnectionRefusedError(), UnknownReason.UNREADABLE),  # at an unknown moment
        (ssl.SSLError(), UnknownReason.UNREADABLE),
    ],
)
def test_unlisted_error_counts_as_unknown(error, reason):
    explained = explain(error)
    assert isinstance(explained, NoAnswer)
    assert explained.reason is reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (NotReached, NotChargedReason.CONNECT_FAILED),
        (NoToken, NotChargedReason.NO_TOKEN),
        (Unauthorized, NotChargedReason.UNAUTHORIZED),
    ],
)
def test_not_sent_error_carries_its_reason(kind, reason):
    assert issubclass(kind, NotSent)
    assert kind("text").reason is reason


def test_error_tree_is_complete_and_names_remedies():
    leaves = [kind for kind in family(PortOneError) if not kind.__subclasses__()]
    assert set(leaves) == {NotReached, NoToken, Unauthorized, TooLate, NoAnswer, Rejected}
    for kind in (NotReached, NoToken, Unauthorized):
        assert "check" in str(kind.__doc__)


def test_error_texts_are_sentences():
    assert str(NoAnswer(UnknownReason.TIMEOUT, NO_ANSWER)) == "no readable answer: timeout"
    refused = Rejected(Answer(http_status=200, code="1", message="취소할 결제건이 존재하지 않습니다."))
    assert str(refused) == "PortOne rejected the call (HTTP 200, code 1): 취소할 결제건이 존재하지 않습니다."


def test_connection_error_names_the_host():
    key = ConnectionKey("api.iamport.kr", 443, True, True, None, None, None)
    text = str(aiohttp.ClientConnectorError(key, OSError(111, "Connection refused")))
    assert "api.iamport.kr:443" in str(explain(httpx.ConnectError(text)))


def test_asyncio_timeout_error_is_the_builtin_one():
    assert asyncio.TimeoutError is TimeoutError, "gateway.charge catches the deadline by this name"
