"""Every endpoint of the client against the sandbox, over real HTTP; and its bytes on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest

from tests.support.attempts import request
from tests.support.gateways import gateway_to
from tests.support.sandbox import HandClock, RunningSandbox, running_sandbox
from tests.support.wire_server import Request, Wire, envelope, http, pays, wire_server
from worker.domain.gateway import ChargeRequest, Found, PaymentRecord, Refund
from worker.domain.outcomes import Declined, DeclineKind, NotCharged, Outcome, Paid, Unknown, UnknownReason
from worker.portone.adapter import PortOneGateway
from worker.portone.client import MAX_PAGE, PortOneClient
from worker.portone.connection import MAX_BODY_BYTES
from worker.portone.errors import NoAnswer, PortOneError, Rejected
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, pay, troubled
from worker.sandbox.switches import Outage

T = TypeVar("T")

SANDBOX = ("sandbox", "sandbox")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RunningSandbox, HandClock]]:
    clock = HandClock()
    with running_sandbox(clock=clock) as sandbox:
        yield sandbox, clock


@pytest.fixture
def sandbox(running: tuple[RunningSandbox, HandClock]) -> RunningSandbox:
    """The module's sandbox, empty."""
    running[0].admin.reset()
    return running[0]


@pytest.fixture
def clock(running: tuple[RunningSandbox, HandClock]) -> HandClock:
    return running[1]


def with_gateway(sandbox: RunningSandbox, work: Callable[[PortOneGateway], Awaitable[T]], **options: Any) -> T:
    async def story() -> T:
        async with gateway_to(sandbox.base_url, credentials=SANDBOX, **options) as gateway:
            return await work(gateway)

    return asyncio.run(story())


def with_client(sandbox: RunningSandbox, work: Callable[[PortOneClient], Awaitable[T]]) -> T:
    return with_gateway(sandbox, lambda gateway: work(gateway._client))


def charge(sandbox: RunningSandbox, asked: ChargeRequest, **options: Any) -> Outcome:
    return with_gateway(sandbox, lambda gateway: gateway.charge(asked), **options)


def paid(
    sandbox: RunningSandbox, merchant_uid: str = "m1", *, pg: str = "kakaopay", amount: int = 9900, **taxes: int
) -> str:
    """Make a paid payment; returns its imp_uid."""
    sandbox.admin.create_keys([{"customer_uid": f"key-{merchant_uid}", "pg": pg}])
    asked = request(customer_uid=f"key-{merchant_uid}", merchant_uid=merchant_uid, amount=amount, pg=pg, **taxes)
    outcome = charge(sandbox, asked)
    assert isinstance(outcome, Paid)
    assert outcome.answer.imp_uid is not None
    return outcome.answer.imp_uid


def pay_many(sandbox: RunningSandbox, count: int) -> None:
    """Charge the key `key` under the merchant_uids m0, m1, ..."""

    async def work(gateway: PortOneGateway) -> list[Outcome]:
        asked = (request(customer_uid="key", merchant_uid=f"m{number}") for number in range(count))
        return await asyncio.gather(*map(gateway.charge, asked))

    assert {type(outcome) for outcome in with_gateway(sandbox, work)} == {Paid}


