"""The parameter object of `IMP.request_pay`, for each of the three uses of a payment window. Pure; no page is here.

A window that would not do what was asked for is refused with every reason at once, before a customer sees it. What
the browser says afterwards proves nothing: look the payment and the key up at PortOne.
"""

from __future__ import annotations

from typing import Any

from worker.pg_facts import WindowUse
from worker.refusals import Refused
from worker.window_parameters import parameters
from worker.window_request import (
    NO_BUYER,
    NO_LINKS,
    NO_OPTIONS,
    Buyer,
    Links,
    Options,
    Order,
    WindowChannel,
    WindowProblem,
    WindowRequest,
)
from worker.window_rules import problems_in


class UnsuitableWindow(Refused):
    """A payment window that cannot be opened as asked for; `problems` has every reason."""

    def __init__(self, problems: tuple[WindowProblem, ...]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


def general_payment(
    channel: WindowChannel,
    order: Order,
    *,
    buyer: Buyer = NO_BUYER,
    links: Links = NO_LINKS,
    options: Options = NO_OPTIONS,
) -> dict[str, Any]:
    """Give the parameters for one payment without a key. Raises UnsuitableWindow.

    PAYCO's `vbank` only issues an account: PortOne's status is then `ready`, and `paid` once money has come.
    """
    return build(
        WindowRequest(use=WindowUse.PAYMENT, channel=channel, order=order, buyer=buyer, links=links, options=options)
    )


def registration(
    channel: WindowChannel,
    order: Order,
    customer_uid: str,
    *,
    buyer: Buyer = NO_BUYER,
    links: Links = NO_LINKS,
    options: Options = NO_OPTIONS,
) -> dict[str, Any]:
    """Give the parameters for registering a billing key, in which no money moves. Raises UnsuitableWindow.

    The amount is 0, or what PAYCO and others like it are to show. Registering under a customer_uid that has a key
    replaces it (documented), so take a new one.
    """
    return build(
        WindowRequest(
            use=WindowUse.REGISTRATION,
            channel=channel,
            order=order,
            customer_uid=customer_uid,
            buyer=buyer,
            links=links,
            options=options,
        )
    )


def registration_with_payment(
    channel: WindowChannel,
    order: Order,
    customer_uid: str,
    *,
    buyer: Buyer = NO_BUYER,
    links: Links = NO_LINKS,
    options: Options = NO_OPTIONS,
) -> dict[str, Any]:
    """Give the parameters for registering a key and really charging the amount at once. Raises UnsuitableWindow.

    Only where the window does so, as Kakao Pay's does; `worker.pg_profiles.charges_in_window` tells.
    """
    return build(
        WindowRequest(
            use=WindowUse.REGISTRATION_WITH_PAYMENT,
            channel=channel,
            order=order,
            customer_uid=customer_uid,
            buyer=buyer,
            links=links,
            options=options,
        )
    )


def build(request: WindowRequest) -> dict[str, Any]:
    """Give the parameters of any request, ready for JSON. Raises UnsuitableWindow."""
    if problems := problems_in(request):
        raise UnsuitableWindow(problems)
    return parameters(request)
