"""Validation of a window request against a PG's facts: every problem, each as a sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.pg import catalog
from worker.pg.facts import REGISTRATIONS, KeyRegistration, MerchantIdKind, Pg, WindowUse
from worker.pg.window.amounts import amount_problems
from worker.pg.window.parameters import parameters
from worker.pg.window.request import WindowProblem, WindowRequest
from worker.pg.window.values import PAY_METHODS, value_problems

_OPTIONS = ("popup", "kakaopayMobileAsPC")
_REASONS = {"m_redirect_url": "on a phone the result comes nowhere else"}
_THEN = "Register the key alone; the first period is charged through `again` right after."


def problems_in(request: WindowRequest) -> tuple[WindowProblem, ...]:
    """Return every problem of this window; none when it can be opened."""
    given = parameters(request)
    found = list(value_problems(given))
    facts = catalog.PGS.get(request.channel.pg)
    if facts is None:
        unknown = WindowProblem("pg", f"pg is {request.channel.pg!r:.40} but must be {catalog.EXPECTED_PG}.")
        return (unknown, *(problem for problem in found if problem.parameter != "pg"))
    found += pg_problems(request.use, facts)
    found += _key_problems(request, facts)
    found += amount_problems(request.order, request.use, facts)
    found += _merchant_uid_problems(request, facts)
    found += _need_problems(given, request.use, facts)
    found += _option_problems(given, request.use, facts)
    return tuple(found)


def pg_problems(use: WindowUse, facts: Pg) -> Iterator[WindowProblem]:
    """Yield why this PG has no such window at all."""
    if not facts.takes_won:
        yield WindowProblem("pg", f"{facts.name} takes no KRW, and Again knows no other currency.")
    if facts.window.unsupported:
        yield WindowProblem("pg", f"{facts.name} needs what Again does not send yet: {facts.window.unsupported}.")
    if use is WindowUse.PAYMENT:
        if not facts.window.payments:
            yield WindowProblem("pg", f"{facts.name} has no window for general payments.")
    elif facts.window.keys is KeyRegistration.NONE:
        yield WindowProblem("pg", f"{facts.name} registers no billing keys in a window, as far as is documented.")
    elif use is WindowUse.REGISTRATION_WITH_PAYMENT and facts.window.keys is not KeyRegistration.CHARGES:
        yield WindowProblem("amount", f"{_no_payment(facts)} {_THEN}")


def _no_payment(facts: Pg) -> str:
    if facts.window.keys is KeyRegistration.UNDOCUMENTED:
        return f"Whether {facts.name} charges an amount while it registers a key is not documented."
    shown = "only shows the amount" if facts.window.keys is KeyRegistration.SHOWS else "only registers the key"
    return f"{facts.name} {shown} in this window: nothing would be charged."


def _key_problems(request: WindowRequest, facts: Pg) -> Iterator[WindowProblem]:
    if request.use not in REGISTRATIONS:
        if request.customer_uid is not None:
            yield WindowProblem("customer_uid", "customer_uid would make a registration of this payment: leave it out.")
        return
    if request.customer_uid is None:
        yield WindowProblem(
            "customer_uid", "customer_uid is missing: without it the window takes a payment and registers no key."
        )
    if request.channel.pg_id is not None and facts.ids.kind(request.channel.pg_id) is MerchantIdKind.ONE_TIME_TEST:
        recurring = " or ".join(sorted(facts.ids.recurring_tests))
        yield WindowProblem(
            "pg",
            f"{request.channel.pg_id} is for one-time payments: `again` cannot charge a key that is made with it. "
            f"Take {recurring} for tests, and a recurring contract for real.",
        )


def _merchant_uid_problems(request: WindowRequest, facts: Pg) -> Iterator[WindowProblem]:
    merchant_uid = request.order.merchant_uid
    if not isinstance(merchant_uid, str) or not facts.merchant_uid.takes(merchant_uid):
        expected = facts.merchant_uid.expected
        yield WindowProblem("merchant_uid", f"merchant_uid is {merchant_uid!r:.60} but must be {expected}.")


def _need_problems(given: Mapping[str, Any], use: WindowUse, facts: Pg) -> Iterator[WindowProblem]:
    for name in sorted(facts.window.required_for(use)):
        if name not in given:
            reason = _REASONS.get(name, f"{facts.name} requires it")
            yield WindowProblem(name, f"{name} is missing: {reason}.")


def _option_problems(given: Mapping[str, Any], use: WindowUse, facts: Pg) -> Iterator[WindowProblem]:
    methods, method = facts.window.methods_for(use), given.get("pay_method")
    if methods and method is not None and method in PAY_METHODS - methods:
        codes = ", ".join(sorted(methods))
        yield WindowProblem("pay_method", f"pay_method is {method} but must be {codes} for {facts.name} ({use}).")
    for name in _OPTIONS:
        if name in given and name not in facts.window.options:
            yield WindowProblem(name, f"{facts.name} knows no {name}: leave it out.")
    for provider in given.get("bypass", {}):
        if f"bypass.{provider}" not in facts.window.options:
            yield WindowProblem("bypass", f"{facts.name} takes nothing that is meant for {provider}: leave it out.")
