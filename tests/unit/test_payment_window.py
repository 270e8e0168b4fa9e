"""The parameter objects of `IMP.request_pay`: PortOne's own examples, row by row, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker import merchant_uid
from worker.gateway import ChargeRequest
from worker.payment_window import (
    UnsuitableWindow,
    build,
    general_payment,
    registration,
    registration_with_payment,
)
from worker.pg_facts import WindowUse
from worker.pg_profiles import PGS
from worker.portone.payloads import again_body
from worker.window_request import Buyer, Links, Options, Order, WindowChannel, WindowRequest
from worker.window_rules import problems_in

CUSTOMER_UID = "gildong_0001_1234"
URL = "https://www.my-service.com/payments/complete/mobile"
EXAMPLE_BUYER = Buyer(
    email="iamport@siot.do",
    name="Customer name",
    tel="010-1234-5678",
    addr="Samseong-dong, Gangnam-gu, Seoul",
    postcode="123-456",
)
SUBSCRIBER = Buyer(email="johndoe@gmail.com", name="John Doe", tel="02-1234-1234")
LINKS = Links(m_redirect_url=URL)
PAYMENT = WindowUse.PAYMENT
REGISTRATION = WindowUse.REGISTRATION
WITH_PAYMENT = WindowUse.REGISTRATION_WITH_PAYMENT


def order(amount=14000, **changes) -> Order:
    return replace(Order(merchant_uid="order_no_0001", name="Order name: Test payment", amount=amount), **changes)


def request(pg="kakaopay", use=PAYMENT, amount=None, **changes) -> WindowRequest:
    """A window that can be opened, but for what is changed."""
    usual = 0 if use is REGISTRATION else 14000
    return replace(
        WindowRequest(
            use=use,
            channel=WindowChannel(pg=pg),
            order=order(usual if amount is None else amount),
            customer_uid=None if use is PAYMENT else CUSTOMER_UID,
            buyer=EXAMPLE_BUYER,
            links=LINKS,
        ),
        **changes,
    )


def problems(wanted: WindowRequest) -> dict[str, str]:
    """Give the sentence by parameter; two about one parameter would be one too many."""
    found = problems_in(wanted)
    assert len({problem.parameter for problem in found}) == len(found), found
    return {problem.parameter: problem.sentence for problem in found}


# --- Kakao Pay, general payment -------------------------------------------------------------------------------------


def test_kakaopay_general_payment_is_the_documented_object():
    built = general_payment(WindowChannel(pg="kakaopay"), order(pay_method="card"), buyer=EXAMPLE_BUYER, links=LINKS)
    assert built == {
        "pg": "kakaopay",
        "pay_method": "card",
        "merchant_uid": "order_no_0001",
        "name": "Order name: Test payment",
        "amount": 14000,
        "buyer_email": "iamport@siot.do",
        "buyer_name": "Customer name",
        "buyer_tel": "010-1234-5678",
        "buyer_addr": "Samseong-dong, Gangnam-gu, Seoul",
        "buyer_postcode": "123-456",
        "m_redirect_url": URL,
    }


def test_kakaopay_pg_is_named_even_where_it_is_the_only_one():
    assert general_payment(WindowChannel(pg="kakaopay"), order(), links=LINKS)["pg"] == "kakaopay"


def test_kakaopay_pay_method_can_be_omitted():
    assert "pay_method" not in general_payment(WindowChannel(pg="kakaopay"), order(), links=LINKS)


def test_kakaopay_pay_method_is_overwritten_so_any_code_will_do():
    wanted = request(order=order(pay_method="vbank"))
    assert build(wanted)["pay_method"] == "vbank"


def test_kakaopay_merchant_uid_is_required():
    assert "merchant_uid" in problems(request(order=order(merchant_uid="")))


def test_kakaopay_amount_must_be_an_integer_and_not_a_string():
    assert problems(request(amount="14000")) == {
        "amount": "amount is '14000' but must be an integer, never a text, a fraction or a boolean."
    }


def test_kakaopay_m_redirect_url_is_required_since_phones_are_redirected():
    assert problems(request(links=Links())) == {
        "m_redirect_url": "m_redirect_url is missing: on a phone the result comes nowhere else."
    }


# --- Kakao Pay, subscription ----------------------------------------------------------------------------------------

SUBSCRIPTION = Order(
    merchant_uid="issue_billingkey_monthly_0001", name="Order name: Billing key request test", amount=0
)


def test_kakaopay_subscription_request_is_the_documented_object():
    built = registration(WindowChannel(pg="kakaopay"), SUBSCRIPTION, CUSTOMER_UID, buyer=SUBSCRIBER, links=LINKS)
    assert built == {
        "pg": "kakaopay",
        "merchant_uid": "issue_billingkey_monthly_0001",
        "name": "Order name: Billing key request test",
        "amount": 0,
        "customer_uid": "gildong_0001_1234",
        "buyer_email": "johndoe@gmail.com",
        "buyer_name": "John Doe",
        "buyer_tel": "02-1234-1234",
        "m_redirect_url": URL,
    }


def test_kakaopay_amount_zero_registers_the_key_only():
    assert build(request(use=REGISTRATION))["amount"] == 0
    assert "no less than 100" in problems(request(use=WITH_PAYMENT, amount=0))["amount"]


def test_kakaopay_amount_above_zero_is_key_and_initial_payment():
    built = registration_with_payment(
        WindowChannel(pg="kakaopay"), replace(SUBSCRIPTION, amount=14000), CUSTOMER_UID, links=LINKS
    )
    assert (built["amount"], built["customer_uid"]) == (14000, CUSTOMER_UID)


def test_kakaopay_amount_above_zero_is_refused_when_only_the_key_was_wanted():
    sentence = problems(request(use=REGISTRATION, amount=14000))["amount"]
    assert sentence.startswith("amount is 14,000, and Kakao Pay would really charge it")


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_subscription_pg_is_kakaopay(use):
    assert build(request(use=use))["pg"] == "kakaopay"


@pytest.mark.parametrize("use", [REGISTRATION, WITH_PAYMENT])
def test_kakaopay_customer_uid_is_required(use):
    assert set(problems(request(use=use, customer_uid=None))) == {"customer_uid"}


def test_kakaopay_key_of_a_one_time_channel_is_refused():
    for use in (REGISTRATION, WITH_PAYMENT):
        wanted = request(use=use, channel=WindowChannel(pg="kakaopay", pg_id="TC0ONETIME"))
        assert problems(wanted)["pg"].startswith("TC0ONETIME is for one-time payments: `again` cannot charge a key")
        assert "TCSUBSCRIP" in problems(wanted)["pg"]
    assert build(request(channel=WindowChannel(pg="kakaopay", pg_id="TC0ONETIME")))["pg"] == "kakaopay.TC0ONETIME"


def test_kakaopay_key_of_a_one_time_channel_is_refused_under_a_channel_key_too():
    channel = WindowChannel(pg="kakaopay", pg_id="TC0ONETIME", channel_key="channel-key-0001")
    assert set(problems(request(use=REGISTRATION, channel=channel))) == {"pg"}


def test_kakaopay_further_payments_are_again_requests_by_customer_uid():
    assert_the_documented_again_body("kakaopay")


def test_kakaopay_takes_no_vat_amount_in_its_window():
    assert set(problems(request(order=order(vat_amount=1272)))) == {"vat_amount"}
    assert build(request(order=order(tax_free=4000)))["tax_free"] == 4000


def test_kakaopay_options_have_the_documented_names():
    options = Options(kakao_mobile_as_pc=True, kakao_instrument="MONEY", kakao_message="7월분")
    built = build(request(options=options))
    assert built["kakaopayMobileAsPC"] is True
    assert built["bypass"] == {"kakaopay": {"payment_method_type": "MONEY", "custom_message": "7월분"}}
    assert set(problems(request(options=Options(kakao_instrument="CASH")))) == {"bypass"}
    assert set(problems(request(options=Options(kakao_message="")))) == {"bypass"}


def test_kakaopay_options_are_refused_elsewhere():
    assert set(problems(request("payco", options=Options(kakao_mobile_as_pc=True)))) == {"kakaopayMobileAsPC"}
    assert problems(request("payco", options=Options(kakao_instrument="CARD"))) == {
        "bypass": "PAYCO takes nothing that is meant for kakaopay: leave it out."
    }


# --- PAYCO, general payment -----------------------------------------------------------------------------------------


def test_payco_general_payment_is_the_documented_object():
    built = general_payment(WindowChannel(pg="payco"), order(), buyer=EXAMPLE_BUYER)
    assert built == {
        "pg": "payco",
        "merchant_uid": "order_no_0001",
        "name": "Order name: Test payment",
        "amount": 14000,
        "buyer_email": "iamport@siot.do",
        "buyer_name": "Customer name",
        "buyer_tel": "010-1234-5678",
        "buyer_addr": "Samseong-dong, Gangnam-gu, Seoul",
        "buyer_postcode": "123-456",
    }


def test_payco_pg_is_named_even_where_it_is_the_only_one():
    assert build(request("payco"))["pg"] == "payco"


@pytest.mark.parametrize("code", ["card", "trans", "vbank"])
def test_payco_pay_method_is_card_trans_or_vbank(code):
    assert build(request("payco", order=order(pay_method=code)))["pay_method"] == code


def test_payco_pay_method_is_none_of_the_others():
    assert problems(request("payco", order=order(pay_method="phone"))) == {
        "pay_method": "pay_method is phone but must be card, trans, vbank for PAYCO (payment)."
    }


def test_payco_merchant_uid_is_required():
    assert "merchant_uid" in problems(request("payco", order=order(merchant_uid="")))


def test_payco_buyer_tel_is_required():
    wanted = request("payco", buyer=replace(EXAMPLE_BUYER, tel=None))
    assert problems(wanted) == {"buyer_tel": "buyer_tel is missing: PAYCO requires it."}


def test_payco_amount_must_be_an_integer_and_not_a_string():
    assert set(problems(request("payco", amount="14000"))) == {"amount"}


def test_payco_takes_m_redirect_url_and_does_without():
    assert build(request("payco"))["m_redirect_url"] == URL
    assert "m_redirect_url" not in build(request("payco", links=Links()))


# --- PAYCO, subscription --------------------------------------------------------------------------------------------


def test_payco_subscription_request_is_the_documented_object():
    assert registration(WindowChannel(pg="payco"), SUBSCRIPTION, CUSTOMER_UID, buyer=SUBSCRIBER) == {
        "pg": "payco",
        "merchant_uid": "issue_billingkey_monthly_0001",
        "name": "Order name: Billing key request test",
        "amount": 0,
        "customer_uid": "gildong_0001_1234",
        "buyer_email": "johndoe@gmail.com",
        "buyer_name": "John Doe",
        "buyer_tel": "02-1234-1234",
    }


def test_payco_amount_is_for_display_only():
    assert build(request("payco", REGISTRATION, amount=14000))["amount"] == 14000
    assert build(request("payco", REGISTRATION, amount=0))["amount"] == 0


def test_payco_approves_no_payment_while_it_registers_so_an_initial_payment_is_refused():
    assert problems(request("payco", WITH_PAYMENT)) == {
        "amount": "PAYCO only shows the amount in this window: nothing would be charged. Register the key alone; "
        "the first period is charged through `again` right after."
    }


def test_payco_subscription_pg_is_payco():
    assert build(request("payco", REGISTRATION))["pg"] == "payco"


def test_payco_customer_uid_is_required():
    assert set(problems(request("payco", REGISTRATION, customer_uid=None))) == {"customer_uid"}


def test_payco_subscription_amount_must_be_an_integer_and_not_a_string():
    assert set(problems(request("payco", REGISTRATION, amount="0"))) == {"amount"}


def test_payco_key_of_a_one_time_channel_is_refused():
    wanted = request("payco", REGISTRATION, channel=WindowChannel(pg="payco", pg_id="PARTNERTEST"))
    assert "AUTOPAY" in problems(wanted)["pg"]


def test_payco_further_payments_are_again_requests_by_customer_uid():
    assert_the_documented_again_body("payco")


def test_payco_pay_method_is_set_by_payco_while_a_key_is_registered():
    assert build(request("payco", REGISTRATION, order=order(0, pay_method="phone")))["pay_method"] == "phone"


def test_payco_alone_knows_popup():
    assert build(request("payco", options=Options(popup=True)))["popup"] is True
    assert build(request("payco", options=Options(popup=False)))["popup"] is False
    assert set(problems(request(options=Options(popup=True)))) == {"popup"}


def assert_the_documented_again_body(pg):
    charge = ChargeRequest(
        customer_uid="your-customer-unique-id",
        merchant_uid="order_id_8237352",
        amount=3000,
        tax_free=0,
        vat_amount=None,
        currency="KRW",
        name="Order name",
        pg=pg,
    )
    documented = {"customer_uid": "your-customer-unique-id", "merchant_uid": "order_id_8237352", "amount": 3000}
    assert again_body(charge) == {**documented, "name": "Order name"}


# --- other PGs ------------------------------------------------------------------------------------------------------


def test_a_third_pg_is_its_entry_alone():
    wanted = request("kcp_billing", REGISTRATION, amount=14000, order=order(14000, pay_method="card"))
    assert build(wanted)["pg"] == "kcp_billing"
    assert set(problems(request("kcp_billing", REGISTRATION, order=order(0, pay_method="trans")))) == {"pay_method"}
    assert "nothing would be charged" in problems(request("kcp_billing", WITH_PAYMENT))["amount"]
    assert problems(request("kcp_billing")) == {"pg": "NHN KCP (billing) has no window for general payments."}


@pytest.mark.parametrize(
    ("pg", "use", "parameter", "words"),
    [
        ("nice_v2", REGISTRATION, "pg", "registers no billing keys in a window"),
        ("kicc", WITH_PAYMENT, "amount", "only registers the key in this window: nothing would be charged"),
        ("welcome", WITH_PAYMENT, "amount", "Whether Welcome Payments charges an amount"),
        ("naverpay", PAYMENT, "pg", "needs what Again does not send yet: naverProducts"),
        ("paypal_v2", PAYMENT, "pg", "takes no KRW"),
        ("inicis", PAYMENT, "pg", "has no window for general payments"),
        ("html5_inicis", PAYMENT, "pay_method", "KG Inicis requires it"),
    ],
)
def test_a_window_that_a_pg_does_not_have_is_refused(pg, use, parameter, words):
    assert words in problems(request(pg, use))[parameter]


@pytest.mark.parametrize("pg", ["kicc", "welcome"])
def test_where_nothing_is_told_about_an_amount_a_key_is_registered_with_zero(pg):
    assert "give 0" in problems(request(pg, REGISTRATION, amount=100))["amount"]
    assert build(request(pg, REGISTRATION))["amount"] == 0


def test_no_pg_charges_in_a_registration_that_asked_for_none():
    for pg in PGS:
        found = problems_in(request(pg, REGISTRATION, amount=14000))
        assert found or PGS[pg].window.keys == "shows", pg


def test_a_pg_that_nobody_knows_is_one_problem():
    assert set(problems(request("Kakao Pay"))) == {"pg"}


# --- each parameter -------------------------------------------------------------------------------------------------


def test_a_channel_key_replaces_pg():
    channel = WindowChannel(pg="kakaopay", pg_id="TCSUBSCRIP", channel_key="channel-key-0001")
    built = build(request(use=REGISTRATION, channel=channel))
    assert built["channelKey"] == "channel-key-0001"
    assert "pg" not in built


@pytest.mark.parametrize(
    ("parameter", "changes"),
    [
        ("channelKey", {"channel": WindowChannel(pg="kakaopay", channel_key="c" * 56)}),
        ("channelKey", {"channel": WindowChannel(pg="kakaopay", channel_key="")}),
        ("pg", {"channel": WindowChannel(pg="kakaopay", pg_id="")}),
        ("pg", {"channel": WindowChannel(pg="kakaopay", pg_id="TC SUBSCRIP")}),
        ("pay_method", {"order": order(pay_method="cash")}),
        ("merchant_uid", {"order": order(merchant_uid="o" * 41)}),
        ("merchant_uid", {"order": order(merchant_uid="주문-1")}),
        ("merchant_uid", {"order": order(merchant_uid=1)}),
        ("name", {"order": order(name="n" * 41)}),
        ("name", {"order": order(name="")}),
        ("name", {"order": order(name="emoji \N{PARTY POPPER}")}),
        ("currency", {"order": order(currency="USD")}),
        ("amount", {"order": order(99)}),
        ("amount", {"order": order(2_000_001)}),
        ("amount", {"order": order(True)}),
        ("amount", {"order": order(14000.0)}),
        ("amount", {"order": order(None)}),
        ("tax_free", {"order": order(tax_free=14001)}),
        ("tax_free", {"order": order(tax_free=-1)}),
        ("tax_free", {"order": order(tax_free="0")}),
        ("customer_uid", {"customer_uid": CUSTOMER_UID}),  # it would make a registration of a payment
        ("buyer_name", {"buyer": Buyer(name="n" * 17)}),
        ("buyer_name", {"buyer": Buyer(name="")}),
        ("buyer_name", {"buyer": Buyer(name="Gil\x00dong")}),
        ("buyer_email", {"buyer": Buyer(email="a@" + "b" * 63)}),
        ("buyer_email", {"buyer": Buyer(email="nobody")}),
        ("buyer_tel", {"buyer": Buyer(tel="0" * 17)}),
        ("buyer_tel", {"buyer": Buyer(tel="call me")}),
        ("buyer_tel", {"buyer": Buyer(tel="-")}),
        ("buyer_addr", {"buyer": Buyer(addr="a" * 129)}),
        ("buyer_postcode", {"buyer": Buyer(postcode="1" * 9)}),
        ("m_redirect_url", {"links": Links(m_redirect_url="http://yourservice.com/payments/complete")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="javascript:alert(1)")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="//yourservice.com")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="https://you@yourservice.com/")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="https://yourservice.com/#done")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="https://yourservice.com:x/")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="http://127.0.0.1.evil.com/")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="https://[::1/")}),
        ("notice_url", {"links": Links(m_redirect_url=URL, notice_url="ftp://yourservice.com")}),
        ("notice_url", {"links": Links(m_redirect_url=URL, notice_url=())}),
        ("notice_url", {"links": Links(m_redirect_url=URL, notice_url=(URL, "http://yourservice.com"))}),
        ("app_scheme", {"links": Links(m_redirect_url=URL, app_scheme="my app")}),
        ("customer_id", {"options": Options(customer_id="길동")}),
        ("custom_data", {"options": Options(custom_data={"at": datetime(2026, 1, 1, tzinfo=UTC)})}),
        ("custom_data", {"options": Options(custom_data={"share": float("nan")})}),
        ("custom_data", {"options": Options(custom_data={"tries": (1, 2)})}),
        ("language", {"options": Options(language="kr")}),
        ("kakaopayMobileAsPC", {"options": Options(kakao_mobile_as_pc=json.loads('"yes"'))}),
        ("m_redirect_url", {"links": Links(m_redirect_url="https:///done")}),
        ("m_redirect_url", {"links": Links(m_redirect_url="https://yourservice.com/a b")}),
    ],
)
def test_a_parameter_that_is_not_what_it_must_be_is_named_alone(parameter, changes):
    assert set(problems(request(**changes))) == {parameter}


@pytest.mark.parametrize("uid", ["u" * 81, "gil dong", "길동", "", 7])
def test_a_customer_uid_has_at_most_80_printable_characters_and_is_never_repeated(uid):
    found = problems(request(use=REGISTRATION, customer_uid=uid))
    assert set(found) == {"customer_uid"}
    assert not uid or str(uid) not in found["customer_uid"].replace("80", "")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/done", "http://localhost:8000/done", "http://[::1]:8000/done", URL + "?token=a.b"]
)
def test_a_redirect_is_https_or_within_this_machine(url):
    assert build(request(links=Links(m_redirect_url=url)))["m_redirect_url"] == url


def test_optional_parameters_have_the_documented_names_and_types():
    wanted = request(
        "nice",
        order=order(pay_method="card", tax_free=3000, vat_amount=1000),
        links=Links(m_redirect_url=URL, notice_url=(URL, URL + "2"), app_scheme="myapp://"),
        options=Options(customer_id="gildong", custom_data={"subscription": "7ZK3", "tries": [1, None]}, language="en"),
    )
    added = {
        "tax_free": 3000,
        "vat_amount": 1000,
        "notice_url": [URL, URL + "2"],
        "app_scheme": "myapp://",
        "customer_id": "gildong",
        "custom_data": {"subscription": "7ZK3", "tries": [1, None]},
        "language": "en",
    }
    built = build(wanted)
    assert {name: built[name] for name in added} == added


def test_the_taxed_part_bounds_vat_amount():
    assert build(request("nice", order=order(1100, tax_free=1000, vat_amount=100)))["vat_amount"] == 100
    assert set(problems(request("nice", order=order(1100, tax_free=1000, vat_amount=101)))) == {"vat_amount"}


def test_one_notice_url_stays_a_text():
    assert build(request(links=Links(m_redirect_url=URL, notice_url=URL)))["notice_url"] == URL


# --- all at once, and nothing personal ------------------------------------------------------------------------------


def test_every_reason_is_given_at_once():
    buyer = Buyer(email="secret-nobody", name="Secret-Hong Gildong the Second")
    wanted = request("payco", order=order("99", merchant_uid="주문", name=""), buyer=buyer)
    with pytest.raises(UnsuitableWindow) as raised:
        build(wanted)
    expected = {"amount", "buyer_email", "buyer_name", "buyer_tel", "merchant_uid", "name"}
    assert {problem.parameter for problem in raised.value.problems} == expected
    assert all(problem.sentence in str(raised.value) for problem in raised.value.problems)
    assert "ecret" not in str(raised.value)


def test_nothing_personal_shows_in_a_repr():
    shown = repr(request(use=REGISTRATION, options=Options(customer_id="customer-77", custom_data={"who": "Hong"})))
    for secret in (CUSTOMER_UID, URL, "iamport@siot.do", "010-1234-5678", "Samseong", "customer-77", "Hong"):
        assert secret not in shown


# --- properties -----------------------------------------------------------------------------------------------------

USES = st.sampled_from(list(WindowUse))


@given(st.sampled_from(sorted(PGS)), USES, st.one_of(st.integers(), st.text(), st.floats(), st.booleans(), st.none()))
def test_whatever_the_amount_it_is_an_integer_that_the_pg_takes_or_refused(pg, use, amount):
    wanted = request(pg, use, order=order(amount, pay_method="card"))
    try:
        built = build(wanted)
    except UnsuitableWindow:
        return
    assert type(built["amount"]) is int
    assert built["amount"] >= 0
    assert use is REGISTRATION or built["amount"] >= PGS[pg].least


@given(
    st.integers(0, 3_000_000),
    st.none() | st.integers(-10, 3_000_000),
    st.text(max_size=45),
    st.text(max_size=45),
    st.none() | st.text(max_size=85),
    USES,
)
def test_what_is_built_keeps_to_every_length_and_survives_json(amount, tax_free, uid, name, customer_uid, use):
    wanted = request(use=use, order=order(amount, tax_free=tax_free, merchant_uid=uid, name=name))
    try:
        built = build(replace(wanted, customer_uid=customer_uid))
    except UnsuitableWindow:
        return
    assert json.loads(json.dumps(built)) == built
    assert None not in built.values()
    assert 1 <= len(built["merchant_uid"]) <= 40
    assert 1 <= len(built["name"]) <= 40
    assert len(built.get("customer_uid", "")) <= 80
    assert 0 <= built.get("tax_free", 0) <= built["amount"]


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, merchant_uid.MAX_NUMBER), st.sampled_from(sorted(PGS)))
def test_every_pg_takes_our_own_merchant_uids(at, number, pg):
    ours = merchant_uid.derive("again", "7ZK3M9QX2VB4C", at.replace(microsecond=0), number)
    assert PGS[pg].merchant_uid.takes(ours)
