"""The parameter object of `IMP.request_pay`, for each of the three uses of a payment window. Pure.

A window that would not do what was asked for is refused with every reason at once, before a customer sees it. What
the browser says afterwards proves nothing: look up the payment and the key at PortOne.
"""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from worker.domain.errors import Refused
from worker.pg.catalog import NotSupported, charges_in_window, require_key_by_api
from worker.pg.facts import CardRoute, WindowUse
from worker.pg.window.parameters import parameters
from worker.pg.window.request import (
    Buyer,
    CallbackUrls,
    Options,
    WindowChannel,
    WindowOrder,
    WindowProblem,
    WindowRequest,
)
from worker.pg.window.rules import problems_in

__all__ = [
    "CardRoute",
    "InvalidWindow",
    "NotSupported",
    "WindowExtras",
    "build",
    "charges_in_window",
    "general_payment",
    "registration",
    "registration_with_payment",
    "require_key_by_api",
]


class InvalidWindow(Refused):
    """A payment window that cannot be opened as asked for; `problems` has every reason."""

    def __init__(self, problems: tuple[WindowProblem, ...]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


class WindowExtras(TypedDict, total=False):
    """Optional arguments of a window besides its order; a PG may require some of them.

    The SDK's confirm_url, display.card_quota and card.detail are not among them: Again decides nothing between a window
    and its payment, and its periods are not paid in instalments.
    """

    buyer: Buyer
    callback_urls: CallbackUrls
    options: Options


def general_payment(channel: WindowChannel, order: WindowOrder, **extras: Unpack[WindowExtras]) -> dict[str, Any]:
    """Return the parameters for one payment without a key. Raises InvalidWindow.

    PAYCO's `vbank` only issues an account: PortOne's status is then `ready`, and `paid` once money has come.
    """
    return build(WindowRequest(use=WindowUse.PAYMENT, channel=channel, order=order, **extras))


def registration(
    channel: WindowChannel, order: WindowOrder, customer_uid: str, **extras: Unpack[WindowExtras]
) -> dict[str, Any]:
    """Return the parameters for registering a billing key, in which no money moves. Raises InvalidWindow.

    The amount is 0, or what a PG such as PAYCO is to show. Registering under a customer_uid that has a key replaces it
    (documented), so use a new one.
    """
    use = WindowUse.REGISTRATION
    return build(WindowRequest(use=use, channel=channel, order=order, customer_uid=customer_uid, **extras))


def registration_with_payment(
    channel: WindowChannel, order: WindowOrder, customer_uid: str, **extras: Unpack[WindowExtras]
) -> dict[str, Any]:
    """Return the parameters for registering a key and charging the amount at once. Raises InvalidWindow.

    Only for PGs whose window does so, as Kakao Pay's; see `charges_in_window`.
    """
    use = WindowUse.REGISTRATION_WITH_PAYMENT
    return build(WindowRequest(use=use, channel=channel, order=order, customer_uid=customer_uid, **extras))


def build(request: WindowRequest) -> dict[str, Any]:
    """Return the parameters of any request, ready for JSON. Raises InvalidWindow."""
    if problems := problems_in(request):
        raise InvalidWindow(problems)
    return parameters(request)
