"""`POST /payments/cancel`: refunding a payment, in part or wholly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from worker.sandbox import announcing
from worker.sandbox.rules import payments, replies, texts
from worker.sandbox.rules.answers import ApiError, Steps, bad_request, pause, refusal, unauthorized
from worker.sandbox.rules.behaviours import Behaviour, Reply, Verdict
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.charge_requests import extra, whole_number
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.providers import (
    CANCEL_YEARS,
    KAKAO_MONEY_CANCEL_YEARS,
    REQUESTER_WANTED,
    REQUESTERS,
    TAX_FREE_ON_CANCEL,
    TAX_FREE_ON_PARTIAL_CANCEL,
    VAT_ON_CANCEL,
    VAT_ON_PARTIAL_CANCEL,
    Instrument,
    pay_method,
)
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import cancel_story, payment_rows
from worker.sandbox.store.payment_rows import Taxes

A_YEAR_SECONDS = 366 * 86_400  # the last day counts
USUAL_REASON = "취소요청 api를 통한 취소"  # [assumed]


RESULTS = {Verdict.PAID: "cancelled", Verdict.DECLINED: "declined", Verdict.UNTOUCHED: "untouched"}


def cancel(sandbox: Sandbox, call: Call) -> Steps:
    """Cancel a payment, wholly (amount 0 or left out) or in part; refusals are HTTP 200 with code 1 [seen].

    The steps go on whether or not the client still listens [assumed]. What is left is compared when the money moves:
    of two cancels under way with one checksum, one is refused [documented].
    """
    payment, behaviour = _payment(sandbox, call), cancel_story.next_behaviour(sandbox.ledger)
    refuse_unasked(payment["pg_provider"], reason=call.text("reason"), requester=extra(call).get("requester"))
    latency = sandbox.latency()
    yield from pause(behaviour.wait_seconds + latency / 2)
    changed = _carried_out(sandbox, call, behaviour)
    yield from pause(behaviour.answer_seconds + latency / 2)
    if behaviour.reply is Reply.UNAUTHORIZED:
        sandbox.end_token()
        yield unauthorized()
    elif behaviour.verdict is Verdict.DECLINED:
        honest = refusal(texts.DECLINED.format(reason=behaviour.reason), code=-1)
        yield replies.delivered(behaviour.reply, honest)
    else:
        yield replace(replies.reply(behaviour, changed), result=RESULTS.get(behaviour.verdict, "answered"))


def _carried_out(sandbox: Sandbox, call: Call, behaviour: Behaviour) -> Payment:
    """Return the payment after the cancel, which is in the ledger before any answer leaves."""
    payment = _payment(sandbox, call)
    if behaviour.verdict in (Verdict.DECLINED, Verdict.UNTOUCHED):
        return payment  # only to answer with
    amount = _amount(sandbox, payment, call)
    taxes = _taxes(sandbox, payment, call, amount)
    # Unless asked for, a cancel by API sends no webhook [documented].
    told = str(call.fields.get("enable_webhook", "")).lower() == "true"
    reason = call.text("reason") or USUAL_REASON
    return _cancelled(sandbox, payment, amount, reason, taxes=taxes, told=told)


def refuse_unasked(provider: str, *, reason: str | None, requester: Any) -> None:
    """Reject a call to Naver Pay that states no reason or no requester."""
    if provider not in REQUESTER_WANTED:
        return
    if not reason:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field="reason")))
    if requester not in REQUESTERS:
        raise ApiError(bad_request(texts.REQUESTER_REQUIRED))


def cancel_in_console(sandbox: Sandbox, imp_uid: str, *, amount: int | None = None, reason: str) -> Payment:
    """Cancel as a merchant does in PortOne's console: a webhook reports it [documented]; raises ValueError."""
    payment = payment_rows.find(sandbox.ledger, imp_uid)
    left = 0 if payment is None else _left(sandbox, payment)
    if payment is None or not left:
        raise ValueError("Only a payment whose money moved can be cancelled; there is none with that imp_uid.")
    if amount is not None and not 0 < amount <= left:
        raise ValueError(f"There are {left} KRW left to cancel.")
    taxes = payment_rows.taxes_left(sandbox.ledger, imp_uid) if amount in (None, left) else Taxes()
    return _cancelled(sandbox, payment, amount or left, reason, taxes=taxes, told=True)


