"""Reading and validating the parameters of `IMP.request_pay` before a window opens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.charge_requests import BUYER_LIMITS, HIGHEST_NUMBER, NAME_LIMIT, REQUIRED_LIMITS
from worker.sandbox.rules.providers import (
    BUYER_TEL_REQUIRED,
    CHARGES_ON_REGISTRATION,
    DEFAULT_PG,
    MINIMUM_KRW,
    NO_KRW,
    NO_PAYMENT_WINDOW,
    ONE_TIME_TEST_IDS,
    PG_PROVIDERS,
    PLAIN_MERCHANT_UID,
    REDIRECTS_ON_MOBILE,
    REGISTERS_IN_WINDOW,
    Channel,
    Instrument,
    channel_key,
    window_channel,
)
from worker.sandbox.rules.web_addresses import LONGEST_ADDRESS, is_web_address, read_notice_urls

ALREADY_PAID = "F1002"  # [seen]
PG_REQUEST_FAILED = "F0004"  # [seen]; what leads to it is assumed
BAD_PARAMETER = "F400"  # [seen] for windows that could not open; that bad parameters are among them is assumed
MERCHANT_CODE_LIMIT = 40  # characters
METHOD_TYPES = {"CARD": Instrument.CARD, "MONEY": Instrument.MONEY}  # [documented]
# Parameters that change at PortOne whether or how a payment is made, and which this sandbox cannot follow.
NOT_IN_SANDBOX = ("confirm_url", "card", "display")


class Use(StrEnum):
    """What a window is for; customer_uid and amount decide [documented]."""

    PAYMENT = "payment"
    REGISTRATION = "registration"
    REGISTRATION_WITH_PAYMENT = "registration_with_payment"


class WindowRefused(Exception):
    """No window opens: the page gets a callback with this code and text, without an imp_uid [documented]."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """A requested window. `amount` is in KRW, and shown even where it is not charged."""

    merchant_code: str
    merchant_uid: str
    amount: int
    name: str | None
    channel: Channel
    customer_uid: str | None = field(repr=False)
    mobile: bool
    redirects: bool  # the result goes to `m_redirect_url` instead of to the callback
    redirect_url: str | None
    notice_urls: tuple[str, ...]
    tax_free: int
    buyer: Mapping[str, str | None] = field(repr=False)
    custom_data: str | None = field(repr=False)
    vat_amount: int | None = None
    instrument: Instrument | None = None  # the only instrument the merchant allows; None: any

    @property
    def use(self) -> Use:
        if self.customer_uid is None:
            return Use.PAYMENT
        charged = self.channel.pg_provider in CHARGES_ON_REGISTRATION and self.amount > 0
        return Use.REGISTRATION_WITH_PAYMENT if charged else Use.REGISTRATION

    @property
    def charges(self) -> int:
        """What an approval charges, in KRW."""
        return 0 if self.use is Use.REGISTRATION else self.amount

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def from_json(values: dict[str, Any]) -> WindowRequest:
    """Return the request that `as_json` wrote."""
    notice_urls = tuple(values["notice_urls"])
    instrument = None if values.get("instrument") is None else Instrument(values["instrument"])
    channel = Channel(**values["channel"])
    return WindowRequest(**{**values, "channel": channel, "notice_urls": notice_urls, "instrument": instrument})


def read(
    code: Any, param: Mapping[str, Any], *, mobile: bool, redirecting: frozenset[str] = REDIRECTS_ON_MOBILE
) -> WindowRequest:
    """Return `request_pay`'s first argument; raises WindowRefused. `redirecting` are the PGs that redirect on phones.

    Wrong types and lengths are refused [documented for the amount, assumed for the rest: PGs differ].
    """
    if not isinstance(code, str) or not 0 < len(code) <= MERCHANT_CODE_LIMIT:
        raise WindowRefused(BAD_PARAMETER, texts.WINDOW_NO_MERCHANT)
    channel = _channel(param)
    request = WindowRequest(
        merchant_code=code,
        merchant_uid=_needed(param, "merchant_uid", REQUIRED_LIMITS["merchant_uid"]),
        amount=_amount(param, "amount"),
        name=_text(param, "name", NAME_LIMIT),
        channel=channel,
        customer_uid=_customer_uid(param),
        mobile=mobile,
        redirects=mobile and channel.pg_provider in redirecting,
        redirect_url=_text(param, "m_redirect_url", LONGEST_ADDRESS),
        notice_urls=read_notice_urls(param.get("notice_url")),
        tax_free=_amount(param, "tax_free") if param.get("tax_free") is not None else 0,
        buyer={name: _text(param, name, limit) for name, limit in BUYER_LIMITS.items()},
        custom_data=_custom_data(param),
        vat_amount=_amount(param, "vat_amount") if param.get("vat_amount") is not None else None,
        instrument=_instrument(param, channel),
    )
    _check(request, param)
    return request


def _check(request: WindowRequest, param: Mapping[str, Any]) -> None:
    provider = request.channel.pg_provider
    if param.get("currency") not in (None, "", "KRW"):
        raise WindowRefused(BAD_PARAMETER, texts.CURRENCY_NOT_KRW)
    if provider in BUYER_TEL_REQUIRED and request.use is Use.PAYMENT and not request.buyer["buyer_tel"]:
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_MISSING.format(field="buyer_tel"))
    if request.tax_free > request.amount:
        raise WindowRefused(BAD_PARAMETER, texts.TAX_FREE_TOO_MUCH)
    if request.tax_free + (request.vat_amount or 0) > request.amount:
        raise WindowRefused(BAD_PARAMETER, texts.VAT_TOO_MUCH)
    if request.redirects and request.redirect_url and not is_web_address(request.redirect_url):
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_WRONG.format(field="m_redirect_url"))
    _check_pg(request)
    for name in NOT_IN_SANDBOX:
        if param.get(name):
            raise WindowRefused(BAD_PARAMETER, texts.NOT_IN_SANDBOX.format(what=name))


def _check_pg(request: WindowRequest) -> None:
    """Raise WindowRefused for what a PG's window cannot do [documented]."""
    provider = request.channel.pg_provider
    impossible = provider in NO_PAYMENT_WINDOW if request.use is Use.PAYMENT else provider not in REGISTERS_IN_WINDOW
    if impossible:
        raise WindowRefused(PG_REQUEST_FAILED, texts.WINDOW_NOT_OF_THIS_PG.format(pg=provider))
    if provider in NO_KRW:
        raise WindowRefused(BAD_PARAMETER, texts.CURRENCY_NOT_KRW)
    if provider in PLAIN_MERCHANT_UID and not (request.merchant_uid.isascii() and request.merchant_uid.isalnum()):
        raise WindowRefused(BAD_PARAMETER, texts.MERCHANT_UID_NOT_PLAIN)
    if request.use is not Use.PAYMENT and request.channel.pg_id == ONE_TIME_TEST_IDS.get(provider):
        raise WindowRefused(PG_REQUEST_FAILED, texts.WINDOW_ONE_TIME_CHANNEL.format(pg=request.channel.pg_id))
    least = MINIMUM_KRW.get(provider, 1)
    if request.use is not Use.REGISTRATION and request.amount < least:
        raise WindowRefused(PG_REQUEST_FAILED, texts.BELOW_MINIMUM.format(limit=least))


