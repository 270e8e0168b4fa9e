"""Reading the answer to `again` as an Outcome; `Paid` only when every check has passed."""

from __future__ import annotations

from dataclasses import replace

from worker.domain.declines import Decision, DeclineRules, Duplicate, NeedsLookUp, classify
from worker.domain.gateway import ChargeRequest, PaymentRecord
from worker.domain.outcomes import Answer, Declined, DeclineKind, Outcome, Paid, Unknown, UnknownReason
from worker.portone.payloads import Envelope, Unreadable, read_payment
from worker.portone.redaction import redacted

ANSWERING_STATUSES = frozenset({200, 400, 404})
"""HTTP 200 (documented), 400 (seen in client code) and 404 (documented for an unknown key). No other is trusted, not
even with a readable body: a 408, 409 or 429 proves nothing about the payment."""


def read_charge(request: ChargeRequest, envelope: Envelope, rules: DeclineRules) -> Outcome:
    """Return the outcome in an answer to `again`.

    A decline comes in two shapes: code 0 with a failed payment (documented), and another code with the PG's text
    in `message` (seen in client code), whose response is then null.
    """
    status, code = envelope.http_status, envelope.code
    if status == 200 and code == 0:
        return _read_payment(request, envelope, rules)
    answer = _words(request, envelope)
    if status not in ANSWERING_STATUSES or code == 0:
        return Unknown(UnknownReason.SERVER_ERROR, answer)
    if envelope.response:
        return Unknown(UnknownReason.STATUS_NOT_KNOWN, answer)  # an error code together with a payment: contradictory
    return _rejected(answer, classify(rules, request.pg, None, answer.message))


def _read_payment(request: ChargeRequest, envelope: Envelope, rules: DeclineRules) -> Outcome:
    try:
        record = read_payment(envelope.response)
    except Unreadable as error:
        return Unknown(UnknownReason.UNREADABLE, replace(_words(request, envelope), message=str(error)))
    return _read_record(request, record, _answer(envelope, record), rules)


def _read_record(request: ChargeRequest, record: PaymentRecord, answer: Answer, rules: DeclineRules) -> Outcome:
    ours = (request.merchant_uid, request.amount, request.currency)
    other_key = record.customer_uid not in (None, request.customer_uid)
    if (record.merchant_uid, record.amount, record.currency) != ours or other_key or record.odd:
        return Unknown(UnknownReason.OTHER_PAYMENT, answer, needs_human=True)
    match record.status:
        case "paid" if record.paid_at is not None:
            return Paid(record.paid_at, answer)
        case "failed":
            return _failed(answer, classify(rules, request.pg, None, record.fail_reason))
        case "ready":
            return Unknown(UnknownReason.IN_PROGRESS, answer)
        case "cancelled":
            return Unknown(UnknownReason.CANCELED, answer, needs_human=True)
        case _:
            return Unknown(UnknownReason.STATUS_NOT_KNOWN, answer)


def _failed(answer: Answer, decision: Decision) -> Outcome:
    """Return the outcome of a failed record: PortOne has recorded it, so even an unknown text is a decline."""
    verdict = decision.verdict
    if verdict is Duplicate:
        return Unknown(UnknownReason.DUPLICATE, answer)
    if verdict is NeedsLookUp:
        return Unknown(UnknownReason.GATEWAY_UNSURE, answer)
    return Declined(verdict, answer, decision.about, decision.supposed is not None)


def _rejected(answer: Answer, decision: Decision) -> Outcome:
    """Return the outcome of an error code without a record.

    An unknown text may then also mean "already paid", whatever a merchant's rule takes it for, and "try later" that
    the payment is in progress.
    """
    if decision.ours is DeclineKind.UNMATCHED:
        return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, answer, supposed=decision.supposed)
    if DeclineKind.TRANSIENT in {decision.ours, decision.verdict}:
        return Unknown(UnknownReason.GATEWAY_UNSURE, answer)
    return _failed(answer, decision)


def _words(request: ChargeRequest, envelope: Envelope) -> Answer:
    """Return an answer without a payment: what PortOne said."""
    return Answer(
        http_status=envelope.http_status,
        code=str(envelope.code),
        message=None if envelope.message is None else redacted(envelope.message, request.customer_uid),
    )


def _answer(envelope: Envelope, record: PaymentRecord) -> Answer:
    return Answer(
        http_status=envelope.http_status,
        code=str(envelope.code),
        message=record.fail_reason,
        imp_uid=record.imp_uid,
        pg_tid=record.pg_tid,
        raw=record.raw,
    )
