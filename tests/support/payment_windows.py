"""For the tests of payment windows: PortOne's examples as values, and valid windows."""

from __future__ import annotations

from dataclasses import replace

from worker.pg.facts import WindowUse
from worker.pg.window.request import Buyer, CallbackUrls, WindowChannel, WindowOrder, WindowRequest
from worker.pg.window.rules import problems_in

PAYMENT = WindowUse.PAYMENT
REGISTRATION = WindowUse.REGISTRATION
WITH_PAYMENT = WindowUse.REGISTRATION_WITH_PAYMENT

CUSTOMER_UID = "gildong_0001_1234"
URL = "https://www.my-service.com/payments/complete/mobile"
LINKS = CallbackUrls(m_redirect_url=URL)
EXAMPLE_BUYER = Buyer(
    email="iamport@siot.do",
    name="Customer name",
    tel="010-1234-5678",
    addr="Samseong-dong, Gangnam-gu, Seoul",
    postcode="123-456",
)
SUBSCRIBER = Buyer(email="johndoe@gmail.com", name="John Doe", tel="02-1234-1234")
DOCUMENTED_PAYMENT = {
    "merchant_uid": "order_no_0001",
    "name": "Order name: Test payment",
    "amount": 14000,
    "buyer_email": "iamport@siot.do",
    "buyer_name": "Customer name",
    "buyer_tel": "010-1234-5678",
    "buyer_addr": "Samseong-dong, Gangnam-gu, Seoul",
    "buyer_postcode": "123-456",
}
"""The example of both PortOne pages for a general payment; DOCUMENTED_KEY is the same for a subscription."""

DOCUMENTED_KEY = {
    "merchant_uid": "issue_billingkey_monthly_0001",
    "name": "Order name: Billing key request test",
    "amount": 0,
    "customer_uid": "gildong_0001_1234",
    "buyer_email": "johndoe@gmail.com",
    "buyer_name": "John Doe",
    "buyer_tel": "02-1234-1234",
}
SUBSCRIPTION = WindowOrder(
    merchant_uid="issue_billingkey_monthly_0001", name="Order name: Billing key request test", amount=0
)


def order(amount=14000, **changes) -> WindowOrder:
    return replace(WindowOrder(merchant_uid="order_no_0001", name="Order name: Test payment", amount=amount), **changes)


def request(pg="kakaopay", use=PAYMENT, amount=None, **changes) -> WindowRequest:
    """Return a valid window request with some changes."""
    usual = 0 if use is REGISTRATION else 14000
    return replace(
        WindowRequest(
            use=use,
            channel=WindowChannel(pg=pg),
            order=order(usual if amount is None else amount),
            customer_uid=None if use is PAYMENT else CUSTOMER_UID,
            buyer=EXAMPLE_BUYER,
            callback_urls=LINKS,
        ),
        **changes,
    )


def problems(wanted: WindowRequest) -> dict[str, str]:
    """Return the sentence for each parameter; no parameter may have two."""
    found = problems_in(wanted)
    assert len({problem.parameter for problem in found}) == len(found), found
    return {problem.parameter: problem.sentence for problem in found}