# --- charging -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
@pytest.mark.parametrize("instrument", ["card", "money"])
def test_documented_again_call_charges_a_key_of_either_wallet(sandbox, pg, instrument):
    """POST /subscribe/payments/again with {customer_uid, merchant_uid, amount: 3000}, as both pages show it."""
    sandbox.admin.create_key("your-customer-unique-id", pg=pg, instrument=instrument)
    asked = request(customer_uid="your-customer-unique-id", merchant_uid="orderid8237352", amount=3000, pg=pg)
    outcome = charge(sandbox, asked)
    assert isinstance(outcome, Paid)
    assert outcome.answer.raw is not None
    assert outcome.answer.raw["pg_provider"] == pg
    assert sandbox.admin.charges() == {"orderid8237352": 1}
    assert sandbox.admin.report().kept_krw == 3000


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    ("codes", "text", "kind"),
    [
        ({"kakaopay": "8326", "payco": "04CC61"}, "한도초과", DeclineKind.SOFT),
        ({"kakaopay": "8350", "payco": "CC04"}, "분실카드", DeclineKind.HARD),
        ({"kakaopay": "0029", "payco": "04CC33"}, "가맹점한도초과", DeclineKind.CONFIG),
    ],
)
def test_decline_in_either_shape_is_read_for_either_wallet(sandbox, pg, shape, codes, text, kind):
    sandbox.admin.create_key("key", decline(codes[pg], text, shape=shape), pg=pg)
    outcome = charge(sandbox, request(customer_uid="key", pg=pg))
    assert isinstance(outcome, Declined)
    assert outcome.kind is kind
    assert sandbox.admin.report().charges == 0


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_maintenance_is_a_decline_if_recorded_and_looked_up_otherwise(sandbox, pg):
    words = ({"kakaopay": "-9798", "payco": "CC75"}[pg], "service unavailable.")
    sandbox.admin.create_key("key", decline(*words), decline(*words, shape=Shape.MESSAGE), pg=pg)
    recorded = charge(sandbox, request(customer_uid="key", pg=pg, merchant_uid="maintenance1"))
    only_said = charge(sandbox, request(customer_uid="key", pg=pg, merchant_uid="maintenance2"))
    assert isinstance(recorded, Declined)
    assert recorded.kind is DeclineKind.TRANSIENT
    assert isinstance(only_said, Unknown)
    assert only_said.reason is UnknownReason.GATEWAY_UNSURE


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (troubled(Reply.HANG, charged=True), UnknownReason.TIMEOUT),
        (troubled(Reply.DROP, charged=True), UnknownReason.CONNECTION_LOST),
        (troubled(Reply.RESET, charged=True), UnknownReason.CONNECTION_LOST),
        (troubled(Reply.CUT, charged=True), UnknownReason.CONNECTION_LOST),
        (troubled(Reply.TRUNCATED, charged=True), UnknownReason.UNREADABLE),
        (troubled(Reply.EMPTY, charged=True), UnknownReason.UNREADABLE),
        (troubled(Reply.ERROR, charged=True), UnknownReason.SERVER_ERROR),
        (troubled(Reply.UNAVAILABLE, charged=True), UnknownReason.SERVER_ERROR),
        (troubled(Reply.OTHER_PAYMENT, charged=True), UnknownReason.OTHER_PAYMENT),
        (troubled(Reply.WRONG_AMOUNT, charged=True), UnknownReason.OTHER_PAYMENT),
    ],
    ids=lambda value: getattr(value, "reply", None),
)
def test_charge_with_a_spoilt_answer_is_unknown_and_then_found_paid(sandbox, behaviour, reason):
    sandbox.admin.create_key("key", behaviour)
    asked = request(customer_uid="key", merchant_uid="m1")
    outcome = charge(sandbox, asked, read_timeout=0.5 if behaviour.reply is Reply.HANG else 10)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is reason
    finding = with_gateway(sandbox, lambda gateway: gateway.look_up("m1"))
    assert isinstance(finding, Found)
    assert [(each.status, each.amount) for each in finding.records] == [("paid", 9900)]
    assert sandbox.admin.charges() == {"m1": 1}


def test_paid_merchant_uid_is_a_duplicate_and_not_a_decline(sandbox):
    paid(sandbox, "m1")
    outcome = charge(sandbox, request(customer_uid="key-m1", merchant_uid="m1"))
    assert isinstance(outcome, Unknown)
    assert outcome.reason is UnknownReason.DUPLICATE
    assert sandbox.admin.charges() == {"m1": 1}


def test_unknown_key_is_a_hard_decline(sandbox):
    outcome = charge(sandbox, request(customer_uid="nobodys"))
    assert isinstance(outcome, Declined)
    assert outcome.kind is DeclineKind.HARD


def test_token_that_expires_between_charges_is_renewed(sandbox):
    async def work(gateway: PortOneGateway) -> list[Outcome]:
        sandbox.admin.create_key("key")
        outcomes = [await gateway.charge(request(customer_uid="key", merchant_uid="m1"))]
        sandbox.admin.end_token()
        return [*outcomes, await gateway.charge(request(customer_uid="key", merchant_uid="m2"))]

    assert [type(outcome) for outcome in with_gateway(sandbox, work)] == [Paid, Paid]
    assert sandbox.admin.charges() == {"m1": 1, "m2": 1}


