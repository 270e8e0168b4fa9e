"""Which payment may be refunded, how much of it, and what the operator is told before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.attempts import STARTED_AT, record
from tests.support.review_cases import FIRST, SECOND, TWO, case, charge, refusal, step, unresolved
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.domain.errors import Refused
from worker.domain.states import ChargeStatus
from worker.review.case import Decision
from worker.review.decisions import preview_decisions


def test_duplicate_is_refunded_unless_another_payment_is_named():
    refunded = step(Decision.REFUND, case(*TWO))
    assert refunded.refund is not None
    assert (refunded.refund.imp_uid, refunded.refund.checksum, refunded.refund.tax_free) == (SECOND, 9900, 0)
    assert (refunded.refund.reason, refunded.moves_money) == ("because", True)
    assert "our records count" not in refunded.sentence


def test_counted_payment_is_refunded_only_by_name():
    mistaken = case(*TWO, imp_uid=FIRST)
    assert "name it with --imp-uid" in refusal(Decision.REFUND, mistaken)
    named = step(Decision.REFUND, mistaken, imp_uid=FIRST)
    assert named.refund is not None
    assert "the payment that our records count for the period" in named.sentence


def test_payment_of_the_charges_other_attempt_can_be_named():
    both = case(record(imp_uid=SECOND), others=(record(merchant_uid="again7ZK3M9QX2VB4C20260102010000002"),))
    named = step(Decision.REFUND, both, imp_uid=FIRST)
    assert named.payment is not None
    assert named.payment.merchant_uid.endswith("002")


@pytest.mark.parametrize("records", [[record()], list(TWO)])
def test_refund_for_an_unresolved_attempt_needs_a_named_payment(records):
    assert f"--imp-uid: {records[0].imp_uid}" in refusal(Decision.REFUND, unresolved(*records))
    assert step(Decision.REFUND, unresolved(*records), imp_uid=FIRST).refund is not None


NOT_REFUNDABLE = [
    ([], None, "no payment that could be refunded"),
    ([record("failed", imp_uid=SECOND)], None, "no payment that could be refunded"),
    ([record("ready", imp_uid=SECOND)], None, "no payment that could be refunded"),
    ([record()], None, f"no such payment ({SECOND}) here, but {FIRST}"),
    ([record(imp_uid=SECOND)], "imps_unknown", "no such payment (imps_unknown)"),
]


@pytest.mark.parametrize(("records", "imp_uid", "said"), NOT_REFUNDABLE)
def test_payment_that_portone_does_not_show_is_not_refunded(records, imp_uid, said):
    assert said in refusal(Decision.REFUND, case(*records), imp_uid=imp_uid)


def test_refunded_payment_moves_no_money_and_resolves_the_discrepancy():
    back = step(Decision.REFUND, case(record("cancelled", imp_uid=SECOND), record()))
    assert (back.refund, back.moves_money) == (None, False)
    assert "as refunded (9,900 KRW)" in back.sentence


NOTHING_LEFT = [
    # what PortOne shows beside the duplicate: the period would be left without any payment
    [record("cancelled")],
    [record(cancel_amount=9900)],
    [record("failed")],
    [record("ready")],
    [],  # also when the look-up of the other attempt has failed
]


@pytest.mark.parametrize("others", NOTHING_LEFT)
def test_last_payment_of_a_period_is_refunded_only_by_name(others):
    last = case(record(imp_uid=SECOND), *others)
    assert f"Refunding {SECOND} would leave nothing for the period" in refusal(Decision.REFUND, last)
    (shown,) = (choice for choice in preview_decisions(last) if choice.decision is Decision.REFUND)
    assert not shown.possible
    assert "would leave nothing for the period" in shown.sentence
    named = step(Decision.REFUND, last, imp_uid=SECOND)
    assert named.refund is not None
    assert named.sentence.endswith("Nothing is left for the period then.")


@pytest.mark.parametrize("kept", [record(), record(cancel_amount=900)])
def test_duplicate_beside_a_kept_payment_needs_no_name(kept):
    refunded = step(Decision.REFUND, case(record(imp_uid=SECOND), kept))
    assert refunded.refund is not None
    assert "Nothing is left" not in refunded.sentence


@pytest.mark.parametrize(
    "kind", [DiscrepancyKind.NOT_OWED, DiscrepancyKind.OTHER_AMOUNT, DiscrepancyKind.NOT_IN_RECORDS]
)
def test_unexpected_payment_is_refunded_even_if_it_is_the_only_one(kind):
    refunded = step(Decision.REFUND, case(record(imp_uid=SECOND), kind=kind, charge=charge(ChargeStatus.VOID)))
    assert refunded.refund is not None
    assert "Nothing is left" not in refunded.sentence


def test_partly_refunded_payment_is_refunded_by_the_rest():
    partly = step(Decision.REFUND, case(record(imp_uid=SECOND, cancel_amount=900), record()))
    assert partly.refund is not None
    assert partly.refund.checksum == 9000
    assert "9,000 KRW (the rest of 9,900 KRW)" in partly.sentence


TAX = [
    # payment, charge, --tax-free, what goes to PortOne or is said
    (record(imp_uid=SECOND), charge(tax_free=900), None, 900),
    (record(imp_uid=SECOND), charge(tax_free=900), 0, 0),
    (record(imp_uid=SECOND, amount=5000), charge(), None, 0),
    (record(imp_uid=SECOND, amount=5000), charge(tax_free=900), None, "--tax-free how much of 5,000 KRW"),
    (record(imp_uid=SECOND, cancel_amount=1), charge(tax_free=900), None, "--tax-free how much of 9,899 KRW"),
    (record(imp_uid=SECOND), None, None, "--tax-free how much of 9,900 KRW"),
    (record(imp_uid=SECOND), None, 9900, 9900),
    (record(imp_uid=SECOND), charge(tax_free=900), 901, "it can be 0 to 900 of the 9,900 refunded"),
    (record(imp_uid=SECOND), charge(), 1, "it can be 0 to 0 of the 9,900 refunded"),
    (record(imp_uid=SECOND, amount=5000), charge(), 5001, "it can be 0 to 5,000 of the 5,000 refunded"),
    (record(imp_uid=SECOND), charge(), -1, "it can be 0 to 0"),
]


def taxed(pg: str = "nice", **changes: Any) -> Any:
    values: dict[str, Any] = {"imp_uid": SECOND, "amount": 11_000} | changes
    paid = record(**values)
    return replace(paid, raw={**paid.raw, "pg_provider": pg})


STATED = charge(amount=11_000, tax_free=5500, vat_amount=500)
VAT = [
    (taxed(), STATED, {}, (5500, 500)),
    (taxed("html5_inicis"), STATED, {}, (5500, 500)),
    (taxed("tosspay_v2"), STATED, {}, (5500, 500)),
    (taxed("kakaopay"), STATED, {}, (5500, None)),  # takes none with the payment either
    (taxed("acme"), STATED, {}, (5500, None)),
    (taxed(), replace(STATED, vat_amount=None), {}, (5500, None)),  # it was not stated
    (taxed(), replace(STATED, vat_amount=0), {}, (5500, 0)),  # none at all is stated too
    (taxed(), STATED, {"tax_free": 5500, "vat_amount": 400}, (5500, 400)),
    (taxed(cancel_amount=6000), STATED, {"tax_free": 2500}, "--vat-amount how much of the taxed 2,500 KRW"),
    (taxed(cancel_amount=6000), STATED, {"tax_free": 2500, "vat_amount": 227}, (2500, 227)),
    (taxed(cancel_amount=5500), STATED, {"tax_free": 0}, (0, 500)),  # what was refunded was all of the rest
    (taxed(), STATED, {"vat_amount": 501}, "it can be 0 to 500"),
    (taxed(), STATED, {"vat_amount": -1}, "it can be 0 to 500"),
    (taxed(), STATED, {"tax_free": 5501}, "it can be 0 to 5,500"),
    (taxed("kakaopay"), STATED, {"vat_amount": 500}, "leave out --vat-amount"),
    (taxed(), None, {"tax_free": 0, "vat_amount": 900}, (0, 900)),
    (taxed(), None, {"tax_free": 0}, (0, None)),
]


@pytest.mark.parametrize(("payment", "facts", "options", "expected"), VAT)
def test_vat_of_a_refund_is_known_or_required(payment, facts, options, expected):
    subject = case(payment, taxed(imp_uid=FIRST), charge=facts)
    if isinstance(expected, str):
        assert expected in refusal(Decision.REFUND, subject, **options)
        return
    planned = step(Decision.REFUND, subject, **options)
    assert planned.refund is not None
    assert (planned.refund.tax_free, planned.refund.vat_amount) == expected
    assert ("of it VAT" in planned.sentence) is (expected[1] is not None)


@pytest.mark.parametrize(("payment", "facts", "tax_free", "expected"), TAX)
def test_tax_free_part_of_a_refund_is_known_or_required(payment, facts, tax_free, expected):
    subject = case(payment, record(), charge=facts)
    if isinstance(expected, str):
        assert expected in refusal(Decision.REFUND, subject, tax_free=tax_free)
    else:
        refund = step(Decision.REFUND, subject, tax_free=tax_free).refund
        assert refund is not None
        assert refund.tax_free == expected


@pytest.mark.parametrize(("pg", "said"), [("payco", True), ("kakaopay", False)])
def test_refund_that_cannot_be_undone_is_announced(pg, said):
    sentence = step(Decision.REFUND, case(record(imp_uid=SECOND, pg_provider=pg), record())).sentence
    assert ("cannot be undone" in sentence) is said


@pytest.mark.parametrize(
    ("pg", "pay_method", "days", "said"),
    [
        ("kakaopay", "card", 366, "Kakao Pay refunds card payments for 1 year only"),
        ("kakaopay", "card", 364, None),
        ("kakaopay", "point", 366, None),  # Kakao money
        ("kakaopay", "point", 5 * 365 + 1, "Kakao Pay refunds wallet money for 5 years only"),
        ("payco", "point", 366, "PAYCO refunds card payments for 1 year only"),  # nothing longer is known of its money
        ("acme", "card", 9999, None),
    ],
)
def test_refund_of_a_payment_too_old_for_its_pg_is_announced(pg, pay_method, days, said):
    subject = case(record(imp_uid=SECOND, pg_provider=pg, pay_method=pay_method), record())
    paid_at = subject.records[0].paid_at
    assert paid_at is not None
    sentence = step(Decision.REFUND, replace(subject, asked_at=paid_at + timedelta(days=days))).sentence
    assert ("expect it to be refused" in sentence) is (said is not None)
    assert said is None or said in sentence


# --- always ---------------------------------------------------------------------------------------------------------

RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from(["paid", "cancelled", "failed", "ready", "odd"]),
        imp_uid=st.sampled_from([FIRST, SECOND, "imps_3"]),
        amount=st.sampled_from([9900, 9000]),
        cancel_amount=st.sampled_from([0, 900, 9000]),
    ),
    max_size=4,
)


@given(
    records=RECORDS,
    kind=st.sampled_from(DiscrepancyKind),
    minutes=st.integers(0, 60),
    imp_uid=st.sampled_from([None, FIRST, SECOND]),
)
def test_refund_never_exceeds_what_is_left(records, kind, minutes, imp_uid):
    subject = case(*records, kind=kind, asked_at=STARTED_AT + timedelta(minutes=minutes))
    if kind is DiscrepancyKind.UNRESOLVED:
        subject = unresolved(*records, asked_at=subject.asked_at)
    for choice in preview_decisions(subject):
        assert choice.sentence
    try:
        refunded = step(Decision.REFUND, subject, imp_uid=imp_uid)
    except Refused:
        return
    assert refunded.payment is not None
    if refunded.refund is not None:
        assert refunded.moves_money
        assert 0 < refunded.refund.checksum <= refunded.payment.amount - refunded.payment.cancel_amount
        assert refunded.refund.imp_uid != FIRST or imp_uid == FIRST  # the counted one only by its name
        if kind is DiscrepancyKind.PAID_TWICE and imp_uid is None:
            left = {each.imp_uid for each in records if each.status == "paid" and each.cancel_amount < each.amount}
            left |= {each.imp_uid for each in records if each.status == "cancelled" and each.cancel_amount}
            assert left - {refunded.refund.imp_uid}, "nothing is left for the period"
