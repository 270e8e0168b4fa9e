"""Completing a checkout by what PortOne shows, and by nothing else; as often as it is asked for, with one end.

A browser's callback, a redirect, a webhook and the periodic maintenance all come here. They only tell where to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from worker.checkout import order_queries
from worker.checkout.context import CheckoutContext
from worker.checkout.fulfilment import Completion, OrderEvidence, Progress, fulfil
from worker.checkout.links import find_checkout
from worker.checkout.order_queries import OrderRow
from worker.checkout.queries import CheckoutRow
from worker.checkout.verification import Expected
from worker.database.engine import Sessions
from worker.domain.errors import RateLimited, Refused
from worker.domain.gateway import Found, Gateway, LookUpFailed, NoSuchKey, StoredKey
from worker.domain.identifiers import is_imp_uid
from worker.domain.states import CheckoutStatus

log = structlog.get_logger()

_KeyAnswers = dict[str, StoredKey | NoSuchKey | LookUpFailed]


async def complete(
    context: CheckoutContext, code: str, *, imp_uid: str | None, may_ask: Callable[[str], bool] = lambda _: True
) -> Completion:
    """Ask PortOne what became of a checkout, and fulfil it. Raises Refused for what was not asked for.

    `may_ask` returns whether PortOne may be asked about this checkout now: with a code alone, an attacker could else
    use up the rate on which charging depends. It is called for checkouts that exist and are not done. Raises
    RateLimited.

    `imp_uid` is what a browser says; without one, everything under the windows' merchant_uids is looked at just as
    well. Of several orders, opened in several tabs, the first that is proved ends the checkout; else the answer is
    about the one that `imp_uid` names, or whose window was opened last. While charging is held, nothing is fulfilled.
    """
    checkout, orders = await asyncio.to_thread(_find, context.sessions, code)
    if not orders:
        raise Refused("No payment window was opened with this link yet.")
    if checkout.status is CheckoutStatus.DONE:
        return Completion(Progress.DONE)
    if not may_ask(code):
        raise RateLimited
    if imp_uid:
        orders = await _named_first(context.gateway, orders, imp_uid)
    completions: list[Completion] = []
    keys: _KeyAnswers = {}
    for order in orders:
        evidence = await _look_up(context, order, keys)
        is_first = not completions
        completion = await asyncio.to_thread(fulfil, context, checkout, order, evidence, keep_decline_message=is_first)
        if completion.progress is Progress.DONE:
            return completion
        completions.append(completion)
    answered = all(each.answered for each in completions)
    if (wrong := completions[0].wrong) is not None and answered:
        raise Refused(wrong)
    return Completion(completions[0].progress, completions[0].message, answered=answered)


def _find(sessions: Sessions, code: str) -> tuple[CheckoutRow, list[OrderRow]]:
    with sessions() as session:
        checkout = find_checkout(session, code)
        return checkout, order_queries.orders_of(session, checkout.id)


async def _named_first(gateway: Gateway, orders: list[OrderRow], imp_uid: str) -> list[OrderRow]:
    """Sort the order that a browser names to the front. Raises Refused for a payment of another checkout.

    A payment that PortOne does not show yet is no proof of anything: the look-ups decide.
    """
    if not is_imp_uid(imp_uid):
        raise Refused("That is no payment's id.")
    named = await gateway.payment(imp_uid)
    if not isinstance(named, Found) or not named.records:
        return orders
    theirs = {record.merchant_uid for record in named.records}
    if not theirs <= {order.merchant_uid for order in orders}:
        raise Refused("That payment belongs to another order; nothing was changed.")
    return sorted(orders, key=lambda order: order.merchant_uid not in theirs)


async def _look_up(context: CheckoutContext, order: OrderRow, keys: _KeyAnswers) -> OrderEvidence:
    """Look up an order at PortOne. Several windows may register one key: each of `keys` is asked for once."""
    expected = Expected(
        merchant_uid=order.merchant_uid,
        pg=order.pg,
        opened_pgs=order.opened_pgs,
        charged=0 if order.charge_id is None else order.amount,
        shown=order.amount,
        currency="KRW",
        customer_uid=order.customer_uid,
    )
    asked_at = context.clock()
    payments = await context.gateway.look_up(expected.merchant_uid)
    if expected.customer_uid is None:
        return OrderEvidence(expected, asked_at, payments, None)
    if expected.customer_uid not in keys or _is_paid(payments):
        keys[expected.customer_uid] = await context.gateway.billing_key(expected.customer_uid)
    return OrderEvidence(expected, asked_at, payments, keys[expected.customer_uid])


def _is_paid(payments: Found | LookUpFailed) -> bool:
    """Return whether an order was paid or registered: its key may have come just now, and is asked for again."""
    return isinstance(payments, Found) and any(record.status == "paid" for record in payments.records)