def test_401_for_a_request_is_followed_by_one_repeat(sandbox):
    died = Behaviour(verdict=troubled(Reply.RESET, charged=False).verdict, reply=Reply.UNAUTHORIZED)
    sandbox.admin.create_key("key", died, pay())
    assert isinstance(charge(sandbox, request(customer_uid="key", merchant_uid="m1")), Paid)
    assert sandbox.admin.charges() == {"m1": 1}


@pytest.mark.parametrize("outage", [Outage.REFUSE, Outage.HANG, Outage.ERROR, Outage.UNAVAILABLE])
def test_charge_during_a_full_outage_is_not_charged_without_a_token(sandbox, outage):
    async def story() -> tuple[NotCharged | None, Outcome]:
        async with gateway_to(sandbox.base_url, credentials=SANDBOX, read_timeout=0.3, primed=False) as gateway:
            return await gateway.ready(), await gateway.charge(request())

    sandbox.admin.switch(outage=outage)
    problem, outcome = asyncio.run(story())
    assert isinstance(problem, NotCharged)
    assert isinstance(outcome, NotCharged)


def test_wrong_credentials_are_reported_by_ready(sandbox):
    async def story() -> NotCharged | None:
        async with gateway_to(sandbox.base_url, credentials=("wrong", "pair"), primed=False) as gateway:
            return await gateway.ready()

    problem = asyncio.run(story())
    assert problem is not None
    assert "check AGAIN_PORTONE_KEY and AGAIN_PORTONE_SECRET" in str(problem.answer.message)
    assert "imp_key, imp_secret 값이 올바르지 않습니다" in str(problem.answer.message)


# --- looking up -----------------------------------------------------------------------------------------------------


def test_payment_is_found_by_each_of_its_ids(sandbox):
    imp_uid = paid(sandbox, "m1")
    paid(sandbox, "m2")

    async def work(client: PortOneClient) -> None:
        by_imp_uid, found = await client.payment(imp_uid), await client.find_all("m1")
        assert by_imp_uid is not None, "payments of test channels are included"
        assert [by_imp_uid.imp_uid] == [each.imp_uid for each in found] == [imp_uid]

    with_client(sandbox, work)


def test_missing_payment_returns_none(sandbox):
    paid(sandbox, "m1")

    async def work(client: PortOneClient) -> None:
        assert await client.payment("imps_000000000000") is None
        assert await client.payment("../users/getToken") is None
        assert await client.find_all("unknown") == []

    with_client(sandbox, work)


def test_all_attempts_of_a_merchant_uid_are_found_newest_first(sandbox, clock):
    sandbox.admin.create_key("key", decline(), decline(), pay())
    for _ in range(3):
        charge(sandbox, request(customer_uid="key", merchant_uid="m1"))
        clock.move(minutes=1)
    records = with_client(sandbox, lambda client: client.find_all("m1"))
    assert [each.status for each in records] == ["paid", "failed", "failed"]


def test_payments_of_a_time_slice_are_listed(sandbox, clock):
    since = clock()
    sandbox.admin.create_key("key")
    pay_many(sandbox, 45)
    clock.move(hours=1)

    async def work(client: PortOneClient) -> tuple[list[str], list[str]]:
        pages = client.payments_by_status("paid", since=since, until=clock())
        windowed = [each.merchant_uid async for page in pages for each in page.payments]
        elsewhere = client.payments_by_status("paid", since=since - timedelta(days=9), until=since - timedelta(days=8))
        return windowed, [each.merchant_uid async for page in elsewhere for each in page.payments]

    windowed, elsewhere = with_client(sandbox, work)
    assert sorted(windowed) == sorted(f"m{number}" for number in range(45))
    assert elsewhere == []


def test_payments_of_a_time_slice_are_read_page_by_page(sandbox, clock, monkeypatch):
    monkeypatch.setattr("worker.portone.client.MAX_PAGE", 20)
    since = clock()
    sandbox.admin.create_key("key")
    pay_many(sandbox, 45)  # two pages of 20 and one of 5
    clock.move(hours=1)

    async def work(client: PortOneClient) -> list[tuple[int, int | None]]:
        pages = client.payments_by_status("paid", since=since, until=clock())
        return [(len(page.payments), page.next_page) async for page in pages]

    assert with_client(sandbox, work) == [(20, 2), (20, 3), (5, None)]


# --- refunds --------------------------------------------------------------------------------------------------------


