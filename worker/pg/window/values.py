"""Validation of each single parameter of a payment window, for any PG. Pure.

Lengths are PortOne's (documented for the SDK; those of the buyer for `again`, and assumed to be the same here).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from schedules import plan_rules
from worker.domain.identifiers import is_customer_uid
from worker.pg.window.request import WindowProblem

PAY_METHODS = frozenset(
    {
        *("card", "trans", "vbank", "phone", "applepay", "naverpay", "samsung", "samsungpay", "kpay", "kakaopay"),
        *("payco", "lpay", "ssgpay", "tosspay", "cultureland", "smartculture", "culturegift", "booknlife", "point"),
        *("wechat", "alipay", "unionpay", "pinpay", "ssgpay_bank", "skpay", "naverpay_card", "naverpay_point"),
        *("paypal", "toss_brandpay", "tosspay_card", "tosspay_money"),
    }
)
"""Every code that the SDK names (documented); a PG takes only some."""

LANGUAGES = frozenset({"ko", "en", "zh"})  # documented; some PGs have one only
INSTRUMENTS = frozenset({"CARD", "MONEY"})  # of Kakao Pay (documented)

_CHANNEL_KEY = re.compile(r"[!-~]{1,55}")
_PG = re.compile(r"[a-z0-9_]{1,16}(\.[!-~]{1,80})?")
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_TEL = re.compile(r"[0-9+() -]*[0-9][0-9+() -]*")
_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII without spaces and backslashes
_APP_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://)?")


def _text(most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and 1 <= len(value) <= most and value.isprintable()


def _shaped(shape: re.Pattern[str], most: int = 1000) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= most and shape.fullmatch(value) is not None


def _one_of(values: frozenset[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in values


def _is_name(value: Any) -> bool:
    return not plan_rules.problems_in({"name": value})


def _is_customer_uid(value: Any) -> bool:
    return isinstance(value, str) and is_customer_uid(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_link(value: Any) -> bool:
    """Return whether a browser or PortOne may be sent to a URL: https, and plain http only within this machine."""
    if not isinstance(value, str) or _URL.fullmatch(value) is None:
        return False
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        _ = parts.port  # a ValueError when it is none
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None or "#" in value:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _are_links(value: Any) -> bool:
    links = value if isinstance(value, list) else [value]
    return bool(links) and all(is_link(link) for link in links)


def _is_json_object(value: Any) -> bool:
    """Return whether a value survives as JSON text, in which PortOne keeps it (documented)."""
    try:
        return isinstance(value, Mapping) and bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


_LINK = "an https:// address without a name, a password or a fragment in it (http:// only for this machine)"

RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "channelKey": (_shaped(_CHANNEL_KEY), "1 to 55 printable ASCII characters without spaces"),
    "pg": (_shaped(_PG), "the PG's code, alone or with a dot and the merchant's id, without spaces"),
    "pay_method": (_one_of(PAY_METHODS), "one of PortOne's codes, such as card, trans or vbank"),
    "name": (_is_name, plan_rules.EXPECTED["name"]),
    "customer_uid": (_is_customer_uid, "1 to 80 printable ASCII characters without spaces"),
    "buyer_name": (_text(16), "1 to 16 printable characters"),
    "buyer_email": (_shaped(_EMAIL, 64), "an e-mail address of at most 64 characters"),
    "buyer_tel": (_shaped(_TEL, 16), "a telephone number of at most 16 digits, spaces, brackets, + and -"),
    "buyer_addr": (_text(128), "1 to 128 printable characters"),
    "buyer_postcode": (_text(8), "1 to 8 printable characters"),
    "m_redirect_url": (is_link, _LINK),
    "notice_url": (_are_links, f"{_LINK}, or several such"),
    "app_scheme": (_shaped(_APP_SCHEME), "the scheme of an app, such as myapp or myapp://"),
    "customer_id": (_is_customer_uid, "1 to 80 printable ASCII characters without spaces"),  # no limit is published
    "custom_data": (_is_json_object, "an object of JSON"),
    "language": (_one_of(LANGUAGES), "ko, en or zh"),
    "popup": (_is_flag, "true or false"),
    "kakaopayMobileAsPC": (_is_flag, "true or false"),
}


def value_problems(parameters: Mapping[str, Any]) -> Iterator[WindowProblem]:
    """Yield a problem for every parameter that no PG would take. Values are not quoted: many are personal."""
    for name, (is_right, expected) in RULES.items():
        if name in parameters and not is_right(parameters[name]):
            yield WindowProblem(name, f"{name} must be {expected}.")
    bypass = parameters.get("bypass", {}).get("kakaopay", {})
    if not _one_of(INSTRUMENTS)(bypass.get("payment_method_type", "CARD")):
        yield WindowProblem("bypass", "The instrument of Kakao Pay must be CARD or MONEY.")
    if not _text(1000)(bypass.get("custom_message", "-")):
        yield WindowProblem("bypass", "The message of Kakao Pay must be printable text.")
