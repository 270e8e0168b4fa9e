"""What of PortOne's answers is stored and shown: nothing personal, and only what a column can hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attempts import CUSTOMER_UID, payment
from worker.portone.payloads import read_payment
from worker.portone.redaction import KEPT_FIELDS, LONGEST_TEXT, kept, redacted

PERSONAL = ["Hong Gildong", "gildong@example.com", "010-1234-5678", "95404900****1569", "30001234", CUSTOMER_UID]


def test_payment_is_kept_without_personal_data():
    record = read_payment(payment("failed", fail_reason=f"한도초과 010-1234-5678 {CUSTOMER_UID}"))
    shown = json.dumps(record.raw, ensure_ascii=False) + repr(record) + str(record.fail_reason)
    assert [part for part in PERSONAL if part in shown] == []
    assert set(record.raw) <= KEPT_FIELDS
    assert record.raw["amount"] == 9900


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("한도초과", "한도초과"),
        ("카드 4111111111111111 거절", "카드 [number removed] 거절"),
        ("카드 4111-1111-1111-1111 거절", "카드 [number removed] 거절"),
        ("카드 4111 1111 1111 1111 거절", "카드 [number removed] 거절"),
        ("계좌 110-123-456789", "계좌 [number removed]"),
        ("010-1234-5678로 문의", "[number removed]로 문의"),
        ("[8326]한도초과 ☎1588-1234", "[8326]한도초과 ☎1588-1234"),  # an issuer's number and a code are not personal
        ("요청하신 customer_uid(gildong_0001)로 등록된 정보", "요청하신 customer_uid([removed])로 등록된 정보"),
        ('customer_uid="gildong_0001" unknown', 'customer_uid="[removed]" unknown'),
        ("customer_uid: gildong@example.com", "customer_uid: [removed]"),
        ("\x00한\x00도", "한도"),
        ("half a \ud83d pair", "half a ? pair"),
        ("a whole \U0001f600 pair", "a whole \U0001f600 pair"),
        ("x" * 10_000, "x" * LONGEST_TEXT),
    ],
)
def test_stored_text_has_no_long_numbers_keys_or_unstorable_characters(text, shown):
    assert redacted(text) == shown


def test_known_customer_uid_is_removed_from_text_unless_too_short():
    assert redacted(f"key {CUSTOMER_UID} refused", CUSTOMER_UID) == "key [removed] refused"
    assert redacted(f"customer_uid({CUSTOMER_UID}) refused", CUSTOMER_UID) == "customer_uid([removed]) refused"
    assert redacted("[8326] refused", "8326") == "[8326] refused"
    assert redacted("refused", None) == redacted("refused", "") == redacted("refused", 17) == "refused"


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        ("https://mockup-pg-web.kakao.com/v1/confirmation/p/T1234567890123456789", True),  # its digits are no card
        ("http://pg.example.com/receipt?tid=1234567890123", True),
        ("javascript:alert(1)", False),
        ("https://pg.example.com/a b", False),
        ("https://pg.example.com/\x00", False),
        (f"https://pg.example.com/?key={CUSTOMER_UID}", False),
        (f"https://pg.example.com/{'x' * LONGEST_TEXT}", False),
        ("", False),
    ],
)
def test_address_of_a_receipt_is_kept_whole_or_not_at_all(told: str, stored: bool):
    raw = kept({"receipt_url": told, "customer_uid": CUSTOMER_UID})
    assert raw == {"receipt_url": told if stored else None}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(KEPT_FIELDS)) | st.text(max_size=8), anything, max_size=8))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_kept_fields_of_any_document_can_be_stored(document):
    raw = kept(document)
    written = json.dumps(raw, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in written
    assert json.loads(written.encode()) == raw
    assert set(raw) <= KEPT_FIELDS