def test_payment_is_refunded_in_part_then_wholly_and_never_twice(sandbox):
    imp_uid = paid(sandbox, "m1")

    async def work(client: PortOneClient) -> None:
        part = await client.cancel(imp_uid=imp_uid, checksum=9900, amount=900, reason="asked for")
        assert (part.status, part.cancel_amount) == ("paid", 900)
        with pytest.raises(Rejected):  # the same call again: its checksum no longer fits
            await client.cancel(imp_uid=imp_uid, checksum=9900, amount=900, reason="asked for")
        rest = await client.cancel(imp_uid=imp_uid, checksum=9000, reason="asked for")
        assert (rest.status, rest.cancel_amount) == ("cancelled", 9900)

    with_client(sandbox, work)
    assert sandbox.admin.report().kept_krw == 0


def test_payco_refund_requires_the_tax_free_amount(sandbox):
    imp_uid = paid(sandbox, "m1", pg="payco", tax_free=900)

    async def work(client: PortOneClient) -> None:
        with pytest.raises(Rejected, match="tax_free"):
            await client.cancel(imp_uid=imp_uid, checksum=9900, reason="asked for")
        assert (
            await client.cancel(imp_uid=imp_uid, checksum=9900, tax_free=900, reason="asked for")
        ).status == "cancelled"

    with_client(sandbox, work)


@pytest.mark.parametrize(
    ("pg", "vat_amount"),
    [("nice", 500), ("nice", 0), ("html5_inicis", 500), ("tosspay_v2", 500), ("naverpay", None), ("payco", None)],
)
def test_refund_sends_the_fields_that_its_pg_requires(sandbox, pg: str, vat_amount: int | None):
    taxes = {"tax_free": 5500} | ({} if vat_amount is None else {"vat_amount": vat_amount})
    imp_uid = paid(sandbox, "m1", pg=pg, amount=11_000, **taxes)
    refund = Refund(
        imp_uid=imp_uid,
        amount=11_000,
        checksum=11_000,
        tax_free=5500,
        vat_amount=vat_amount,
        pg=pg,
        reason="paid twice",
    )
    given_back = with_gateway(sandbox, lambda gateway: gateway.refund(refund))
    assert isinstance(given_back, PaymentRecord), given_back
    (row,) = sandbox.admin.payments()
    assert (row["refunded"], row["tax_free_refunded"], row["vat_refunded"]) == (11_000, 5500, vat_amount or 0)


# --- billing keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 200])
def test_key_is_read_and_deleted_and_then_unknown(sandbox, status):
    sandbox.admin.create_key("gildong/0001", pg="payco")
    sandbox.admin.switch(unknown_customer_status=status)

    async def work(client: PortOneClient) -> None:
        known = await client.customer("gildong/0001")
        assert known is not None
        assert known["pg_provider"] == "payco"
        await client.delete_customer("gildong/0001", reason="the customer left")
        assert await client.customer("gildong/0001") is None
        with pytest.raises(Rejected) as refused:
            await client.delete_customer("gildong/0001", reason="the customer left")
        assert "gildong" not in str(refused.value)

    with_client(sandbox, work)


@pytest.mark.parametrize(
    "answer",
    [
        http(200, envelope([])),
        http(200, envelope(None)),
        http(200, envelope(code=-1, message="거절")),
        http(403, envelope(code=1, message="not from this address")),
        http(429, envelope(code=1, message="slow down")),
        http(500, envelope(code=1, message="거절")),
        http(404, b"<html></html>"),
    ],
)
def test_other_error_answers_do_not_count_as_no_such_key(answer):
    async def story() -> None:
        async def answers(wire: Wire, _request: Request) -> None:
            await wire.send(answer)

        async with wire_server(answers) as server, gateway_to(server.url) as gateway:
            await gateway._client.customer("gildong")

    with pytest.raises((NoAnswer, Rejected)):
        asyncio.run(story())


@pytest.mark.parametrize("method", ["customer", "payment", "find_all"])
def test_empty_id_raises_and_sends_nothing(method):
    async def story() -> list[Request]:
        async with wire_server(pays) as server, gateway_to(server.url) as gateway:
            with pytest.raises(ValueError, match="empty"):
                await getattr(gateway._client, method)("")
            return server.requests[1:]

    assert asyncio.run(story()) == []


