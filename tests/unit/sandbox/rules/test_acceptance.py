"""Which charges the PG and PortOne decline or reject: amounts, names, and merchant_uids seen before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.sandbox_requests import code_and_status, request
from worker.sandbox.rules import acceptance
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.providers import Instrument, channel
from worker.sandbox.switches import Repeat, Switches

BUYER: dict[str, Any] = {"buyer_name": "Hong", "buyer_email": "hong@example.com", "buyer_tel": "010-0000-0000"}


def key(pg: str = "kakaopay", instrument: Instrument = Instrument.MONEY, *, sandbox: bool = True) -> BillingKey:
    return BillingKey("key", channel(pg, sandbox=sandbox), instrument)


@pytest.mark.parametrize(
    ("charged", "fields", "refused"),
    [
        (key(), {"amount": 99}, (-1, 200)),  # Kakao Pay takes 100 and more
        (key(), {"amount": 100}, None),
        (key("payco"), {"amount": 99}, (-1, 200)),  # so does PAYCO
        (key("payco"), {"amount": 100}, None),
        (key("nice_v2"), {"amount": 1}, None),  # no minimum known
        (key(), {"amount": 2_000_000}, None),  # Kakao money: up to 2,000,000
        (key(), {"amount": 2_000_001}, (-1, 200)),
        (key(instrument=Instrument.CARD), {"amount": 999_999}, None),  # a Kakao card on a test channel: below 1,000,000
        (key(instrument=Instrument.CARD), {"amount": 1_000_000}, (-1, 200)),
        (key(instrument=Instrument.CARD, sandbox=False), {"amount": 1_999_999}, None),  # live: below 2,000,000
        (key(instrument=Instrument.CARD, sandbox=False), {"amount": 2_000_000}, (-1, 200)),
        (key("payco", sandbox=False), {"amount": 2_000_001}, (-1, 200)),  # a PAYCO account: 2,000,000 a day
        (key("payco"), {"amount": 2_000_001}, None),  # PAYCO's test mode knows no limits
        (key(), {"currency": "USD"}, (1, 400)),
        (key("html5_inicis"), {"name": None}, (1, 400)),  # insists on a name
        (key("nice_v2"), {"name": None}, None),
        (key("nice_v2"), {"card_quota": 2, "amount": 49_999}, (1, 400)),  # instalments from 50,000
        (key("nice_v2"), {"card_quota": 2, "amount": 50_000}, None),
        (key("naverpay"), {"amount": 9}, (-1, 200)),
        (key("naverpay"), {"amount": 10}, None),
        (key("tosspayments"), {"amount": 99}, (-1, 200)),
        (key("paypal_v2"), {}, (1, 400)),  # every currency but KRW
        (key("paypal_v2"), {"currency": "USD"}, (1, 501)),  # which this sandbox lacks
        (key("smartro_v2"), {}, (1, 400)),  # the buyer's data are required
        (key("ksnet"), {}, (1, 400)),
        (key("welcome"), {}, (1, 400)),
        (key("paymentwall"), {}, (1, 400)),
        (key("smartro_v2"), BUYER, None),
        (key("smartro_v2"), BUYER | {"buyer_tel": ""}, (1, 400)),
        (key("smartro_v2"), BUYER | {"merchant_uid": "a-b_c-1"}, (1, 400)),  # letters and digits only
        (key("welcome"), BUYER, None),
        (key("ksnet"), BUYER, (1, 400)),  # and the product type
        (key("ksnet"), BUYER | {"product_type": "digital"}, None),
        (key("ksnet"), {"product_type": "digital"}, (1, 400)),
        (key("welcome"), {"buyer_name": "Hong", "vat_amount": 990}, None),  # 10 % at most
        (key("welcome"), {"buyer_name": "Hong", "vat_amount": 991}, (-1, 200)),
        (key("paymentwall"), BUYER, (1, 400)),  # and the address
        (key("paymentwall"), BUYER | {"browser_ip": "192.0.2.1"}, None),
        (key(), {"channel_key": "channel-key-nobody"}, (1, 200)),
        (key(), {"channel_key": "channel-key-sandbox-payco"}, (1, 200)),  # another PG's
        (key(), {"channel_key": "channel-key-sandbox-kakaopay"}, None),
    ],
)
def test_charge_request_beyond_the_pgs_rules_is_rejected(
    charged: BillingKey, fields: dict[str, Any], refused: tuple[int, int] | None
):
    assert code_and_status(acceptance.against_pg(request(**fields), charged)) == refused


@pytest.mark.parametrize(
    ("charged", "paid", "refused"),
    [
        (key("payco", sandbox=False), (1_500_000, 1_500_000), None),  # a PAYCO account: 2,000,000 a day
        (key("payco", sandbox=False), (1_500_001, 1_500_001), (-1, 200)),
        (key("payco", sandbox=False), (0, 4_500_000), None),  # and 5,000,000 a month
        (key("payco", sandbox=False), (0, 4_500_001), (-1, 200)),
        (key("payco", Instrument.CARD, sandbox=False), (9_000_000, 9_000_000), None),
        (key("payco"), (9_000_000, 9_000_000), None),  # PAYCO's test mode knows no limits
        (key(sandbox=False), (9_000_000, 9_000_000), None),
    ],
)
def test_charge_beyond_an_accounts_limits_is_declined(
    charged: BillingKey, paid: tuple[int, int], refused: tuple[int, int] | None
):
    assert code_and_status(acceptance.against_sums(request(amount=500_000), charged, paid)) == refused


USUAL = Switches()


@pytest.mark.parametrize(
    ("statuses", "pg", "switches", "refused"),
    [
        (set(), "kakaopay", USUAL, None),  # never seen
        ({"paid"}, "kakaopay", USUAL, (1, 200)),
        ({"failed"}, "kakaopay", USUAL, None),  # only a paid one blocks
        ({"failed", "paid"}, "kakaopay", USUAL, (1, 200)),  # a failed one does not hide it
        ({"cancelled"}, "kakaopay", USUAL, (1, 200)),  # it was paid once
        ({"paid"}, "kakaopay", replace(USUAL, repeated_paid=Repeat.REFUSE_AS_PG), (-1, 200)),
        ({"paid"}, "kakaopay", replace(USUAL, repeated_paid=Repeat.REFUSE_VAGUELY), (-1, 200)),
        ({"paid"}, "kakaopay", replace(USUAL, repeated_paid=Repeat.ACCEPT), None),
        ({"failed"}, "kakaopay", replace(USUAL, repeated_failed=Repeat.REFUSE), (1, 200)),
        ({"failed"}, "kakaopay", replace(USUAL, repeated_failed=Repeat.REFUSE_AS_PG), (-1, 200)),
        ({"failed"}, "naverpay", USUAL, (1, 200)),  # used in any way is used for good
        ({"paid"}, "naverpay", replace(USUAL, repeated_paid=Repeat.ACCEPT), (1, 200)),
    ],
)
def test_repeated_merchant_uid_is_rejected_by_status_and_switch(
    statuses: set[str], pg: str, switches: Switches, refused: tuple[int, int] | None
):
    assert code_and_status(acceptance.against_repeat(statuses, key(pg), switches)) == refused


@pytest.mark.parametrize(
    ("repeat", "refused"),
    [
        (Repeat.REFUSE, (1, 200)),
        (Repeat.REFUSE_AS_PG, (-1, 200)),
        (Repeat.ACCEPT, None),
        (Repeat.SERIALIZE, None),  # waits instead
    ],
)
def test_overlapping_merchant_uid_is_rejected_by_switch(repeat: Repeat, refused: tuple[int, int] | None):
    assert code_and_status(acceptance.against_overlap(replace(USUAL, repeated_in_flight=repeat))) == refused
