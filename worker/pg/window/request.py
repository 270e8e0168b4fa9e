"""The request for a payment window, before it is validated. Pure.

Personal values, and those that can be charged, stay out of reprs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.pg.facts import WindowUse


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChannel:
    """Which contract the window belongs to. With a channel_key, `pg` and `pg_id` are not sent (documented).

    `pg_id` is the merchant's id at the PG, such as TCSUBSCRIP: it tells a one-time contract from a recurring one.
    """

    pg: str
    pg_id: str | None = None
    channel_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOrder:
    """What a window takes a payment for, or shows.

    `merchant_uid` has to be new for every request (documented). Again's own pages keep to one per order on purpose: see
    ARCHITECTURE.md and docs/decisions/0012.
    """

    merchant_uid: str
    name: str
    amount: int
    currency: str = "KRW"
    tax_free: int | None = None
    vat_amount: int | None = None
    pay_method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who pays. All is optional here; a PG may require some of it."""

    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    tel: str | None = field(default=None, repr=False)
    addr: str | None = field(default=None, repr=False)
    postcode: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackUrls:
    """Where a window delivers its result. A redirect may carry a signature, so it stays out of reprs.

    `notice_url` replaces the webhook address of PortOne's console (documented). `app_scheme` leads back into an app
    that shows the page in a WebView (documented).
    """

    m_redirect_url: str | None = field(default=None, repr=False)
    notice_url: str | tuple[str, ...] | None = field(default=None, repr=False)
    app_scheme: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Other parameters of a window. The three of Kakao Pay and PAYCO's `popup` are refused for other PGs.

    `customer_id` names the customer, where customer_uid names the instrument; Kakao Pay compares it with that of the
    registration (documented, as -753). `kakao_instrument` is CARD or MONEY.
    """

    customer_id: str | None = field(default=None, repr=False)
    custom_data: Mapping[str, Any] | None = field(default=None, repr=False)
    language: str | None = None
    popup: bool | None = None
    kakao_mobile_as_pc: bool | None = None
    kakao_instrument: str | None = None
    kakao_message: str | None = None


NO_BUYER = Buyer()
NO_CALLBACK_URLS = CallbackUrls()
NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRequest:
    """One window to be opened."""

    use: WindowUse
    channel: WindowChannel
    order: WindowOrder
    customer_uid: str | None = field(default=None, repr=False)
    buyer: Buyer = NO_BUYER
    callback_urls: CallbackUrls = NO_CALLBACK_URLS
    options: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class WindowProblem:
    """One reason why a window is refused. `parameter` has the SDK's name; the sentence has no personal value."""

    parameter: str
    sentence: str