# --- what is on the wire --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "customer_uid",
    [
        "gildong_0001_1234",
        "a/b",
        "a?b=c&d",
        "a#b",
        "a%2Fb",
        "a b+c",
        "홍길동",
        "..",
        "../payments/cancel",
        "a;b,c:d@e",
        "%",
        "~",
    ],
)
def test_customer_uid_of_any_characters_arrives_as_one_part_of_the_path(customer_uid):
    async def story() -> Request:
        async def answers(wire: Wire, _request: Request) -> None:
            await wire.send(http(200, envelope({})))

        async with wire_server(answers) as server, gateway_to(server.url) as gateway:
            await gateway._client.customer(customer_uid)
            return server.requests[-1]

    start, uid = asyncio.run(story()).path.rsplit("/", 1)
    assert start == "/subscribe/customers"
    assert unquote(uid) == customer_uid


def listed(count: int, **fields: object) -> list[dict[str, object]]:
    one = {"merchant_uid": "m1", "status": "paid", "amount": 1, "currency": "KRW", "paid_at": 1}
    return [{"imp_uid": f"imps_{number}", **one, **fields} for number in range(count)]


def walk(answers: dict[str, bytes]) -> tuple[list[int], list[str]] | PortOneError:
    """Walk a list of payments through pages given by number; returns the sizes of the pages, and of the requests."""

    async def answer(wire: Wire, asked: Request) -> None:
        await wire.send(answers[asked.path.rpartition("page=")[2]])

    async def story() -> tuple[list[int], list[str]] | PortOneError:
        async with wire_server(answer) as server, gateway_to(server.url) as gateway:
            now = datetime.now(UTC)
            pages = gateway._client.payments_by_status("paid", since=now - timedelta(days=1), until=now)
            try:
                sizes = [len(page.payments) async for page in pages]
            except PortOneError as error:
                return error
            return sizes, [each.path.rpartition("page=")[2] for each in server.requests[1:]]

    return asyncio.run(story())


def page(count: int, following: object) -> bytes:
    return http(200, envelope({"total": 99, "previous": 0, "next": following, "list": listed(count)}))


def test_page_that_points_at_itself_or_back_is_the_last():
    assert walk({"1": page(2, 1)}) == ([2], ["1"])
    assert walk({"1": page(2, 2), "2": page(1, 1)}) == ([2, 1], ["1", "2"])


@pytest.mark.parametrize(("total", "count", "pages"), [(3, 2, 2), (99, 0, 1), (0, 1, 1)])
def test_list_with_more_payments_than_its_total_is_no_answer(total, count, pages):
    def endless(number: int) -> bytes:
        return http(200, envelope({"total": total, "previous": 0, "next": number + 1, "list": listed(count)}))

    assert isinstance(walk({str(number): endless(number) for number in range(1, pages + 1)}), NoAnswer)


def test_full_page_of_large_payments_is_read():
    body = envelope({"total": MAX_PAGE, "previous": 0, "next": 0, "list": listed(MAX_PAGE, custom_data="x" * 2000)})
    assert len(body) > MAX_BODY_BYTES
    assert walk({"1": http(200, body)}) == ([MAX_PAGE], ["1"])


@pytest.mark.parametrize("trouble", [http(500, b""), http(200, b"<html>"), http(200, envelope([])), http(429, b"{}")])
def test_list_that_breaks_off_is_an_error_and_not_a_shorter_list(trouble):
    assert isinstance(walk({"1": page(2, 2), "2": trouble}), NoAnswer)


def test_unreadable_list_is_an_error_and_not_an_empty_list():
    async def story(response: object) -> None:
        async def answers(wire: Wire, _request: Request) -> None:
            await wire.send(http(200, envelope(response)))

        async with wire_server(answers) as server, gateway_to(server.url) as gateway:
            await gateway._client.find_all("m1")

    for response in ({"a": 1}, None, [None], "paid"):
        with pytest.raises(NoAnswer):
            asyncio.run(story(response))


def test_charge_is_sent_with_the_terms_that_differ_from_the_defaults():
    async def story() -> Request:
        async with wire_server(pays) as server, gateway_to(server.url) as gateway:
            outcome = await gateway.charge(request(tax_free=9900, channel_key="channel-key-1", name="월 구독"))
            assert isinstance(outcome, Paid)
            return server.requests[-1]

    body = asyncio.run(story()).json
    assert (body["tax_free"], body["channel_key"], body["name"]) == (9900, "channel-key-1", "월 구독")
    assert type(body["amount"]) is int