def _channel(param: Mapping[str, Any]) -> Channel:
    """Return the contract meant by `channelKey`, else by `pg` as "provider" or "provider.MID" [documented]."""
    key, pg = param.get("channelKey"), param.get("pg")
    if key:
        named = {channel_key(provider): provider for provider in PG_PROVIDERS}.get(str(key), "")
    else:
        named = str(pg or DEFAULT_PG)
    provider, _, pg_id = named.partition(".")
    found = window_channel(provider, pg_id)
    if found is None:
        raise WindowRefused(PG_REQUEST_FAILED, texts.WINDOW_UNKNOWN_PG.format(pg=str(key or pg)[:80]))
    return found


def _instrument(param: Mapping[str, Any], channel: Channel) -> Instrument | None:
    """Return the instrument of `bypass.kakaopay.payment_method_type`, the only one offered then [documented]."""
    bypass = param.get("bypass")
    of_the_pg = bypass.get("kakaopay") if isinstance(bypass, dict) else None
    wanted = of_the_pg.get("payment_method_type") if isinstance(of_the_pg, dict) else None
    if wanted is None or channel.pg_provider != "kakaopay":
        return None
    if wanted not in METHOD_TYPES:
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_WRONG.format(field="bypass.kakaopay.payment_method_type"))
    return METHOD_TYPES[wanted]


def _amount(param: Mapping[str, Any], name: str) -> int:
    value = param.get(name)
    if value is None:
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_MISSING.format(field=name))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= HIGHEST_NUMBER or value != int(value):
        raise WindowRefused(BAD_PARAMETER, texts.WINDOW_AMOUNT_NOT_WHOLE)
    return int(value)


def _customer_uid(param: Mapping[str, Any]) -> str | None:
    """Return customer_uid; an empty one is rejected: without one the window would charge, not register [assumed]."""
    limit = REQUIRED_LIMITS["customer_uid"]
    return None if param.get("customer_uid") is None else _needed(param, "customer_uid", limit)


def _needed(param: Mapping[str, Any], name: str, limit: int) -> str:
    text = _text(param, name, limit)
    if not text:
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_MISSING.format(field=name))
    return text


def _text(param: Mapping[str, Any], name: str, limit: int) -> str | None:
    value = param.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > limit):
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_TOO_LONG.format(field=name, limit=limit))
    return value


def _custom_data(param: Mapping[str, Any]) -> str | None:
    value = param.get("custom_data")
    return value if value is None or isinstance(value, str) else as_json(value)
