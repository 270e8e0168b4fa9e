"""Validation of a payment window's amounts, by what the PG does with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from worker.pg import catalog
from worker.pg.facts import KeyRegistration, Pg, WindowUse
from worker.pg.window.request import WindowOrder, WindowProblem


def amount_problems(order: WindowOrder, use: WindowUse, facts: Pg) -> Iterator[WindowProblem]:
    """Yield every problem with the amounts of an order."""
    if order.currency != "KRW":
        yield WindowProblem("currency", f"currency is {order.currency!r:.10} but must be KRW, the only one so far.")
    if not _is_whole(order.amount):
        yield WindowProblem("amount", _not_whole("amount", order.amount))
    elif (sentence := _unsuitable(order.amount, use, facts)) is not None:
        yield WindowProblem("amount", sentence)
    yield from _tax_problems(order, facts)


def _unsuitable(amount: int, use: WindowUse, facts: Pg) -> str | None:
    if use is WindowUse.REGISTRATION:
        return _unsuitable_for_key(amount, facts)
    if not facts.takes_won or (use is WindowUse.REGISTRATION_WITH_PAYMENT and not catalog.charges_in_window(facts.pg)):
        return None  # a problem of the PG as a whole: no other amount would do
    said = catalog.limit_objection(facts.pg, amount)
    return None if said is None else f"amount is {amount:,}, and {said}."


def _unsuitable_for_key(amount: int, facts: Pg) -> str | None:
    if amount < 0:
        return f"amount is {amount:,} but must be 0 or more."
    if amount == 0 or facts.window.keys in {KeyRegistration.SHOWS, KeyRegistration.NONE}:
        return None
    if facts.window.keys is KeyRegistration.CHARGES:
        return (
            f"amount is {amount:,}, and {facts.name} would really charge it while it registers the key: "
            "give 0, or ask for registration with initial payment."
        )
    return f"amount is {amount:,}, and what {facts.name} does with it is not documented: give 0 to register a key."


def _tax_problems(order: WindowOrder, facts: Pg) -> Iterator[WindowProblem]:
    total = order.amount if _is_whole(order.amount) and order.amount >= 0 else None
    tax_free = order.tax_free if order.tax_free is not None else 0
    if order.vat_amount is not None and not facts.window.vat_amount:
        yield WindowProblem(
            "vat_amount", f"{facts.name} takes no vat_amount in its window: it works it out from amount and tax_free."
        )
    yield from _part_problems("tax_free", order.tax_free, total)
    if not _is_whole(tax_free) or total is None or not 0 <= tax_free <= total:
        total = None  # nothing is known of what is taxed
    yield from _part_problems("vat_amount", order.vat_amount, None if total is None else total - tax_free)


def _part_problems(name: str, part: int | None, most: int | None) -> Iterator[WindowProblem]:
    """Yield the problems of a part of the amount; without a `most`, those that are certain without it."""
    if part is None:
        return
    if not _is_whole(part):
        yield WindowProblem(name, _not_whole(name, part))
    elif part < 0 or (most is not None and part > most):
        bounds = "0 or more" if most is None else f"0 to {most:,}"
        yield WindowProblem(name, f"{name} is {part:,} but must be {bounds}.")


def _is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a number of won; True, 1.0 and "14000" are not (documented for the text)."""
    return type(value) is int


def _not_whole(name: str, value: Any) -> str:
    return f"{name} is {value!r:.20} but must be an integer, never a text, a fraction or a boolean."
