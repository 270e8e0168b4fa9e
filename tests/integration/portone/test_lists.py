"""Lists of payments by time, and refunds: values, never exceptions, and never half a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from tests.support.attempts import payment
from tests.support.gateways import gateway_to
from tests.support.wire_server import Request, Wire, envelope, http, wire_server
from worker.domain.gateway import Found, ListChanged, LookUpFailed, PaymentRecord, Refund, RefundRefused, TooMany

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
REFUND = Refund(imp_uid="imps_000000000001", amount=9900, checksum=9900, tax_free=0, reason="paid twice")


def page(*numbers: int, total: int, following: int = 0) -> bytes:
    listed = [payment(imp_uid=f"imps_{number}") for number in numbers]
    return envelope({"total": total, "previous": 0, "next": following, "list": listed})


Listed = Found | TooMany | LookUpFailed


def read(
    answer: Callable[[Request], bytes], *, pause: float = 0.0, most: int | None = None
) -> tuple[Listed, list[Request]]:
    async def ask() -> tuple[Listed, list[Request]]:
        async def answering(wire: Wire, request: Request) -> None:
            await wire.send(answer(request))

        async with wire_server(answering) as server, gateway_to(server.url, deadline=2.0) as gateway:
            found = await gateway.payments("paid", since=SINCE, until=UNTIL, pause=pause, most=most)
            return found, [each for each in server.requests if each.path != "/users/getToken"]

    return asyncio.run(ask())


def paged(request: Request) -> bytes:
    first = "page=1" in request.path
    return http(200, page(1, 2, total=3, following=2) if first else page(3, total=3))


def test_all_pages_are_read_oldest_start_first():
    found, requests = read(paged)
    assert isinstance(found, Found)
    assert [record.imp_uid for record in found.records] == ["imps_1", "imps_2", "imps_3"]
    assert len(requests) == 2
    assert f"from={int(SINCE.timestamp())}&to={int(UNTIL.timestamp())}" in requests[0].path
    assert "sorting=started" in requests[0].path


def test_every_request_for_a_page_waits_for_the_pause():
    started = monotonic()
    found, _ = read(paged, pause=0.05)
    assert isinstance(found, Found)
    assert monotonic() - started >= 0.15  # two pages, and the look beyond the last


def test_time_slice_without_payments_is_an_empty_list():
    assert read(lambda _: http(200, page(total=0)))[0] == Found(())


@pytest.mark.parametrize(
    "second",
    [
        page(3, total=4),  # something moved between the pages
        page(total=3),  # fewer than its total
        envelope(code=-1, message="no"),
        b"<html>",
    ],
)
def test_list_with_an_unreadable_page_is_a_failed_look_up(second: bytes):
    def answer(request: Request) -> bytes:
        return http(200, page(1, 2, total=3, following=2) if "page=1" in request.path else second)

    assert isinstance(read(answer)[0], LookUpFailed)


@pytest.mark.parametrize(
    "second",
    [
        page(3, total=4),  # one more, somewhere
        page(total=3),  # one less, and the total unchanged
    ],
)
def test_list_that_changes_while_it_is_read_is_reported_as_changed(second: bytes):
    def answer(request: Request) -> bytes:
        return http(200, page(1, 2, total=3, following=2) if "page=1" in request.path else second)

    assert isinstance(read(answer)[0], ListChanged)


def test_list_with_too_many_payments_ends_after_one_page():
    found, requests = read(paged, most=2)
    assert (found, len(requests)) == (TooMany(3), 1)
    assert isinstance(read(paged, most=3)[0], Found)


def test_unreadable_payment_in_a_list_is_counted_and_hides_no_other(monkeypatch: pytest.MonkeyPatch):
    heard = CapturingLogger()
    monkeypatch.setattr("worker.portone.adapter.log", heard)
    listed = [
        payment(imp_uid="imps_1"),
        payment(imp_uid="imps_2", merchant_uid="shop-1", amount=10.5, currency="USD"),
        payment(imp_uid="imps_3", amount=10.5),
    ]
    found, _ = read(lambda _: http(200, envelope({"total": 3, "previous": 0, "next": 0, "list": listed})))
    assert isinstance(found, Found)
    assert ([record.imp_uid for record in found.records], found.skipped) == (["imps_1"], 2)
    assert len(heard.calls) == 1, "a stranger's is nobody's business"
    assert heard.calls[0].kwargs["merchant_uid"] == listed[2]["merchant_uid"]


def test_list_from_a_server_that_is_down_is_a_failed_look_up():
    assert isinstance(read(lambda _: http(503, b"<html>"))[0], LookUpFailed)


def refund(answer: bytes | None) -> tuple[PaymentRecord | RefundRefused | LookUpFailed, list[Any]]:
    async def ask() -> tuple[PaymentRecord | RefundRefused | LookUpFailed, list[Any]]:
        async def answering(wire: Wire, request: Request) -> None:
            if answer is None:
                wire.reset()
            else:
                await wire.send(answer)

        async with wire_server(answering) as server, gateway_to(server.url) as gateway:
            given = await gateway.refund(REFUND)
            return given, [json.loads(each.body) for each in server.requests if each.path == "/payments/cancel"]

    return asyncio.run(ask())


def test_refund_sends_the_expected_remainder_as_its_checksum():
    given, requests = refund(http(200, envelope(payment("cancelled"))))
    assert isinstance(given, PaymentRecord)
    assert given.cancel_amount == 9900
    assert requests == [{"imp_uid": "imps_000000000001", "checksum": 9900, "tax_free": 0, "reason": "paid twice"}]


def test_rejected_refund_carries_portones_message():
    given, _ = refund(http(200, envelope(code=1, message="취소할 결제건이 존재하지 않습니다.")))
    assert isinstance(given, RefundRefused)
    assert given.answer.message == "취소할 결제건이 존재하지 않습니다."


@pytest.mark.parametrize("answer", [None, http(500, b""), http(200, b"{"), http(200, envelope({"imp_uid": 7}))])
def test_refund_without_a_readable_answer_is_a_failed_look_up(answer: bytes | None):
    assert isinstance(refund(answer)[0], LookUpFailed)
