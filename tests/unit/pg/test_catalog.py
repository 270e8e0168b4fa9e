"""The table of PGs: the facts that the product rests on, and what it refuses because of them."""

from __future__ import annotations

import pytest

from tests.support.attempts import RULES
from worker.config.settings import Settings
from worker.domain.errors import Refused
from worker.pg.catalog import PGS, NotSupported, charges_in_window, limit_objection, require_key_by_api, states_vat
from worker.pg.facts import CardRoute, KeyRegistration, MerchantIdKind, ResultDelivery, WindowUse
from worker.pg.window import registration
from worker.pg.window.request import Buyer, WindowChannel, WindowOrder
from worker.pg.window.values import PAY_METHODS
from worker.sandbox.rules import providers

KAKAOPAY, PAYCO = PGS["kakaopay"], PGS["payco"]


# --- the table as a whole -------------------------------------------------------------------------------------------


def test_table_has_both_wallets_and_every_pg_with_decline_codes():
    assert {"kakaopay", "payco"} <= set(PGS)
    assert set(RULES.codes) <= set(PGS)


def test_table_has_every_pg_that_again_charges():
    assert set(PGS) == providers.PG_PROVIDERS


def test_pg_codes_fit_into_their_column():
    assert all(1 <= len(pg) <= 16 for pg in PGS)
    assert "all" not in PGS  # the scope of `again stop` that is no PG


def test_listed_pay_methods_are_portones_codes():
    for facts in PGS.values():
        assert facts.window.methods | facts.window.key_methods <= PAY_METHODS


def test_sandbox_and_table_agree_on_ids_and_refunds():
    for pg, test_id in providers.TEST_IDS.items():
        assert PGS[pg].ids.kind(test_id) is MerchantIdKind.RECURRING_TEST
    states = {pg for pg, facts in PGS.items() if facts.refunds.states_tax_free}
    assert states == providers.TAX_FREE_ON_CANCEL & set(PGS)
    assert {pg for pg in PGS if charges_in_window(pg)} == providers.CHARGES_ON_REGISTRATION


@pytest.mark.parametrize(
    ("pg", "amount", "expected"),
    [
        ("kakaopay", 99, "no less than 100"),
        ("kakaopay", 100, None),
        ("kakaopay", 2_000_000, None),
        ("kakaopay", 2_000_001, "no more than 2,000,000"),
        ("payco", 99, "no less than 100"),
        ("payco", 9_000_000, None),  # no limit of one charge is published
        ("naverpay", 9, "no less than 10"),
        ("naverpay", 10, None),
        ("paypal_v2", 9900, "takes no KRW"),
    ],
)
def test_amounts_beyond_a_pgs_limits_are_refused(pg, amount, expected):
    said = limit_objection(pg, amount)
    assert (said is None) if expected is None else (said is not None and expected in said)


# --- what becomes of the amount while a key is registered -----------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "pgs"),
    [
        # PortOne's list "key and charge in one window"
        (KeyRegistration.CHARGES, {"danal", "danal_tpay", "kakaopay", "mobilians", "paymentwall", "settle_acc"}),
        # the pages of these say that the amount is shown and never charged
        (KeyRegistration.SHOWS, {"chai", "html5_inicis", "kcp_billing", "naverpay", "payco", "tosspayments"}),
        # the rest of PortOne's list "registration only"
        (KeyRegistration.KEY_ONLY, {"kicc", "paypal_v2", "smartro_v2", "tosspay_v2"}),
        (KeyRegistration.UNDOCUMENTED, {"welcome"}),
        # keys by API only
        (KeyRegistration.NONE, {"daou", "inicis", "kcp", "ksnet", "nice", "nice_v2", "settle"}),
    ],
)
def test_window_of_every_pg_handles_the_amount_as_documented(keys, pgs):
    assert {pg for pg, facts in PGS.items() if facts.window.keys is keys} == pgs
    assert all(charges_in_window(pg) is (keys is KeyRegistration.CHARGES) for pg in pgs)


def test_kakaopay_charges_an_amount_while_it_registers_a_key():
    assert charges_in_window("kakaopay")


def test_payco_only_shows_an_amount_while_it_registers_a_key():
    assert not charges_in_window("payco")
    assert PAYCO.window.keys is KeyRegistration.SHOWS
    assert PAYCO.window.key_notice is not None
    assert "not charged" in PAYCO.window.key_notice.en
    assert "결제되지 않습니다" in PAYCO.window.key_notice.ko


# --- keys from card data --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", list(CardRoute))
def test_payco_key_issue_by_api_is_not_supported(route):
    with pytest.raises(NotSupported, match=r"^Not supported\. PAYCO makes no billing keys from card data"):
        require_key_by_api("payco", route)


