"""The buyer's decision in a payment window: taken once, even when pressed twice, reloaded, or made in another tab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worker.sandbox import announcing, opening
from worker.sandbox.charging import TURN_SECONDS
from worker.sandbox.rules import callbacks, texts, window_payments
from worker.sandbox.rules import payments as payment_shapes
from worker.sandbox.rules.answers import ApiError, Pause, not_found
from worker.sandbox.rules.callbacks import Callback
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.providers import maximum_krw
from worker.sandbox.rules.window_requests import ALREADY_PAID, PG_REQUEST_FAILED, Use, WindowRefused
from worker.sandbox.rules.windows import Choice, Decision, State, Window
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows, payment_rows, window_rows

INTERRUPTED = "F0005"  # [seen]; that a closed window gives it is assumed


@dataclass(frozen=True, slots=True)
class Ending:
    """How a window ends: the payment record, the callback to the page, and the money that moves, in KRW."""

    state: State
    payment: Payment
    callback: Callback
    charged: int = 0


def decide(sandbox: Sandbox, window_id: str, decision: Decision) -> Iterator[Pause]:
    """Carry out a decision; a second one changes nothing, and the ledger shows how the first went.

    An approval is carried out even if the browser leaves; it waits for other charges of the merchant_uid [assumed].
    """
    window = found(sandbox, window_id)
    while sandbox.is_in_flight(window.request.merchant_uid):
        yield Pause(TURN_SECONDS)
    with sandbox.in_flight(window.request.merchant_uid):
        if decision.choice is Choice.APPROVE and found(sandbox, window_id).state is State.OPEN:
            seconds = sandbox.switches.window_approval_seconds + sandbox.latency()
            if seconds:
                yield Pause(seconds)
        window, now = found(sandbox, window_id), sandbox.now()
        if window.state is State.OPEN and not window.is_expired(now, life_seconds=sandbox.switches.window_life_seconds):
            _record(sandbox, window, decision, _ending(sandbox, window, decision, now), now)


def found(sandbox: Sandbox, window_id: str) -> Window:
    """Return the window of an id; raises ApiError with HTTP 404."""
    window = window_rows.find(sandbox.ledger, window_id)
    if window is None:
        raise ApiError(not_found(texts.NO_WINDOW))
    return window


def _ending(sandbox: Sandbox, window: Window, decision: Decision, now: int) -> Ending:
    """Decide how a window ends. One that is closed leaves a failed payment [documented]."""
    payment = opening.new_payment(sandbox, window, decision.instrument)
    match decision.choice:
        case Choice.CLOSE:
            return _failed(State.CLOSED, payment, INTERRUPTED, texts.WINDOW_CLOSED, now)
        case Choice.DECLINE:
            return _failed(State.DECLINED, payment, decision.reason.code, decision.reason.korean, now)
    try:
        _refuse_approval(sandbox, window, decision)
    except WindowRefused as refused:
        return _failed(State.DECLINED, payment, refused.error_code, str(refused), now)
    paid = window_payments.approved(window, payment, at=now, recorded=sandbox.switches.registration_amount)
    return Ending(State.APPROVED, paid, callbacks.succeeded(paid), window.request.charges)


def _refuse_approval(sandbox: Sandbox, window: Window, decision: Decision) -> None:
    """Raise WindowRefused if another tab has paid [assumed], or above the instrument's maximum [documented]."""
    opening.refuse_paid(sandbox, window.request)
    channel, amount = window.request.channel, window.request.charges
    maximum = maximum_krw(channel.pg_provider, decision.instrument, sandbox=channel.sandbox)
    if maximum is not None and amount > maximum:
        raise WindowRefused(PG_REQUEST_FAILED, texts.ABOVE_MAXIMUM.format(limit=maximum))


def _failed(state: State, payment: Payment, error_code: str, message: str, now: int) -> Ending:
    reason = message if error_code in (ALREADY_PAID, PG_REQUEST_FAILED, INTERRUPTED) else f"[{error_code}]{message}"
    failed = payment_shapes.failed(payment, at=now, reason=reason)
    return Ending(state, failed, callbacks.failed(failed, error_code, message))


def _record(sandbox: Sandbox, window: Window, decision: Decision, ending: Ending, now: int) -> None:
    hidden = sandbox.switches.lookup_delay_seconds
    visible_at = sandbox.moment() + hidden if hidden else 0
    payment_rows.conclude(sandbox.ledger, ending.payment, charged=ending.charged, at=now, visible_at=visible_at)
    window_rows.decide(sandbox.ledger, window, ending.state, ending.callback)
    if ending.state is State.APPROVED:
        if window.request.use is not Use.PAYMENT:
            key = window_payments.registered(window, instrument=decision.instrument, at=now)
            key_rows.put_one(sandbox.ledger, key)
        announcing.announce(sandbox, ending.payment, window.request.notice_urls)
