"""How much of a paid charge can be refunded, and which part of it is tax-free or VAT."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.periods import BillingPeriod
from worker.domain.errors import Refused
from worker.domain.pricing.amounts import Amounts
from worker.domain.states import ChargeStatus
from worker.refunds.terms import RefundableCharge, Wanted, refund_of

SEOUL = ZoneInfo("Asia/Seoul")
START, END = datetime(2026, 1, 5, 1, tzinfo=UTC), datetime(2026, 2, 5, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 15, 3, tzinfo=UTC)


def charge(**changes: Any) -> RefundableCharge:
    usual = RefundableCharge(
        id=17,
        status=ChargeStatus.PAID,
        charged=Amounts(31_000),
        currency="KRW",
        period=BillingPeriod(START, END),
        zone=SEOUL,
        paid_at=START,
        payments=1,
        imp_uid="imps_000000000001",
        merchant_uid="again7ZK3M9QX2VB4C20260105010000001",
        pg="kakaopay",
        pay_method="card",
        paid=31_000,
        refunded=0,
        ours=Amounts(0),
        open_refund=None,
    )
    return replace(usual, **changes)


def refunded(of: RefundableCharge, **wanted: Any) -> tuple[int, int, int | None]:
    refund = refund_of(of, Wanted(**wanted), reason="asked for", reference="again-1", now=NOW)
    assert refund.checksum == of.left
    return refund.amount, refund.tax_free, refund.vat_amount


def test_refund_by_days_counts_today_as_unused_and_is_bounded_by_what_is_left():
    assert refunded(charge(), unused_days=True)[0] == 21_000
    assert refunded(charge(refunded=15_000), unused_days=True)[0] == 16_000


def test_vat_is_stated_only_to_a_pg_that_takes_it():
    stated = Amounts(11_000, 0, 1000)
    assert refunded(charge(charged=stated, paid=11_000, pg="nice_v2")) == (11_000, 0, 1000)
    assert refunded(charge(charged=stated, paid=11_000, pg="kakaopay")) == (11_000, 0, None)


def test_refund_in_the_console_takes_its_share_of_the_tax_parts():
    after = charge(charged=Amounts(10_000, 4000), paid=10_000, refunded=5000, ours=Amounts(0))
    assert refunded(after) == (5000, 2000, None)


def test_payment_of_another_amount_is_refunded_by_what_was_paid():
    assert refunded(charge(paid=9000)) == (9000, 0, None)
    assert refunded(charge(charged=Amounts(10_000, 4000), paid=5000)) == (5000, 2000, None)


NOTHING = [
    ({"status": ChargeStatus.VOID, "payments": 0}, "is void, so there is no payment"),
    ({"payments": 0}, "was paid elsewhere"),
    ({"payments": 2}, "was paid 2 times"),
    ({"open_refund": 3}, "Refund 3 of charge 17 has no definite outcome yet"),
    ({"refunded": 31_000}, "is refunded already"),
]


@pytest.mark.parametrize(("changes", "said"), NOTHING)
def test_charge_of_which_nothing_can_be_refunded_says_why(changes: dict[str, Any], said: str):
    with pytest.raises(Refused, match=said):
        refunded(charge(**changes))


@given(st.data())
def test_refunds_in_parts_give_back_all_of_each_part_and_never_more(data: st.DataObject):
    amount = data.draw(st.integers(1, 100_000))
    tax_free = data.draw(st.integers(0, amount))
    vat = data.draw(st.none() | st.integers(0, amount - tax_free))
    known = charge(charged=Amounts(amount, tax_free, vat), paid=amount, pg="nice_v2", ours=Amounts(0, 0, vat and 0))
    back = Amounts(0, 0, None if vat is None else 0)
    while known.left:
        part = data.draw(st.integers(1, known.left))
        refund = refund_of(known, Wanted(amount=part), reason="r", reference="", now=NOW)
        back = back + Amounts(refund.amount, refund.tax_free, refund.vat_amount)
        assert 0 <= refund.tax_free <= refund.amount
        assert 0 <= (refund.vat_amount or 0) <= refund.amount - refund.tax_free
        known = replace(known, refunded=back.amount, ours=back)
    assert (back.amount, back.tax_free, back.vat_amount) == (amount, tax_free, vat)