@pytest.mark.parametrize("route", list(CardRoute))
def test_kakaopay_key_issue_by_api_is_not_supported(route):
    with pytest.raises(NotSupported, match=r"^Not supported\. Kakao Pay .* in the PG's payment window\.$"):
        require_key_by_api("kakaopay", route)


def test_key_issue_by_api_at_an_unknown_pg_is_not_supported():
    with pytest.raises(Refused, match=r"^Not supported\. 'acme' is no PG"):
        require_key_by_api("acme")


@pytest.mark.parametrize(
    ("route", "pgs"),
    [
        (
            CardRoute.ISSUE,
            {"daou", "html5_inicis", "kcp", "ksnet", "nice", "nice_v2", "tosspayments", "welcome"},
        ),
        (
            CardRoute.FIRST_PAYMENT,
            {
                *("daou", "html5_inicis", "kcp", "ksnet", "nice", "nice_v2", "tosspayments", "welcome"),
                *("paymentwall", "settle"),
            },
        ),
    ],
)
def test_keys_are_created_from_card_data_only_where_documented(route, pgs):
    for pg in PGS:
        if pg in pgs:
            require_key_by_api(pg, route)
        else:
            with pytest.raises(NotSupported):
                require_key_by_api(pg, route)


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_refused_key_issue_by_api_says_where_keys_are_registered(pg):
    with pytest.raises(NotSupported, match=r"Keys are registered by the customer, in the PG's payment window\.$"):
        require_key_by_api(pg)


# --- Kakao Pay ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pg_id", "kind"),
    [
        ("TC0ONETIME", MerchantIdKind.ONE_TIME_TEST),
        ("TCSUBSCRIP", MerchantIdKind.RECURRING_TEST),
        ("CA12345678", MerchantIdKind.LIVE),
        ("CA", MerchantIdKind.UNKNOWN),
        ("tcsubscrip", MerchantIdKind.UNKNOWN),
        ("XCA1234567", MerchantIdKind.UNKNOWN),
    ],
)
def test_kakaopay_tells_test_ids_from_live_ones(pg_id, kind):
    assert KAKAOPAY.ids.kind(pg_id) is kind


def test_kakaopay_limits_a_card_money_and_tests():
    assert KAKAOPAY.min_amount == 100
    assert KAKAOPAY.max_amount == 2_000_000  # money
    assert KAKAOPAY.card_below == 2_000_000
    assert KAKAOPAY.test_card_below == 1_000_000


def test_kakaopay_has_a_monthly_quota_per_key():
    assert KAKAOPAY.monthly_quota
    assert [pg for pg, facts in PGS.items() if facts.monthly_quota] == ["kakaopay"]


def test_kakaopay_answers_the_callback_on_a_pc_and_redirects_on_a_phone():
    assert KAKAOPAY.window.on_pc == {ResultDelivery.CALLBACK}
    assert KAKAOPAY.window.on_phones == {ResultDelivery.REDIRECT}


def test_kakaopay_takes_no_vat_amount_anywhere():
    assert not KAKAOPAY.takes_vat_amount
    assert not KAKAOPAY.window.vat_amount


def test_kakaopay_takes_won_and_ignores_the_pay_method_of_every_window():
    assert KAKAOPAY.takes_won
    assert all(KAKAOPAY.window.methods_for(use) == frozenset() for use in WindowUse)


def test_kakaopay_refunds_cards_for_one_year_and_money_for_five():
    assert (KAKAOPAY.refunds.card_years, KAKAOPAY.refunds.money_years) == (1, 5)
    assert not KAKAOPAY.refunds.is_final
    assert not KAKAOPAY.refunds.states_tax_free


def test_kakaopay_customers_are_told_of_the_kakao_app():
    hint = KAKAOPAY.window.notice
    assert hint is not None
    assert "Kakao app" in hint.en
    assert "카카오 앱" in hint.ko


# --- PAYCO ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pg_id", "kind"),
    [
        ("PARTNERTEST", MerchantIdKind.ONE_TIME_TEST),
        ("AUTOPAY", MerchantIdKind.RECURRING_TEST),
        ("CPID1234", MerchantIdKind.UNKNOWN),  # no look of a live id is documented
    ],
)
def test_payco_tells_its_test_ids(pg_id, kind):
    assert PAYCO.ids.kind(pg_id) is kind


def test_payco_limits_an_account_and_calls_back_from_300_000():
    assert PAYCO.min_amount == 100
    assert (PAYCO.account_daily_limit, PAYCO.account_monthly_limit) == (2_000_000, 5_000_000)
    assert PAYCO.call_confirmation_from == 300_000


