"""Differences between PGs in V1: ids, limits, required fields. Kakao Pay and PAYCO are complete."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Instrument(StrEnum):
    """What the buyer chose in the PG's window; the choice is kept for all later charges [documented]."""

    CARD = "card"
    MONEY = "money"  # Kakao money; for PAYCO its points or a bank account


@dataclass(frozen=True, slots=True)
class Channel:
    """A PG as contracted: the merchant's id there, and whether it is a test channel."""

    pg_provider: str
    pg_id: str
    sandbox: bool


# All that `again` can charge [documented].
PG_PROVIDERS = frozenset(
    {
        *("chai", "danal", "danal_tpay", "daou", "html5_inicis", "inicis", "kakaopay", "kcp", "kcp_billing", "kicc"),
        *("ksnet", "mobilians", "naverpay", "nice", "nice_v2", "payco", "paymentwall", "paypal_v2", "settle"),
        *("settle_acc", "smartro_v2", "tosspay_v2", "tosspayments", "welcome"),
    }
)
WALLETS = frozenset({"kakaopay", "payco"})

TEST_IDS = {"kakaopay": "TCSUBSCRIP", "payco": "AUTOPAY"}  # [documented] test ids for recurring charges
LIVE_IDS = {"kakaopay": "CA0SANDBOX", "payco": "CPSANDBOX"}  # [assumed]; a live Kakao CID starts with CA

# Test ids for payments in a window that make no billing key [documented].
ONE_TIME_TEST_IDS = {"kakaopay": "TC0ONETIME", "payco": "PARTNERTEST"}
DEFAULT_PG = "kakaopay"  # the PG of a window that names none; at PortOne the console decides [documented]
# A window with a customer_uid and an amount makes a key and charges; elsewhere the amount is only shown [documented].
CHARGES_ON_REGISTRATION = frozenset({"danal", "danal_tpay", "kakaopay", "mobilians", "paymentwall", "settle_acc"})
BUYER_TEL_REQUIRED = frozenset({"payco"})  # [documented] for payments; optional where a key is registered [documented]
REDIRECTS_ON_MOBILE = PG_PROVIDERS - {"payco"}  # PAYCO calls back, or redirects too [documented]: a switch

# Keys are registered in a window of these, with or without a first charge, or without one only [documented]; of Chai
# and Welcome Payments it is documented that there is one. The others make their keys by API, or not at all.
REGISTERS_IN_WINDOW = CHARGES_ON_REGISTRATION | {
    *("chai", "html5_inicis", "kcp_billing", "kicc", "naverpay", "payco", "paypal_v2", "smartro_v2", "tosspay_v2"),
    *("tosspayments", "welcome"),
}
NO_PAYMENT_WINDOW = frozenset({"inicis", "kcp_billing"})  # [documented] for keys, or by API, only

# Fields that `again` requires of these PGs [documented].
WANTED = {
    "ksnet": ("buyer_name", "product_type"),
    "paymentwall": ("buyer_email", "browser_ip"),
    "smartro_v2": ("buyer_name", "buyer_email", "buyer_tel"),
    "welcome": ("buyer_name",),
}
HIGHEST_VAT_PERCENT = {"welcome": 10}  # of the amount; declined beyond [documented]
PLAIN_MERCHANT_UID = frozenset({"smartro_v2"})  # letters and digits only [documented]
NO_KRW = frozenset({"paypal_v2"})  # every currency but KRW [documented]; this sandbox has no other

# When a tax-free payment is cancelled, tax_free has to be stated; it does not default to 0 [documented].
TAX_FREE_ON_CANCEL = frozenset({"kcp", "kcp_quick", "kicc", "nice", "payco", "welcome"})
TAX_FREE_ON_PARTIAL_CANCEL = frozenset({"smartro_v2"})  # [documented]
# A vat_amount that was stated with the payment has to be stated with its cancel [documented].
VAT_ON_CANCEL = frozenset({"html5_inicis", "nice", "nice_v2", "welcome"})
VAT_ON_PARTIAL_CANCEL = frozenset({"tosspay_v2"})  # [documented]
# reason and extra.requester, on cancels and when a key is deleted: without them Naver's inspection is not passed
# [documented].
REQUESTER_WANTED = frozenset({"naverpay"})
REQUESTERS = frozenset({"customer", "admin"})  # [documented]
# How long a payment can be cancelled: cards usually a year, Kakao money five [documented]; others as cards [assumed].
CANCEL_YEARS = 1
KAKAO_MONEY_CANCEL_YEARS = 5
# Whatever happened to a merchant_uid, it cannot be used again [documented].
NEVER_REUSE = frozenset({"naverpay"})
# name is required [documented]; others take a charge without one [seen].
NAME_REQUIRED = frozenset({"html5_inicis", "danal_tpay"})

MINIMUM_KRW = {"kakaopay": 100, "naverpay": 10, "payco": 100, "tosspayments": 100}  # [documented]
QUOTA_FROM_KRW = 50_000  # least amount for instalments [documented]


def channel(pg_provider: str, *, sandbox: bool) -> Channel:
    """Return the merchant's contract with a PG in this sandbox; ids of PGs not named above are made up."""
    ids = TEST_IDS if sandbox else LIVE_IDS
    return Channel(pg_provider, ids.get(pg_provider, f"sandbox_{pg_provider}"), sandbox)


def channel_key(pg_provider: str) -> str:
    """Return the key a channel is named by; its real form is `channel-key-` and a UUID [seen]."""
    return f"channel-key-sandbox-{pg_provider}"


def window_channel(pg_provider: str, pg_id: str) -> Channel | None:
    """Return the contract that a window's `pg` means: `kakaopay`, or `kakaopay.TC0ONETIME`; None for an unknown id."""
    if pg_provider not in PG_PROVIDERS:
        return None
    usual = channel(pg_provider, sandbox=True)
    known = {each.pg_id: each for each in (channel(pg_provider, sandbox=False), usual)}
    if (one_time := ONE_TIME_TEST_IDS.get(pg_provider)) is not None:
        known[one_time] = Channel(pg_provider, one_time, sandbox=True)
    return known.get(pg_id or usual.pg_id)


def maximum_krw(pg_provider: str, instrument: Instrument, *, sandbox: bool) -> int | None:
    """Return the maximum of one charge, in KRW, or None. PAYCO's daily and monthly sums are `account_limits`.

    Kakao Pay: money 2,000,000; a card below 2,000,000, on a test channel below 1,000,000 [documented]. PAYCO: an
    account 2,000,000 a day [documented], so no more at once [assumed]; its test mode has no limits [documented].
    """
    if pg_provider == "kakaopay" and instrument is Instrument.CARD:
        return 999_999 if sandbox else 1_999_999
    if instrument is Instrument.MONEY and (pg_provider == "kakaopay" or not sandbox):
        return 2_000_000
    return None


def account_limits(channel: Channel, instrument: Instrument) -> tuple[int, int] | None:
    """Return the daily and monthly limit of a PAYCO account, in KRW [documented]; its test mode has none."""
    is_account = channel.pg_provider == "payco" and instrument is Instrument.MONEY
    return (2_000_000, 5_000_000) if is_account and not channel.sandbox else None


def pay_method(instrument: Instrument) -> str:
    """Return Payment.pay_method. Kakao money is `point` [seen]; that PAYCO answers alike is assumed."""
    return "point" if instrument is Instrument.MONEY else "card"