def _cancelled(sandbox: Sandbox, payment: Payment, amount: int, reason: str, *, taxes: Taxes, told: bool) -> Payment:
    now, cancellation_id = sandbox.now(), sandbox.unique_hex("cancellation")[:32]  # its form is not known
    changed = payments.cancelled(payment, amount=amount, reason=reason, at=now, cancellation_id=cancellation_id)
    payment_rows.refund(sandbox.ledger, changed, at=now, amount=amount, taxes=taxes)
    if told:
        announcing.announce_cancel(sandbox, payment, cancellation_id)
    return changed


def _left(sandbox: Sandbox, payment: Payment) -> int:
    """Return what can be refunded, in KRW: never more than was charged, whatever is recorded."""
    return min(payments.cancellable(payment), payment_rows.kept(sandbox.ledger, payment["imp_uid"]))


def _payment(sandbox: Sandbox, call: Call) -> Payment:
    """Return the payment to cancel: imp_uid wins, and a wrong one fails even with a right merchant_uid [documented]."""
    imp_uid, merchant_uid = call.text("imp_uid"), call.text("merchant_uid")
    if imp_uid is None and merchant_uid is None:
        raise ApiError(bad_request(texts.CANCEL_IDS_MISSING))
    if imp_uid is not None:
        found = payment_rows.find(sandbox.ledger, imp_uid)
        candidates = [] if found is None else [found]
    else:
        candidates = payment_rows.of_merchant_uid(sandbox.ledger, merchant_uid or "")
    for status in ("paid", "cancelled"):
        for payment in candidates:
            if payment["status"] == status:
                return payment
    raise ApiError(refusal(texts.NOTHING_TO_CANCEL))


def _amount(sandbox: Sandbox, payment: Payment, call: Call) -> int:
    """Return the amount to refund in KRW, after the checks that protect a repeated partial cancel [documented]."""
    left = _left(sandbox, payment)
    if not left:
        raise ApiError(refusal(texts.ALREADY_CANCELLED))
    checksum = whole_number(call, "checksum")
    if checksum is not None and checksum != left:
        raise ApiError(refusal(texts.CHECKSUM_DIFFERS))
    amount = whole_number(call, "amount") or left
    if amount > left:
        raise ApiError(refusal(texts.CANCEL_TOO_MUCH))
    if sandbox.now() - payment["paid_at"] > _cancel_years(payment) * A_YEAR_SECONDS:
        raise ApiError(refusal(texts.CANCEL_TOO_LATE, code=-1))
    return amount


def _cancel_years(payment: Payment) -> int:
    is_money = payment["pg_provider"] == "kakaopay" and payment["pay_method"] == pay_method(Instrument.MONEY)
    return KAKAO_MONEY_CANCEL_YEARS if is_money else CANCEL_YEARS


def _taxes(sandbox: Sandbox, payment: Payment, call: Call, amount: int) -> Taxes:
    """Return how much of the refund is tax-free and VAT: required where it was stated with the payment [documented].

    That neither may exceed what was stated, and that a cancel of the rest refunds all of it unless it says
    otherwise, is assumed.
    """
    provider, left = payment["pg_provider"], payment_rows.taxes_left(sandbox.ledger, payment["imp_uid"])
    tax_free, vat_amount = whole_number(call, "tax_free"), whole_number(call, "vat_amount")
    is_partial = amount < payment["amount"]
    wants_tax_free = provider in TAX_FREE_ON_CANCEL or (is_partial and provider in TAX_FREE_ON_PARTIAL_CANCEL)
    if tax_free is None and left.tax_free and wants_tax_free:
        raise ApiError(refusal(texts.TAX_FREE_REQUIRED))
    wants_vat = provider in VAT_ON_CANCEL or (is_partial and provider in VAT_ON_PARTIAL_CANCEL)
    if vat_amount is None and left.vat_amount is not None and wants_vat:
        raise ApiError(refusal(texts.VAT_REQUIRED))
    if (tax_free or 0) + (vat_amount or 0) > amount:
        raise ApiError(refusal(texts.TAX_FREE_TOO_MUCH))
    if (tax_free or 0) > left.tax_free:
        raise ApiError(refusal(texts.TAX_FREE_LEFT))
    if left.vat_amount is not None and (vat_amount or 0) > left.vat_amount:
        raise ApiError(refusal(texts.VAT_LEFT))
    rest = left if amount == _left(sandbox, payment) else Taxes()
    if left.vat_amount is None:
        vat_amount = None
    return Taxes(rest.tax_free if tax_free is None else tax_free, rest.vat_amount if vat_amount is None else vat_amount)
