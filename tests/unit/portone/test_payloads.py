"""PortOne's JSON: unknown fields are ignored, fields that decide are required."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attempts import CUSTOMER_UID, MERCHANT_UID, payment, request
from worker.portone.payloads import Unreadable, again_body, read_envelope, read_page, read_payment


def without(field: str) -> dict[str, object]:
    return {name: value for name, value in payment().items() if name != field}


@pytest.mark.parametrize(
    ("body", "code", "message", "response"),
    [
        (b'{"code": 0, "message": null, "response": {"a": 1}}', 0, None, {"a": 1}),
        (b'{"code": -1, "message": "no", "response": null}', -1, "no", None),
        (b'{"code": 0, "message": "", "response": []}', 0, None, []),
        (
            b'{"code": 0, "message": {"a": 1}, "response": null}',
            0,
            None,
            None,
        ),  # a message that is not text is ignored
        (b'{"code": 0, "message": null, "response": null, "new_field": [1, 2]}', 0, None, None),
        (b'\xef\xbb\xbf{"code": 0, "message": null, "response": null}', 0, None, None),  # a byte order mark
    ],
)
def test_envelope_is_read(body, code, message, response):
    envelope = read_envelope(200, body)
    assert (envelope.code, envelope.message, envelope.response) == (code, message, response)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        '{"code": 0, "message": null, "response": null}'.encode("utf-16"),
        '{"code": 0, "message": null, "response": null}'.encode("utf-32"),
        b'{"code": 1, "message": null, "response": null, "code": 0}',
        b'{"code": 0, "message": null, "response": {"status": "failed", "status": "paid"}}',
        b'{"code": 0, "message": null, "response": [{"a": {"amount": 1, "amount": 2}}]}',
        b" ",
        b"null",
        b"[]",
        b"0",
        b'"code"',
        b"{}",
        b"<html>502 Bad Gateway</html>",
        b'{"code": 0, "message": nul',  # cut off
        b'{"code": 0} trailing',
        b'{"code": "0"}',  # the type decides too
        b'{"code": 0.0}',
        b'{"code": true}',
        b'{"code": null}',
        b'{"message": "no code"}',
        b"\xff\xfe\x00",
        b"\x00" * 20,
        b"[" * 100_000,  # deeper than Python reads
        b'{"code":' * 50_000,
        b'{"code": 0, "response": ' + b"[" * 90_000 + b"]" * 90_000 + b"}",
        b'{"code": 1' + b"0" * 10_000 + b"}",  # more digits than Python reads
    ],
    ids=lambda body: repr(body[:24]),
)
def test_body_without_an_envelope_is_unreadable(body):
    with pytest.raises(Unreadable):
        read_envelope(200, body)


def test_payment_is_read():
    record = read_payment(payment())
    assert (record.imp_uid, record.merchant_uid, record.status) == ("imps_000000000001", MERCHANT_UID, "paid")
    assert (record.amount, record.cancel_amount, record.currency) == (9900, 0, "KRW")
    assert record.paid_at == datetime(2026, 1, 2, 1, 1, 3, tzinfo=UTC)
    assert (record.fail_reason, record.pg_tid) == (None, "T0123456789")


@pytest.mark.parametrize("field", ["imp_uid", "merchant_uid", "status", "amount", "currency"])
def test_payment_without_a_deciding_field_is_unreadable(field):
    with pytest.raises(Unreadable, match=field):
        read_payment(without(field))
    with pytest.raises(Unreadable, match=field):
        read_payment(payment() | {field: None})


@pytest.mark.parametrize(
    "changes",
    [
        {"imp_uid": ""},
        {"imp_uid": 17},
        {"imp_uid": "imps\x00"},
        {"imp_uid": "imps\ud800"},
        {"imp_uid": "i" * 101},
        {"merchant_uid": ["m"]},
        {"status": True},
        {"status": "paid\x00"},
        {"currency": 410},
        {"amount": "9900"},
        {"amount": True},
        {"amount": 9900.5},
        {"amount": float("nan")},
        {"amount": float("inf")},
        {"amount": float("-inf")},
        {"amount": {"total": 9900}},  # V2's shape
        {"cancel_amount": "some"},
        {"cancel_amount": 0.5},
    ],
)
def test_payment_with_a_deciding_field_of_another_type_is_unreadable(changes):
    with pytest.raises(Unreadable):
        read_payment(payment(**changes))


@pytest.mark.parametrize("document", [None, [], "paid", 0, [payment()]])
def test_payment_that_is_not_a_json_object_is_unreadable(document):
    with pytest.raises(Unreadable, match="not an object"):
        read_payment(document)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"amount": 9900.0}, "amount", 9900),
        ({"cancel_amount": None}, "cancel_amount", 0),
        ({"cancel_amount": 9900.0}, "cancel_amount", 9900),
        ({"status": "in_a_status_of_next_year"}, "status", "in_a_status_of_next_year"),
        ({"pay_method": {"new": "shape"}, "sandbox": "yes", "new_field": 1}, "status", "paid"),
        # times: UNIX seconds, and 0 or null for those that do not apply
        ({"paid_at": 0}, "paid_at", None),
        ({"paid_at": None}, "paid_at", None),
        ({"paid_at": -1}, "paid_at", None),
        ({"paid_at": "1767315663"}, "paid_at", None),
        ({"paid_at": True}, "paid_at", None),
        ({"paid_at": 1_767_315_663_000}, "paid_at", None),  # milliseconds would be the year 57,000
        ({"paid_at": 10**400}, "paid_at", None),
        ({"paid_at": float("inf")}, "paid_at", None),
        ({"paid_at": float("nan")}, "paid_at", None),
        ({"paid_at": 1_767_315_663.0}, "paid_at", datetime(2026, 1, 2, 1, 1, 3, tzinfo=UTC)),
        ({"fail_reason": ""}, "fail_reason", None),
        ({"fail_reason": 17}, "fail_reason", None),
        ({"pg_tid": 17}, "pg_tid", None),
        ({"pg_tid": ""}, "pg_tid", None),
        ({"pg_tid": "20221130123456789012"}, "pg_tid", "20221130123456789012"),  # digits, but no card's
        ({"pg_tid": "T\x00\ud8001"}, "pg_tid", "T?1"),
    ],
)
def test_payment_with_an_odd_minor_field_is_read(changes, field, value):
    assert getattr(read_payment(payment(**changes)), field) == value


def test_page_with_one_unreadable_payment_is_unreadable():
    document = {"total": 3, "previous": 0, "next": 2, "list": [payment(), payment("failed")]}
    page = read_page(document)
    assert ([each.status for each in page.payments], page.total, page.next_page) == (["paid", "failed"], 3, 2)
    with pytest.raises(Unreadable):
        read_page({**document, "list": [payment(), without("status")]})


def test_page_of_a_shared_account_skips_unreadable_payments():
    dollars = payment(merchant_uid="shop-1", amount=10.5, currency="USD")
    nobodys = without("merchant_uid")
    ours = payment(amount=10.5)
    page = read_page({"total": 4, "list": [dollars, payment(), nobodys, ours]}, skipping=True)
    assert (len(page.payments), page.skipped, page.lost) == (1, 3, (ours["merchant_uid"],))
    with pytest.raises(Unreadable):
        read_page({"total": 1, "list": [None]}, skipping=True)


@pytest.mark.parametrize(
    ("document", "total", "next_page"),
    [
        ({"list": []}, 0, None),
        ({"list": [], "next": 0}, 0, None),
        ({"list": [], "next": -1, "total": None}, 0, None),
        ({"list": [], "next": "2", "total": "many"}, 0, None),
        ({"list": [], "next": True}, 0, None),
        ({"total": 0, "previous": 0, "next": 0}, 0, None),  # an empty list may be left out
        ({"total": 0, "list": None}, 0, None),
    ],
)
def test_page_without_a_next_page_is_the_last(document, total, next_page):
    page = read_page(document)
    assert (page.payments, page.total, page.next_page) == ((), total, next_page)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"list": None},
        {"total": 1},
        {"total": 0.0},
        {"total": False, "list": None},
        {"list": {}},
        {"list": [None]},
        {"list": [[]]},
    ],
)
def test_document_without_a_list_of_payments_is_unreadable(document):
    with pytest.raises(Unreadable):
        read_page(document)


def test_plain_charge_is_sent_as_portones_example_with_a_name():
    assert again_body(request()) == {
        "customer_uid": CUSTOMER_UID,
        "merchant_uid": MERCHANT_UID,
        "amount": 9900,
        "name": "Monthly",
    }


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"tax_free": 9900}, {"tax_free": 9900}),
        ({"vat_amount": 0, "pg": "nice"}, {"vat_amount": 0}),  # none at all is not "as usual"
        ({"vat_amount": 900, "pg": "html5_inicis"}, {"vat_amount": 900}),
        ({"vat_amount": 900, "pg": "kakaopay"}, {}),  # takes none; PortOne calculates it
        ({"vat_amount": 900, "pg": "payco"}, {}),
        ({"currency": "USD"}, {"currency": "USD"}),
        ({"channel_key": "channel-key-1"}, {"channel_key": "channel-key-1"}),
    ],
)
def test_charge_terms_that_differ_from_the_defaults_are_sent(changes, more):
    assert again_body(request(**changes)) == again_body(request()) | more


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_arbitrary_bytes_are_an_envelope_or_unreadable(body):
    with suppress(Unreadable):
        assert isinstance(read_envelope(200, body).code, int)


@given(st.dictionaries(st.sampled_from(sorted(payment())), anything))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_arbitrary_payment_is_read_or_unreadable(changes):
    try:
        record = read_payment(payment() | changes)
    except Unreadable:
        return
    assert isinstance(record.amount, int)
    assert record.paid_at is None or record.paid_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "amount", "given_back"),
    [
        ({"amount": -1}, 0, 0),
        ({"amount": 10**12 + 1}, 10**12, 0),
        ({"amount": 10**20}, 10**12, 0),
        ({"amount": 1e300}, 10**12, 0),
        ({"cancel_amount": 9901}, 9900, 9900),
        ({"cancel_amount": 10**20}, 9900, 9900),
        ({"cancel_amount": -1}, 9900, 0),
    ],
)
def test_impossible_amount_is_clamped_and_marked_odd(changes, amount, given_back):
    record = read_payment(payment() | changes)
    assert (record.amount, record.cancel_amount) == (amount, given_back)
    assert record.odd is not None


@pytest.mark.parametrize("changes", [{}, {"amount": 0}, {"amount": 10**12}, {"cancel_amount": 9900}])
def test_possible_amount_is_not_marked_odd(changes):
    assert read_payment(payment() | changes).odd is None


@pytest.mark.parametrize("paid_at", [-1, 0, 1, 946684799, 7258118400, 253402300799, 10**20, 1e300, True, "1"])
def test_impossible_time_is_none(paid_at):
    assert read_payment(payment(paid_at=paid_at)).paid_at is None
