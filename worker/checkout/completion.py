"""Finishing a checkout by what PortOne shows, and by nothing else; as often as anyone asks, with one end.

A browser's callback, a redirect, a webhook and the periodic look all come here. What they say is where to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import Row

from worker.checkout import order_queries
from worker.checkout.context import CheckoutContext
from worker.checkout.fulfilment import Completion, OrderEvidence, Progress, fulfil
from worker.checkout.links import find_checkout
from worker.checkout.verification import Expected
from worker.database.engine import Sessions
from worker.domain.errors import RateLimited, Refused
from worker.domain.gateway import Found, Gateway, LookUpFailed, NoSuchKey, StoredKey
from worker.domain.imp_uid import is_imp_uid
from worker.domain.states import CheckoutStatus

log = structlog.get_logger()


async def complete(
    context: CheckoutContext, code: str, *, imp_uid: str | None, may_ask: Callable[[str], bool] = lambda _: True
) -> Completion:
    """Ask PortOne what became of a checkout and carry it out. Raises Refused for what was not asked for.

    `may_ask` says of a checkout that there is, and is not done, whether PortOne may be asked about it now: anybody who
    has its code could else use up the rate on which charging depends. Raises RateLimited.

    `imp_uid` is what a browser says; without one, everything under the windows' merchant_uids is looked at all the
    same. Of several orders, opened in several tabs, the first that is proved ends the checkout; else the answer is
    about the one that `imp_uid` names, or whose window was opened last. While the books may have forgotten
    payments, nothing is carried out.
    """
    row, orders = await asyncio.to_thread(_found, context.sessions, code)
    if not orders:
        raise Refused("No payment window was opened with this link yet.")
    if row.status == CheckoutStatus.DONE:
        return Completion(Progress.DONE)
    if not may_ask(code):
        raise RateLimited
    if imp_uid:
        orders = await _named_first(context.gateway, orders, imp_uid)
    ends: list[Completion] = []
    keys: dict[str, StoredKey | NoSuchKey | LookUpFailed] = {}
    for order in orders:
        shown = await _ask(context, order, keys)
        ended = await asyncio.to_thread(fulfil, context, row, order, shown, says=not ends)
        if ended.progress is Progress.DONE:
            return ended
        ends.append(ended)
    answered = all(each.answered for each in ends)
    if (wrong := ends[0].wrong) is not None and answered:
        raise Refused(wrong)
    return Completion(ends[0].progress, ends[0].said, answered=answered)


def _found(sessions: Sessions, code: str) -> tuple[Row[Any], Sequence[Row[Any]]]:
    with sessions() as session:
        row = find_checkout(session, code)
        return row, order_queries.of_checkout(session, row.id)


async def _named_first(gateway: Gateway, orders: Sequence[Row[Any]], imp_uid: str) -> Sequence[Row[Any]]:
    """Look first at the order that a browser names, and refuse another's payment.

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


async def _ask(
    context: CheckoutContext, order: Row[Any], keys: dict[str, StoredKey | NoSuchKey | LookUpFailed]
) -> OrderEvidence:
    """Ask about an order. Several windows may register one key: PortOne is asked for each of `keys` once."""
    expected = Expected(
        merchant_uid=order.merchant_uid,
        pg=order.pg,
        opened_pgs=frozenset(order.opened_pgs),
        charged=0 if order.charge_id is None else order.amount,
        shown=order.amount,
        currency="KRW",
        customer_uid=order.customer_uid,
    )
    asked_at = context.clock()
    payments = await context.gateway.look_up(expected.merchant_uid)
    if expected.customer_uid is None:
        return OrderEvidence(expected, asked_at, payments, None)
    if expected.customer_uid not in keys or _is_proved(payments):
        keys[expected.customer_uid] = await context.gateway.billing_key(expected.customer_uid)
    return OrderEvidence(expected, asked_at, payments, keys[expected.customer_uid])


def _is_proved(payments: Found | LookUpFailed) -> bool:
    """Say whether an order was paid or registered: its key is asked for afresh then, for it may have come just now."""
    return isinstance(payments, Found) and any(record.status == "paid" for record in payments.records)
