"""What PortOne's answers prove about a payment window."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.attempts import CUSTOMER_UID, MERCHANT_UID, record
from worker.checkout.verification import Expected, Failed, Proved, Waiting, Wrong, judge_key, judge_payment
from worker.domain.gateway import Found, LookUpFailed, NoSuchKey, StoredKey
from worker.domain.outcomes import NO_ANSWER

WITH_PAYMENT = Expected(
    merchant_uid=MERCHANT_UID,
    pg="kakaopay",
    opened_pgs=frozenset({"kakaopay"}),
    charged=9900,
    shown=9900,
    currency="KRW",
    customer_uid=CUSTOMER_UID,
)
KEY_ALONE = replace(WITH_PAYMENT, charged=0)
BY_HAND = replace(WITH_PAYMENT, customer_uid=None)

PAID, READY, GIVEN_BACK = record(), record("ready"), record("cancelled")
DECLINED = record("failed")

JUDGEMENTS = [
    # what was asked for; PortOne's records, the newest first; what they prove
    (WITH_PAYMENT, [PAID], Proved),
    (WITH_PAYMENT, [READY, PAID], Proved),  # another tab is open still
    (WITH_PAYMENT, [DECLINED, PAID], Proved),  # and was declined after the first had paid
    (WITH_PAYMENT, [PAID, READY], Proved),
    (
        WITH_PAYMENT,
        [record(customer_uid=None)],
        Proved,
    ),  # PortOne names it once the key is issued; the key is asked for
    (WITH_PAYMENT, [], Waiting),
    (WITH_PAYMENT, [READY], Waiting),
    (WITH_PAYMENT, [READY, DECLINED], Waiting),  # declined once, and trying again
    (WITH_PAYMENT, [DECLINED], Failed),
    (WITH_PAYMENT, [DECLINED, READY], Failed),
    (WITH_PAYMENT, [GIVEN_BACK], Wrong),
    (WITH_PAYMENT, [PAID, PAID], Wrong),
    (WITH_PAYMENT, [record(amount=9899)], Wrong),
    (WITH_PAYMENT, [record(amount=0)], Wrong),
    (WITH_PAYMENT, [record(currency="USD")], Wrong),
    (WITH_PAYMENT, [record(customer_uid="another")], Wrong),
    (WITH_PAYMENT, [record(pg_provider="payco")], Wrong),
    (WITH_PAYMENT, [record(merchant_uid=MERCHANT_UID[:-1] + "2")], Wrong),
    (BY_HAND, [PAID], Proved),
    (replace(BY_HAND, pg="payco", opened_pgs=frozenset({"payco", "kakaopay"})), [PAID], Proved),  # in the first tab
    (BY_HAND, [record(amount=100)], Wrong),
    (KEY_ALONE, [record(amount=0)], Proved),
    (KEY_ALONE, [PAID], Proved),  # what PAYCO showed; that it is recorded as 0 or as shown is assumed
    (KEY_ALONE, [record(amount=5000)], Wrong),
    (replace(KEY_ALONE, shown=0), [PAID], Wrong),  # Kakao Pay really charges what is not 0
    (KEY_ALONE, [], Waiting),
]


@pytest.mark.parametrize(("expected", "records", "verdict"), JUDGEMENTS)
def test_payment_is_judged_by_every_record_that_portone_shows(expected, records, verdict):
    assert isinstance(judge_payment(expected, Found(tuple(records))), verdict)


def test_unanswered_look_up_proves_nothing_and_refuses_nothing():
    assert isinstance(judge_payment(WITH_PAYMENT, LookUpFailed(NO_ANSWER)), Waiting)
    assert isinstance(judge_key(KEY_ALONE, LookUpFailed(NO_ANSWER)), Waiting)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (StoredKey(customer_uid=CUSTOMER_UID, pg="kakaopay", card=None), Proved),
        (StoredKey(customer_uid=CUSTOMER_UID, pg="payco", card=None), Wrong),
        (NoSuchKey(), Waiting),
    ],
)
def test_key_is_judged_by_what_portone_has_stored(answer, verdict):
    assert isinstance(judge_key(KEY_ALONE, answer), verdict)


def test_money_has_moved_only_if_portone_shows_it_paid():
    judged = {
        amount: judge_payment(replace(KEY_ALONE, shown=0), Found((record(amount=amount),))) for amount in (1, 5000)
    }
    assert all(isinstance(verdict, Wrong) and verdict.moved for verdict in judged.values())
    given_back = judge_payment(WITH_PAYMENT, Found((GIVEN_BACK,)))
    assert isinstance(given_back, Wrong)
    assert not given_back.moved


def test_customer_uid_is_in_no_repr_of_expectations_and_records():
    assert CUSTOMER_UID not in repr([WITH_PAYMENT, PAID, StoredKey(customer_uid=CUSTOMER_UID, pg="payco", card=None)])
