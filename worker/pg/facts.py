"""Types of the facts about a PG: what its window does, which amounts it takes, and how its ids look. Pure.

What is not documented is not filled in: an empty set, None or UNDOCUMENTED means "not known".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from worker.domain.pricing.amounts import usual_vat


class WindowUse(StrEnum):
    """What a payment window is opened for."""

    PAYMENT = "payment"  # one payment, no key
    REGISTRATION = "registration"  # a billing key, no payment
    REGISTRATION_WITH_PAYMENT = "registration with initial payment"


REGISTRATIONS = frozenset({WindowUse.REGISTRATION, WindowUse.REGISTRATION_WITH_PAYMENT})


class KeyRegistration(StrEnum):
    """What becomes of the amount when a key is registered in the PG's window."""

    CHARGES = "charges"  # 0 registers the key only; more is really charged
    SHOWS = "shows"  # it is shown to the customer and never charged
    KEY_ONLY = "key only"  # nothing is charged; whether an amount is shown is not documented
    UNDOCUMENTED = "undocumented"  # there is such a window; what it does with the amount is not documented
    NONE = "none"  # no key is registered in a window


class CardRoute(StrEnum):
    """An API call that creates a billing key from card data, without any window."""

    ISSUE = "POST /subscribe/customers/{customer_uid}"
    FIRST_PAYMENT = "POST /subscribe/payments/onetime"  # with a customer_uid


class ResultDelivery(StrEnum):
    """How a window delivers its result to the page."""

    CALLBACK = "callback"
    REDIRECT = "redirect"  # to m_redirect_url


class MerchantIdKind(StrEnum):
    """What a merchant's id at a PG is for, as far as its looks tell."""

    ONE_TIME_TEST = "one-time test"
    RECURRING_TEST = "recurring test"
    LIVE = "live"
    UNKNOWN = "unknown"


NOTHING: frozenset[str] = frozenset()
REDIRECT_URL = frozenset({"m_redirect_url"})
"""Without it the result of a window on most phones is lost (documented for the SDK)."""


@dataclass(frozen=True, slots=True)
class CustomerNotice:
    """What a customer should know before the window opens, in both languages."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCapabilities:
    """What one PG's payment window requires, takes and does.

    `methods` are its pay_method codes, `key_methods` those while a key is registered; an empty set means that they are
    not listed. `unsupported` names what the window requires and Again does not send yet. `notice` is for customers,
    and `key_notice` for those who register a key.
    """

    payments: bool = True
    keys: KeyRegistration = KeyRegistration.NONE
    payment_requires: frozenset[str] = REDIRECT_URL
    key_requires: frozenset[str] = REDIRECT_URL
    methods: frozenset[str] = NOTHING
    key_methods: frozenset[str] = NOTHING
    ignores_method: frozenset[WindowUse] = frozenset()
    vat_amount: bool = False
    options: frozenset[str] = NOTHING  # parameters that this PG knows and others do not
    on_pc: frozenset[ResultDelivery] = frozenset({ResultDelivery.CALLBACK})
    on_phones: frozenset[ResultDelivery] = frozenset({ResultDelivery.REDIRECT})
    unsupported: str = ""
    notice: CustomerNotice | None = None
    key_notice: CustomerNotice | None = None

    def required_for(self, use: WindowUse) -> frozenset[str]:
        return self.key_requires if use in REGISTRATIONS else self.payment_requires

    def methods_for(self, use: WindowUse) -> frozenset[str]:
        """Return the codes to choose from; none when the window ignores them, or when they are not listed."""
        if use in self.ignores_method:
            return NOTHING
        return self.key_methods if use in REGISTRATIONS else self.methods


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantIds:
    """How a merchant's ids at a PG look (pg_id at PortOne: a CID, MID or site code). `live` is a pattern, or empty."""

    one_time_tests: frozenset[str] = NOTHING
    recurring_tests: frozenset[str] = NOTHING
    live: str = ""

    def kind(self, pg_id: str) -> MerchantIdKind:
        if pg_id in self.one_time_tests:
            return MerchantIdKind.ONE_TIME_TEST
        if pg_id in self.recurring_tests:
            return MerchantIdKind.RECURRING_TEST
        return MerchantIdKind.LIVE if self.live and re.fullmatch(self.live, pg_id) else MerchantIdKind.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFacts:
    """How a payment is refunded. Cards: usually within one year (documented). None: not known."""

    is_final: bool = False  # a refund cannot be undone
    states_tax_free: bool = False  # the tax-free part has to be stated: it does not default to 0
    names_requester: bool = False  # who asks, and why: extra.requester and reason, for deleting a key too
    card_years: int = 1
    money_years: int | None = None
    in_parts: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantUidRule:
    """What a PG takes as merchant_uid. 40 is PortOne's limit (documented); the alphabet is the safe one (assumed)."""

    pattern: str = r"[A-Za-z0-9_-]{1,40}"
    expected: str = "1 to 40 of A-Z, a-z, 0-9, - and _"

    def takes(self, text: str) -> bool:
        return re.fullmatch(self.pattern, text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pg:
    """One PG as `again` and its window know it. Amounts are KRW for one charge.

    100 as the least is documented for Kakao Pay, PAYCO and Toss, 10 for Naver Pay, and 100 assumed for the others. A
    `max_amount` of None means that no limit is published. `charge_requires` is what it requires with every charge
    besides what Again sends.
    """

    pg: str  # PortOne's pg_provider (documented)
    name: str
    name_ko: str = ""  # as its customers know it; empty for those that no page offers
    min_amount: int = 100
    max_amount: int | None = None
    card_below: int | None = None  # a card takes less than this, and other means `most`
    test_card_below: int | None = None
    account_daily_limit: int | None = None  # the most that a customer's account pays in a day, and in a month
    account_monthly_limit: int | None = None
    call_confirmation_from: int | None = None  # from here on the window calls the customer (ARS)
    monthly_quota: bool = False  # a key can be charged only so often a month; the figure is set by contract (assumed)
    takes_won: bool = True
    charge_requires: str = ""
    takes_vat_amount: bool = False  # by `again`; the window has its own
    card_routes: frozenset[CardRoute] = frozenset()
    merchant_uid: MerchantUidRule = field(default_factory=MerchantUidRule)
    window: WindowCapabilities = field(default_factory=WindowCapabilities)
    ids: MerchantIds = field(default_factory=MerchantIds)
    refunds: RefundFacts = field(default_factory=RefundFacts)


def vat_of(amount: int, tax_free: int, vat_amount: int | None) -> int:
    """Return the VAT in an amount; where PortOne works it out, an eleventh of the taxed part (documented)."""
    return usual_vat(amount - tax_free) if vat_amount is None else vat_amount
