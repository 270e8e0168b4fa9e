"""Which of the PGs that are set up a page offers for an amount."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from worker.checkout.links import offered_pgs
from worker.config.settings import Settings
from worker.domain.states import CheckoutPurpose

PAY, REGISTER, REPLACE = CheckoutPurpose.PAY, CheckoutPurpose.REGISTER, CheckoutPurpose.REPLACE
SETTINGS = Settings(
    key_channels=("kakaopay.TCSUBSCRIP", "payco", "html5_inicis"), payment_channels=("payco=channel-key-1", "nice")
)


@pytest.mark.parametrize(
    ("purpose", "amount", "vat_amount", "offered"),
    [
        (REGISTER, 9900, None, ("kakaopay", "payco", "html5_inicis")),  # in the order of the setting
        (REGISTER, 100, None, ("kakaopay", "payco", "html5_inicis")),
        (REGISTER, 99, None, ()),
        (REGISTER, 2_000_000, None, ("kakaopay", "payco", "html5_inicis")),
        (REGISTER, 2_000_001, None, ("payco", "html5_inicis")),  # a key that Kakao Pay could never charge
        (REPLACE, 2_000_001, None, ("payco", "html5_inicis")),
        (REPLACE, 9900, 500, ("html5_inicis",)),  # the wallets would put another VAT on the receipt
        (PAY, 9900, None, ("payco", "nice")),
        (PAY, 9900, 900, ("payco", "nice")),  # what they work out themselves
        (PAY, 9900, 500, ("nice",)),
    ],
)
def test_page_offers_only_pgs_that_can_take_the_amount(purpose, amount, vat_amount, offered):
    assert offered_pgs(SETTINGS, purpose, SimpleNamespace(amount=amount, tax_free=0, vat_amount=vat_amount)) == offered
