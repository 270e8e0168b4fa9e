"""Every answer to a charge becomes an outcome, and `Paid` only if it is about our payment and says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.attempts import (
    CUSTOMER_UID,
    MERCHANT_UID,
    QUIET_PERIOD,
    RULES,
    STARTED_AT,
    attempt,
    payment,
    request,
)
from tests.support.declines import own
from tests.support.gateways import Answered, assert_storable
from tests.support.wire_server import envelope
from worker.domain.declines.ambiguous_texts import says_before
from worker.domain.gateway import Found, LookUpFailed, PaymentRecord, Refund, RefundRefused
from worker.domain.lookup_evidence import outcome_of_lookup
from worker.domain.outcomes import (
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)

OURS = request()


@pytest.fixture(scope="module")
def portone() -> Iterator[Answered]:
    answered = Answered()
    yield answered
    answered.close()


def kind_of(outcome: Outcome) -> Any:
    """The most specific code of an outcome."""
    match outcome:
        case Declined():
            return outcome.kind
        case NotCharged() | Unknown():
            return outcome.reason
        case _:
            return Paid


# --- what PortOne is known to answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, envelope(payment()), Paid),
        (200, envelope(payment(amount=9900.0, new_field={"of": "next year"})), Paid),
        # the two shapes of a decline
        (200, envelope(payment("failed")), DeclineKind.SOFT),
        (200, envelope(code=-1, message="결제승인에 실패하였습니다. [8326]한도초과"), DeclineKind.SOFT),
        (200, envelope(payment("failed", fail_reason="[8350]도난")), DeclineKind.HARD),
        (200, envelope(code=1, message="등록되지 않은 구매자입니다."), DeclineKind.HARD),
        (404, envelope(code=1, message="등록되지 않은 구매자입니다."), DeclineKind.HARD),
        (200, envelope(code=-1, message="[0029]가맹점한도초과"), DeclineKind.CONFIG),
        (200, envelope(code=-1, message="[-9798]service unavailable."), UnknownReason.GATEWAY_UNSURE),
        (200, envelope(code=-1, message="[8326]한도초과") + b"\n", DeclineKind.SOFT),
        (
            200,
            envelope([], code=-1, message="[8326]한도초과"),
            DeclineKind.SOFT,
        ),  # an empty response is as good as null
        # an unknown text: a decline if recorded, looked up otherwise
        (200, envelope(payment("failed", fail_reason="거절")), DeclineKind.UNMATCHED),
        (200, envelope(payment("failed", fail_reason=None)), DeclineKind.UNMATCHED),
        (200, envelope(code=-1, message="거절"), UnknownReason.REFUSAL_NOT_KNOWN),
        (200, envelope(code=1, message=None), UnknownReason.REFUSAL_NOT_KNOWN),
        (400, envelope(code=1, message="이니시스 빌링결제는 상품명이 필수입니다."), UnknownReason.REFUSAL_NOT_KNOWN),
        (200, envelope(code=17, message="거절"), UnknownReason.REFUSAL_NOT_KNOWN),
        # "duplicate" in any wording and shape
        (200, envelope(code=1, message="이미 결제가 이루어진 거래건입니다."), UnknownReason.DUPLICATE),
        (200, envelope(code=-1, message="이미 등록된 merchant_uid입니다."), UnknownReason.DUPLICATE),
        (200, envelope(code=-1, message="[8326]한도초과 중복요청"), UnknownReason.DUPLICATE),
        (200, envelope(payment("failed", fail_reason="[5530]")), UnknownReason.DUPLICATE),
        # the PG leaves it open
        (200, envelope(code=-1, message="[0010]TIME-OUT"), UnknownReason.GATEWAY_UNSURE),
        (200, envelope(payment("failed", fail_reason="통신 장애")), UnknownReason.GATEWAY_UNSURE),
        # no result, or an odd one
        (200, envelope(payment("ready")), UnknownReason.IN_PROGRESS),
        (200, envelope(payment("ready", paid_at=1_767_315_663)), UnknownReason.IN_PROGRESS),  # its text counts
        (200, envelope(payment("authorized", paid_at=1_767_315_663)), UnknownReason.STATUS_NOT_KNOWN),
        (200, envelope(payment("PAID")), UnknownReason.STATUS_NOT_KNOWN),
        (200, envelope(payment("cancelled")), UnknownReason.CANCELED),
        (200, envelope(payment("in_a_status_of_next_year")), UnknownReason.STATUS_NOT_KNOWN),
        (200, envelope(payment(paid_at=0)), UnknownReason.STATUS_NOT_KNOWN),  # paid, but never
        (200, envelope(payment(), code=-1, message="[8326]한도초과"), UnknownReason.STATUS_NOT_KNOWN),  # both at once
        # another merchant's
        (200, envelope(payment(merchant_uid="another")), UnknownReason.OTHER_PAYMENT),
        (200, envelope(payment(merchant_uid=MERCHANT_UID.upper())), UnknownReason.OTHER_PAYMENT),
        (200, envelope(payment(amount=9901)), UnknownReason.OTHER_PAYMENT),
        (200, envelope(payment(amount=0)), UnknownReason.OTHER_PAYMENT),
        (200, envelope(payment(currency="USD")), UnknownReason.OTHER_PAYMENT),
        (200, envelope(payment("failed", merchant_uid="another")), UnknownReason.OTHER_PAYMENT),
        # no payment
        (200, envelope(None), UnknownReason.UNREADABLE),
        (200, envelope([payment()]), UnknownReason.UNREADABLE),
        (200, envelope(payment(amount="9900")), UnknownReason.UNREADABLE),
        (200, envelope(payment(merchant_uid=None)), UnknownReason.UNREADABLE),
        # no envelope
        (200, b"", UnknownReason.UNREADABLE),
        (200, b"<html>maintenance</html>", UnknownReason.UNREADABLE),
        (200, envelope(payment())[:-1], UnknownReason.UNREADABLE),
        (200, b"[" * 200_000, UnknownReason.UNREADABLE),
        (200, b'{"code":0,"response":' + b'{"a":' * 100_000, UnknownReason.UNREADABLE),
        (200, b'{"code":' + b"9" * 5000 + b"}", UnknownReason.UNREADABLE),
        (200, b'{"code":0,"response":{"amount":' + b"9" * 5000 + b"}}", UnknownReason.UNREADABLE),
        # statuses that are no answer, even with a valid body
        (500, envelope(payment()), UnknownReason.SERVER_ERROR),
        (503, b"<html></html>", UnknownReason.SERVER_ERROR),
        (502, envelope(code=-1, message="[8326]한도초과"), UnknownReason.SERVER_ERROR),
        (429, envelope(code=-1, message="[8326]한도초과"), UnknownReason.SERVER_ERROR),
        (408, envelope(code=1, message="등록되지 않은 구매자입니다."), UnknownReason.SERVER_ERROR),
        (409, envelope(code=1, message="거절"), UnknownReason.SERVER_ERROR),
        (403, envelope(code=-1, message="거절"), UnknownReason.SERVER_ERROR),
        (404, envelope(payment()), UnknownReason.SERVER_ERROR),
        (400, envelope(payment()), UnknownReason.SERVER_ERROR),
        (201, envelope(payment()), UnknownReason.SERVER_ERROR),
        (204, b"", UnknownReason.SERVER_ERROR),
        (302, envelope(payment()), UnknownReason.SERVER_ERROR),
        (100, envelope(payment()), UnknownReason.SERVER_ERROR),
        (401, envelope(payment()), NotChargedReason.UNAUTHORIZED),  # whatever else it says, and a second time too
    ],
)
def test_known_answer_becomes_its_outcome(portone, status, body, expected):
    outcome = portone.charge(OURS, status, body)
    assert kind_of(outcome) is expected
    assert len(portone.calls) == (2 if status == 401 else 1)


@pytest.mark.parametrize(
    "body",
    [
        envelope(payment(merchant_uid="another")),
        envelope(payment(amount=1)),
        envelope(payment(amount=10**20)),
        envelope(payment(cancel_amount=9901)),
        envelope(payment(customer_uid="another-customer-uid")),
        envelope(payment("failed", customer_uid="another-customer-uid")),
        envelope(payment("cancelled")),
    ],
)
def test_answer_that_differs_from_the_request_needs_a_human(portone, body):
    outcome = portone.charge(OURS, 200, body)
    assert isinstance(outcome, Unknown)
    assert outcome.needs_human


def test_outcome_carries_code_message_and_payment_ids(portone):
    outcome = portone.charge(OURS, 200, envelope(payment("failed", pg_tid="20221130123456789012")))
    answer = outcome.answer
    assert (answer.http_status, answer.code, answer.message) == (200, "0", "[8326]한도초과")
    assert (answer.imp_uid, answer.pg_tid) == ("imps_000000000001", "20221130123456789012")
    assert answer.raw["status"] == "failed"


def test_message_that_quotes_the_billing_key_is_kept_without_it(portone):
    said = f"요청하신 customer_uid({CUSTOMER_UID})로 등록된 정보를 찾을 수 없습니다. {CUSTOMER_UID}"
    outcome = portone.charge(OURS, 200, envelope(code=1, message=said))
    assert CUSTOMER_UID not in str(outcome.answer.message)
    assert "등록된 정보를 찾을 수 없습니다" in str(outcome.answer.message)


# --- whatever may come ----------------------------------------------------------------------------------------------


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw the usual value five times out of six: an answer that is odd everywhere is rejected at its first oddity."""
    return st.sampled_from([usual] * 5 + [odd]).flatmap(lambda strategy: strategy)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [9900, 9900.0, "9900", "KRW", MERCHANT_UID, "paid", "failed", "한도초과", "\x00", "\ud800", 1e308]
    )
    | st.floats()
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
texts = st.sampled_from(["한도초과", "[8350]도난", "가맹점", "중복", "이미 결제", "TIME-OUT", "점검", "거절", None])
fields = st.sampled_from(sorted(payment()))
payments = st.builds(
    lambda status, why, changes, missing: {
        name: value for name, value in (payment(status, fail_reason=why) | changes).items() if name not in missing
    },
    st.sampled_from(["paid", "paid", "paid", "failed", "failed", "ready", "cancelled"]),
    texts,
    mostly(st.just({}), st.dictionaries(fields, values, max_size=2)),
    mostly(st.just(set()), st.sets(fields, max_size=1)),
)
answers_with_payment = st.builds(
    lambda response: {"code": 0, "message": None, "response": response}, mostly(payments, st.none() | values)
)
answers_without = st.builds(
    lambda code, message: {"code": code, "message": message, "response": None},
    mostly(st.sampled_from([-1, 1]), values),
    mostly(texts, values),
)
envelopes = mostly(
    answers_with_payment | answers_without,
    st.builds(
        lambda code, message, response: {"code": code, "message": message, "response": response},
        values,
        values,
        payments | values,
    ),
)
http_statuses = mostly(
    st.just(200), st.sampled_from([201, 204, 207, 302, 400, 404, 408, 429, 500, 503]) | st.integers(100, 599)
)