def test_payco_may_answer_either_way_on_a_phone():
    assert PAYCO.window.on_pc == {ResultDelivery.CALLBACK}
    assert PAYCO.window.on_phones == {ResultDelivery.CALLBACK, ResultDelivery.REDIRECT}


def test_payco_uses_the_callback_and_requires_buyer_tel_for_payments():
    assert PAYCO.window.payment_requires == {"buyer_tel"}
    assert ResultDelivery.CALLBACK in PAYCO.window.on_pc & PAYCO.window.on_phones


def test_payco_registers_a_key_with_or_without_the_buyers_telephone_number():
    channel, order = (
        WindowChannel(pg="payco", pg_id="AUTOPAY"),
        WindowOrder(merchant_uid="order1", name="Tea", amount=5000),
    )
    assert "buyer_tel" not in registration(channel, order, "gildong_0001")
    assert registration(channel, order, "gildong_0001", buyer=Buyer(tel="010-1234-5678"))["buyer_tel"]


def test_pgs_offered_by_default_have_a_korean_name():
    settings = Settings()
    assert all(PGS[pg].name_ko for pg in (*settings.key_channels, *settings.payment_channels))


def test_payco_takes_no_vat_amount_anywhere():
    assert not PAYCO.takes_vat_amount
    assert not PAYCO.window.vat_amount


def test_payco_has_no_known_monthly_quota():
    assert not PAYCO.monthly_quota


def test_payco_refund_is_final_and_states_its_tax_free_part():
    assert PAYCO.refunds.is_final
    assert PAYCO.refunds.states_tax_free
    assert {pg for pg, facts in PGS.items() if facts.refunds.is_final} == {"payco"}


def test_payco_pay_methods_count_for_payments_and_not_for_registrations():
    assert PAYCO.window.methods_for(WindowUse.PAYMENT) == {"card", "trans", "vbank"}
    assert PAYCO.window.methods_for(WindowUse.REGISTRATION) == frozenset()


# --- the others -----------------------------------------------------------------------------------------------------


def test_vat_amount_is_taken_only_where_documented():
    by_again = {pg for pg, facts in PGS.items() if facts.takes_vat_amount}
    assert by_again == {"nice", "html5_inicis", "nice_v2", "welcome", "tosspay_v2"}
    assert {pg for pg, facts in PGS.items() if facts.window.vat_amount} == {
        *("html5_inicis", "nice", "nice_v2", "tosspay_v2")
    }


def test_tax_free_is_stated_on_refunds_only_where_documented():
    # PortOne's list has kcp_quick too, which `again` does not charge
    states = {pg for pg, facts in PGS.items() if facts.refunds.states_tax_free}
    assert states == {"kcp", "kicc", "nice", "payco", "welcome"}


def test_buyers_data_is_required_with_charges_only_where_documented():
    assert {pg for pg, facts in PGS.items() if facts.charge_requires} == {
        "ksnet",
        "paymentwall",
        "smartro_v2",
        "welcome",
    }
    assert all("the buyer's" in facts.charge_requires for facts in PGS.values() if facts.charge_requires)


def test_requester_is_named_only_where_documented():
    assert {pg for pg, facts in PGS.items() if facts.refunds.names_requester} == {"naverpay"}


def test_vat_is_stated_with_refunds_where_payments_can_state_it():
    assert {pg for pg in PGS if states_vat(pg)} == {"nice", "html5_inicis", "nice_v2", "welcome", "tosspay_v2"}
    assert not states_vat("acme")


def test_general_payment_requires_the_documented_parameters():
    insisted = {pg: facts.window.payment_requires - {"m_redirect_url"} for pg, facts in PGS.items()}
    assert {pg: needs for pg, needs in insisted.items() if needs} == {
        "html5_inicis": {"buyer_tel", "pay_method"},
        "kcp": {"pay_method"},
        "nice_v2": {"buyer_tel", "pay_method"},
        "paymentwall": {"buyer_email"},
        "payco": {"buyer_tel"},
        "tosspayments": {"buyer_name"},
    }


@pytest.mark.parametrize(
    ("pg", "text", "expected"),
    [
        ("kakaopay", "order_no-0001", True),
        ("kakaopay", "o" * 40, True),
        ("kakaopay", "o" * 41, False),
        ("kakaopay", "", False),
        ("kakaopay", "order 1", False),
        ("kakaopay", "order1\n", False),  # `$` in a pattern would let this one through
        ("kakaopay", "주문1", False),
        ("smartro_v2", "order_no_0001", False),  # no special characters
        ("smartro_v2", "orderNo0001", True),
        ("mobilians", "abc", False),  # four at least
        ("mobilians", "abcd", True),
    ],
)
def test_merchant_uid_must_fit_the_pgs_rule(pg, text, expected):
    assert PGS[pg].merchant_uid.takes(text) is expected
