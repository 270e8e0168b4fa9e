"""`POST /payments/cancel`: giving money back, in part or all of it."""

from __future__ import annotations

from worker.sandbox import announcing, payment_rows, payments, texts
from worker.sandbox.answers import Answer, Refused, answered, as_json, bad_request, refusal
from worker.sandbox.calls import Call
from worker.sandbox.charge_requests import whole_number
from worker.sandbox.payments import Payment
from worker.sandbox.providers import TAX_FREE_ON_CANCEL
from worker.sandbox.sandbox import Sandbox

USUAL_REASON = "취소요청 api를 통한 취소"  # [assumed]


def cancel(sandbox: Sandbox, call: Call) -> Answer:
    """Cancel a payment, wholly (amount 0 or left out) or in part; refusals are HTTP 200 with code 1 [seen]."""
    payment = _payment(sandbox, call)
    amount = _amount(sandbox, payment, call)
    # Unless asked for, a cancel by API sends no webhook [documented].
    told = str(call.fields.get("enable_webhook", "")).lower() == "true"
    changed = _cancelled(sandbox, payment, amount, call.text("reason") or USUAL_REASON, told=told)
    return answered(as_json(changed), result="cancelled")


def cancel_in_console(sandbox: Sandbox, imp_uid: str, *, amount: int | None = None, reason: str) -> Payment:
    """Cancel as a person does in PortOne's console: a webhook tells of it [documented]; raises ValueError."""
    payment = payment_rows.find(sandbox.ledger, imp_uid)
    left = 0 if payment is None else _left(sandbox, payment)
    if payment is None or not left:
        raise ValueError("Only a payment whose money moved can be cancelled; there is none with that imp_uid.")
    if amount is not None and not 0 < amount <= left:
        raise ValueError(f"There are {left} KRW left to cancel.")
    return _cancelled(sandbox, payment, amount or left, reason, told=True)


def _cancelled(sandbox: Sandbox, payment: Payment, amount: int, reason: str, *, told: bool) -> Payment:
    now, cancellation_id = sandbox.now(), sandbox.unique_hex("cancellation")[:32]  # its form is not known
    changed = payments.cancelled(payment, amount=amount, reason=reason, at=now, cancellation_id=cancellation_id)
    payment_rows.change(sandbox.ledger, changed, at=now, refunded=amount)
    if told:
        notice_urls = payment_rows.notice_urls(sandbox.ledger, payment["imp_uid"])
        announcing.announce(sandbox, payment, notice_urls, cancellation_id=cancellation_id)
    return changed


def _left(sandbox: Sandbox, payment: Payment) -> int:
    """What can be given back, in KRW: never more than what was taken, whatever is recorded."""
    return min(payments.cancellable(payment), payment_rows.kept(sandbox.ledger, payment["imp_uid"]))


def _payment(sandbox: Sandbox, call: Call) -> Payment:
    """The payment meant: imp_uid wins, and a wrong one fails even beside a right merchant_uid [documented]."""
    imp_uid, merchant_uid = call.text("imp_uid"), call.text("merchant_uid")
    if imp_uid is None and merchant_uid is None:
        raise Refused(bad_request(texts.CANCEL_IDS_MISSING))
    if imp_uid is not None:
        found = payment_rows.find(sandbox.ledger, imp_uid)
        candidates = [] if found is None else [found]
    else:
        candidates = payment_rows.of_merchant_uid(sandbox.ledger, merchant_uid or "")
    for status in ("paid", "cancelled"):
        for payment in candidates:
            if payment["status"] == status:
                return payment
    raise Refused(refusal(texts.NOTHING_TO_CANCEL))


def _amount(sandbox: Sandbox, payment: Payment, call: Call) -> int:
    """How much to give back, after the checks that protect a repeated partial cancel [documented]."""
    left = _left(sandbox, payment)
    if not left:
        raise Refused(refusal(texts.ALREADY_CANCELLED))
    tax_free, checksum = whole_number(call, "tax_free"), whole_number(call, "checksum")
    if tax_free is None and payment["pg_provider"] in TAX_FREE_ON_CANCEL:
        raise Refused(refusal(texts.TAX_FREE_REQUIRED))
    if checksum is not None and checksum != left:
        raise Refused(refusal(texts.CHECKSUM_DIFFERS))
    amount = whole_number(call, "amount") or left
    if amount > left:
        raise Refused(refusal(texts.CANCEL_TOO_MUCH))
    if (tax_free or 0) > amount:
        raise Refused(refusal(texts.TAX_FREE_TOO_MUCH))
    return amount