def written(document: Any) -> bytes:
    return json.dumps(document).encode()  # NaN and Infinity as Python writes and reads them, surrogates escaped


def spoilt(document: Any, at: int, more: bytes | None) -> bytes:
    whole = written(document)
    return whole[:at] if more is None else whole[:at] + more + whole[at:]


bodies = mostly(
    envelopes.map(written),
    st.builds(spoilt, envelopes, st.integers(0, 400), st.none() | st.binary(max_size=3))
    | values.map(written)
    | st.binary(max_size=60),
)


def says_paid(status: int, body: bytes) -> bool:
    """Return whether an answer is about our payment and says that it is paid; a second, strict implementation."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if status != 200 or not isinstance(document, dict) or document.get("code") != 0 or document["code"] is False:
        return False
    said = document.get("response")
    if not isinstance(said, dict) or isinstance(said.get("paid_at"), bool | str | list | dict):
        return False
    about_ours = (said.get("merchant_uid"), said.get("currency")) == (MERCHANT_UID, "KRW") and said.get(
        "amount"
    ) == 9900
    return about_ours and said.get("status") == "paid" and 0 < (said.get("paid_at") or 0) < 1e12


@given(http_statuses, bodies)
@example(200, written({"code": 0, "message": None, "response": payment()}))
@example(
    200, written({"code": 0, "message": None, "response": payment(card_name="\x00\ud800", card_quota=float("nan"))})
)
@example(200, written({"code": 0, "message": None, "response": payment(fail_reason="\x00\udfff" * 600)}))
@example(200, written({"code": 0, "message": None, "response": payment(card_quota=10**4000, paid_at=10**300)}))
@example(200, written({"code": -1, "message": "\x00" * 3 + "\ud800한도초과", "response": None}))
@example(401, b"")
@settings(max_examples=1500, deadline=None, derandomize=True)
def test_arbitrary_answer_becomes_an_outcome_that_can_be_stored(portone, status, body):
    outcome = portone.charge(OURS, status, body)
    assert isinstance(outcome, Paid | Declined | NotCharged | Unknown)
    assert_storable(outcome.answer)
    assert CUSTOMER_UID not in repr(outcome)

    if isinstance(outcome, Paid):
        assert says_paid(status, body)
        assert outcome.answer.imp_uid
        assert outcome.paid_at.tzinfo is not None
    if isinstance(outcome, NotCharged):
        assert status == 401, "an answer never proves that nothing was charged; only 401 says so"
    if isinstance(outcome, Declined):
        assert status in {200, 400, 404}
        assert not says_before(outcome.answer.message)
        document = json.loads(body)
        assert document["code"] != 0 or document["response"]["status"] == "failed"
    assert outcome.answer.message not in {"NameError", "TypeError", "KeyError", "AttributeError"}, "a defect of ours"


@given(http_statuses, st.lists(payments, max_size=3), values, st.integers(0, 2))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_arbitrary_answer_to_a_look_up_is_evidence_or_a_failed_look_up(portone, status, listed, odd, how):
    document = {"total": len(listed), "previous": 0, "next": 0, "list": listed}
    response = [document, odd, {**document, "list": odd}][how]
    body = written({"code": 0, "message": None, "response": response})
    finding = portone.run(portone.gateway.look_up(MERCHANT_UID), status, body)
    assert isinstance(finding, Found | LookUpFailed)
    if isinstance(finding, LookUpFailed):
        assert_storable(finding.answer)
        return
    assert 200 <= status < 300, "404 comes with another code than 0"
    assert {each.merchant_uid for each in finding.records} <= {MERCHANT_UID}
    outcome = outcome_of_lookup(
        attempt(), finding, now=STARTED_AT + QUIET_PERIOD, quiet_period=QUIET_PERIOD, rules=RULES
    )
    assert_storable(outcome.answer)
    if any(each["status"] == "paid" for each in listed):
        assert isinstance(outcome, Paid | Unknown)


@given(http_statuses, st.lists(payments, max_size=3), values, st.integers(0, 3))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_arbitrary_answer_to_a_list_is_a_whole_list_or_a_failed_look_up(portone, status, listed, odd, how):
    document = {"total": len(listed), "previous": 0, "next": 0, "list": listed}
    response = [document, odd, {**document, "list": odd}, {**document, "total": odd}][how]
    body = written({"code": 0, "message": None, "response": response})
    asking = portone.gateway.payments("paid", since=STARTED_AT, until=STARTED_AT + QUIET_PERIOD, pause=0)
    finding = portone.run(asking, status, body)
    assert isinstance(finding, Found | LookUpFailed)
    if isinstance(finding, Found) and finding.records:
        in_order = iter([each.get("imp_uid") for each in response["list"]])
        assert all(each.imp_uid in in_order for each in finding.records)
        whole = len(finding.records) + finding.skipped
        assert len(response["list"]) == whole
        assert response["total"] == whole or type(response["total"]) is not int


@given(http_statuses, bodies)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_arbitrary_answer_to_a_refund_is_a_payment_a_refusal_or_no_answer(portone, status, body):
    refund = Refund(imp_uid="imps_000000000001", amount=9900, checksum=9900, tax_free=0, reason="paid twice")
    given_back = portone.run(portone.gateway.refund(refund), status, body)
    assert isinstance(given_back, PaymentRecord | RefundRefused | LookUpFailed)
    if not isinstance(given_back, PaymentRecord):
        assert_storable(given_back.answer)


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, envelope({"total": 0, "list": []}), 0),
        (404, envelope(code=1, message="존재하지 않는 결제정보입니다."), 0),
        (200, envelope({"total": 1, "list": [payment()]}), 1),
        (200, envelope({"total": 2, "list": [payment("failed"), payment()]}), 2),
    ],
)
def test_look_up_finds_the_payments_of_a_merchant_uid(portone, status, body, found):
    finding = portone.run(portone.gateway.look_up(MERCHANT_UID), status, body)
    assert isinstance(finding, Found)
    assert len(finding.records) == found


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<html>404</html>"),  # a proxy's, not PortOne's
        (404, b'{"message": "no Route matched"}'),
        (404, envelope({"list": []})),  # "not found", and yet an answer
        (302, envelope({"list": []})),
        (200, envelope(code=1, message="존재하지 않는 결제정보입니다.")),
        (200, envelope(None)),
        (200, envelope({"total": 1, "list": []})),  # total 1, but an empty list
        (200, envelope({"total": 2, "list": [payment("failed")]})),  # the other could be the paid one
        (200, envelope({"list": [payment(merchant_uid="another")]})),  # an answer about another payment
        (200, envelope({"list": [payment(), payment(merchant_uid="another")]})),
        (200, envelope({"list": [payment(), {}]})),  # what cannot be read could be the paid one
        (400, envelope(code=1, message="bad")),
        (401, b""),
        (429, envelope(code=1, message="slow down")),
        (500, envelope({"list": []})),
        (503, b""),
        (200, b"[" * 100_000),
    ],
)
def test_unsure_answer_to_a_look_up_never_counts_as_nothing_found(portone, status, body):
    finding = portone.run(portone.gateway.look_up(MERCHANT_UID), status, body)
    assert isinstance(finding, LookUpFailed)


# --- a merchant's own rule ------------------------------------------------------------------------------------------

WORDS = "단지 결제기 꺼짐"  # what no rule of ours knows


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("hard", envelope(payment("failed", fail_reason=WORDS)), DeclineKind.HARD),  # recorded, so it is a decline
        ("hard", envelope(payment("failed", fail_reason=f"[8326]{WORDS}")), DeclineKind.HARD),
        ("hard", envelope(code=-1, message=f"[8326]{WORDS}"), DeclineKind.HARD),  # ours know it for a decline too
        ("hard", envelope(code=-1, message=WORDS), UnknownReason.REFUSAL_NOT_KNOWN),  # it may be "already paid"
        ("soft", envelope(code=-1, message=f"[-7]{WORDS}"), UnknownReason.GATEWAY_UNSURE),  # or under way
        ("transient", envelope(code=-1, message=f"[8326]{WORDS}"), UnknownReason.GATEWAY_UNSURE),
        ("soft", envelope(code=-1, message=f"{WORDS} 중복"), UnknownReason.DUPLICATE),
        ("soft", envelope(payment("failed", fail_reason=f"{WORDS} 이미 승인")), UnknownReason.DUPLICATE),
        ("soft", envelope(payment("failed", fail_reason=f"[0010]{WORDS}")), UnknownReason.GATEWAY_UNSURE),
    ],
)
def test_own_rule_decides_between_declines_and_never_that_it_is_one(kind: str, body: bytes, expected: object):
    portone = Answered(own(kind, WORDS))
    try:
        outcome = portone.charge(OURS, 200, body)
    finally:
        portone.close()
    assert kind_of(outcome) is expected
    if expected is UnknownReason.REFUSAL_NOT_KNOWN:
        assert isinstance(outcome, Unknown)
        assert outcome.supposed is DeclineKind(kind)
