"""Settings of a whole sandbox: its credentials, and the rules and troubles that may change while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from worker.sandbox.rules.web_addresses import is_web_address

MOST_RESENDS = 5  # per webhook [documented]


class Repeat(StrEnum):
    """How `again` treats a merchant_uid that was used before. PortOne's rule is not published."""

    REFUSE = "refuse"  # code 1, as PortOne's own checks
    REFUSE_AS_PG = "refuse_as_pg"  # code -1, as refusals from further down
    REFUSE_VAGUELY = "refuse_vaguely"  # code -1, in words that name no earlier payment
    ACCEPT = "accept"  # a second real charge
    SERIALIZE = "serialize"  # in flight only: wait for the first to end, then apply the rule for its outcome


class Outage(StrEnum):
    """A failure of the whole API. To refuse the *connection* itself, stop the server."""

    NONE = "none"
    REFUSE = "refuse"  # every connection is reset once its request is in
    HANG = "hang"
    ERROR = "error"  # 500
    UNAVAILABLE = "unavailable"  # 503, HTML


class WebhookFormat(StrEnum):
    """How the body of a webhook is written; chosen in PortOne's console [documented]."""

    JSON = "json"
    FORM = "form"


class RegistrationAmount(StrEnum):
    """What PortOne records as the amount of a registration that charges nothing. Not published."""

    ZERO = "zero"
    SHOWN = "shown"  # the amount that the window showed


class BadSwitch(ValueError):
    """A switch was set to a value it does not take; the message names the switch and its values."""


@dataclass(frozen=True, slots=True)
class Switches:
    """Rules and troubles of a run; names that end in `_seconds` are in seconds."""

    repeated_paid: Repeat = Repeat.REFUSE
    repeated_failed: Repeat = Repeat.ACCEPT
    repeated_in_flight: Repeat = Repeat.SERIALIZE
    outage: Outage = Outage.NONE
    latency_seconds: tuple[float, float] = (0.0, 0.0)  # least and most; every call takes a random time between them
    lookup_delay_seconds: float = 0.0  # a new payment cannot be looked up before that
    unknown_customer_status: int = 404  # 404 [documented] or 200 [seen in client tests]; the body is the same

    webhook_url: str = ""  # the merchant's webhook address; empty: only a payment's notice_url is used
    webhook_format: WebhookFormat = WebhookFormat.JSON
    webhook_source: str = ""  # the address they are sent from; empty: the operating system's choice
    webhook_delay_seconds: float = 0.0  # before the first send
    webhook_resends: int = 0  # after a network error or 5xx; PortOne sets up to 5 on request [documented]

    repeated_window: Repeat = Repeat.ACCEPT  # a window under the merchant_uid of an earlier one, whatever became of it
    window_approval_seconds: float = 0.0  # between the buyer's approval and the money
    window_callback_seconds: float = 0.0  # between the money and the callback or redirect
    window_reports: bool = True  # False: the tab is gone before the page gets the result
    window_life_seconds: float = 900.0  # how long a window takes a decision [assumed]
    registration_amount: RegistrationAmount = RegistrationAmount.ZERO
    payco_redirects: bool = False  # on phones, instead of calling back; the documents say both

    def changed(self, changes: Mapping[str, Any]) -> Switches:
        """Return these switches with changes by name, as an admin or a caller wrote them; raises BadSwitch."""
        known = {each.name for each in fields(self)}
        for name in changes:
            if name not in known:
                raise BadSwitch(f"There is no switch {name!r}; there are {', '.join(sorted(known))}.")
        return replace(self, **{name: _READERS[name](name, value) for name, value in changes.items()})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a sandbox is started with. With an empty seed, a random one is drawn once and kept in the ledger."""

    imp_key: str = "sandbox"
    imp_secret: str = field(default="sandbox", repr=False)
    seed: str = ""
    switches: Switches = field(default_factory=Switches)


def _repeat(name: str, value: Any) -> Repeat:
    allowed = [each for each in Repeat if each is not Repeat.SERIALIZE or name == "repeated_in_flight"]
    if value not in allowed:
        raise BadSwitch(f"{name} is {value!r}; it can be {', '.join(allowed)}.")
    return Repeat(value)


def _accept_or_refuse(name: str, value: Any) -> Repeat:
    if value not in (Repeat.ACCEPT, Repeat.REFUSE):
        raise BadSwitch(f"{name} is {value!r}; it can be {Repeat.ACCEPT} or {Repeat.REFUSE}.")
    return Repeat(value)


def _latency(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise BadSwitch(f"{name} is {value!r}; it takes two numbers of seconds, such as [0, 0.05].")
    low, high = (_seconds(name, each) for each in value)
    if low > high:
        raise BadSwitch(f"{name} is {value!r}; the first number must not exceed the second.")
    return low, high


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86_400:
        raise BadSwitch(f"{name} is {value!r}; it takes seconds from 0 to 86400.")
    return float(value)


def _status(name: str, value: Any) -> int:
    if value not in (200, 404):
        raise BadSwitch(f"{name} is {value!r}; it can be 200 or 404.")
    return int(value)


def _choice(kind: type[StrEnum]) -> Callable[[str, Any], StrEnum]:
    def read(name: str, value: Any) -> StrEnum:
        if value not in list(kind):
            raise BadSwitch(f"{name} is {value!r}; it can be {', '.join(kind)}.")
        return kind(value)

    return read


def _url(name: str, value: Any) -> str:
    if value != "" and not is_web_address(value):
        raise BadSwitch(f"{name} is {value!r}; it takes an address that begins with http:// or https://, or nothing.")
    return str(value)


def _ip_address(name: str, value: Any) -> str:
    try:
        return str(ip_address(str(value))) if value != "" else ""
    except ValueError as error:
        raise BadSwitch(f"{name} is {value!r}; it takes an IP address of this machine, or nothing.") from error


def _resends(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_RESENDS:
        raise BadSwitch(f"{name} is {value!r}; it takes a whole number from 0 to {MOST_RESENDS}.")
    return value


def _yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadSwitch(f"{name} is {value!r}; it takes true or false.")
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "repeated_paid": _repeat,
    "repeated_failed": _repeat,
    "repeated_in_flight": _repeat,
    "outage": _choice(Outage),
    "latency_seconds": _latency,
    "lookup_delay_seconds": _seconds,
    "unknown_customer_status": _status,
    "webhook_url": _url,
    "webhook_format": _choice(WebhookFormat),
    "webhook_source": _ip_address,
    "webhook_delay_seconds": _seconds,
    "webhook_resends": _resends,
    "repeated_window": _accept_or_refuse,
    "window_approval_seconds": _seconds,
    "window_callback_seconds": _seconds,
    "window_reports": _yes_or_no,
    "window_life_seconds": _seconds,
    "registration_amount": _choice(RegistrationAmount),
    "payco_redirects": _yes_or_no,
}
