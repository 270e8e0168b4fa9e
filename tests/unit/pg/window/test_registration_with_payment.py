"""Registering a key and really paying at once: Kakao Pay's window does so, PAYCO's never."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.payment_windows import (
    CUSTOMER_UID,
    DOCUMENTED_KEY,
    LINKS,
    SUBSCRIBER,
    SUBSCRIPTION,
    URL,
    WITH_PAYMENT,
    order,
    problems,
    request,
)
from worker.pg.catalog import PGS
from worker.pg.facts import KeyRegistration
from worker.pg.window import build, registration_with_payment
from worker.pg.window.request import WindowChannel


def test_kakaopay_amount_above_zero_is_key_and_initial_payment():
    built = registration_with_payment(
        WindowChannel(pg="kakaopay"), replace(SUBSCRIPTION, amount=14000), CUSTOMER_UID, callback_urls=LINKS
    )
    assert (built["amount"], built["customer_uid"]) == (14000, CUSTOMER_UID)


def test_kakaopay_initial_payment_is_the_documented_object_with_its_amount():
    built = registration_with_payment(
        WindowChannel(pg="kakaopay"),
        replace(SUBSCRIPTION, amount=9900),
        CUSTOMER_UID,
        buyer=SUBSCRIBER,
        callback_urls=LINKS,
    )
    assert built == {"pg": "kakaopay", **DOCUMENTED_KEY, "amount": 9900, "m_redirect_url": URL}


def test_kakaopay_initial_payment_takes_100_to_2_000_000():
    for amount, is_taken in ((1, False), (99, False), (100, True), (2_000_000, True), (2_000_001, False)):
        assert (problems(request(use=WITH_PAYMENT, amount=amount)) == {}) is is_taken, amount


def test_kakaopay_initial_payment_states_its_tax_free_part():
    assert build(request(use=WITH_PAYMENT, order=order(tax_free=4000)))["tax_free"] == 4000
    assert set(problems(request(use=WITH_PAYMENT, order=order(vat_amount=1272)))) == {"vat_amount"}


def test_payco_initial_payment_is_refused_for_its_window_charges_nothing():
    assert problems(request("payco", WITH_PAYMENT)) == {
        "amount": "PAYCO only shows the amount in this window: nothing would be charged. Register the key alone; "
        "the first period is charged through `again` right after."
    }


def test_payco_initial_payment_is_refused_at_any_amount():
    for amount in (0, 99, 100, 14000, 2_000_000):  # and no other amount is suggested, for none would do
        assert "nothing would be charged" in problems(request("payco", WITH_PAYMENT, amount=amount))["amount"]


@pytest.mark.parametrize("pg", sorted(PGS))
def test_initial_payment_needs_a_window_that_charges(pg):
    wanted = request(pg, WITH_PAYMENT, order=order(pay_method="card"))
    assert (problems(wanted) == {}) is (PGS[pg].window.keys is KeyRegistration.CHARGES)
