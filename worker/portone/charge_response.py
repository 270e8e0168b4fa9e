"""Reading the answer to `again`: what it says about the money, "paid" believed last."""

from __future__ import annotations

from dataclasses import replace

from worker.domain.declines import Duplicate, NeedsLookUp, Verdict, classify
from worker.domain.gateway import ChargeRequest, PaymentRecord
from worker.domain.outcomes import Answer, Declined, DeclineKind, Outcome, Paid, Unknown, UnknownReason
from worker.portone.payloads import Envelope, Unreadable, read_payment
from worker.portone.redaction import redacted

ANSWERING_STATUSES = frozenset({200, 400, 404})
"""HTTP 200 (documented), 400 (seen in client code) and 404 (documented for an unknown key). No other is believed, not
even one with a readable body: a 408, 409 or 429 says nothing sure about the payment."""


def read_charge(request: ChargeRequest, envelope: Envelope) -> Outcome:
    """Read the answer to `again`.

    Both shapes of a decline are read: code 0 with a failed payment (documented), and another code with the PG's text
    in `message` (seen in client code), whose response is then null.
    """
    said = Answer(
        http_status=envelope.http_status,
        code=str(envelope.code),
        message=None if envelope.message is None else redacted(envelope.message, request.customer_uid),
    )
    if envelope.http_status not in ANSWERING_STATUSES or (envelope.code == 0 and envelope.http_status != 200):
        return Unknown(UnknownReason.SERVER_ERROR, said)
    if envelope.code != 0 and envelope.response:
        return Unknown(UnknownReason.STATUS_NOT_KNOWN, said)  # a refusal that comes with a payment is neither
    if envelope.code != 0:
        return _refused(said, classify(request.pg, None, said.message))
    try:
        record = read_payment(envelope.response)
    except Unreadable as error:
        return Unknown(UnknownReason.UNREADABLE, replace(said, message=str(error)))
    return _read_record(request, record, _answer(envelope, record))


def _read_record(request: ChargeRequest, record: PaymentRecord, answer: Answer) -> Outcome:
    ours = (request.merchant_uid, request.amount, request.currency)
    other_key = record.customer_uid not in {None, request.customer_uid}
    if (record.merchant_uid, record.amount, record.currency) != ours or other_key or record.odd:
        return Unknown(UnknownReason.OTHER_PAYMENT, answer, needs_human=True)
    match record.status:
        case "paid" if record.paid_at is not None:
            return Paid(record.paid_at, answer)
        case "failed":
            return _failed(answer, classify(request.pg, None, record.fail_reason))
        case "ready":
            return Unknown(UnknownReason.IN_PROGRESS, answer)
        case "cancelled":
            return Unknown(UnknownReason.CANCELED, answer, needs_human=True)
        case _:
            return Unknown(UnknownReason.STATUS_NOT_KNOWN, answer)


def _failed(answer: Answer, verdict: Verdict) -> Outcome:
    """A failed record is on PortOne's books: words nobody knows are a decline all the same."""
    if verdict is Duplicate:
        return Unknown(UnknownReason.DUPLICATE, answer)
    if verdict is NeedsLookUp:
        return Unknown(UnknownReason.GATEWAY_UNSURE, answer)
    return Declined(verdict, answer)


def _refused(answer: Answer, verdict: Verdict) -> Outcome:
    """Without a record, words that nobody knows may also mean "already paid", and "try later" that it is under way."""
    if verdict is DeclineKind.UNMATCHED:
        return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, answer)
    if verdict is DeclineKind.TRANSIENT:
        return Unknown(UnknownReason.GATEWAY_UNSURE, answer)
    return _failed(answer, verdict)


def _answer(envelope: Envelope, record: PaymentRecord) -> Answer:
    return Answer(
        http_status=envelope.http_status,
        code=str(envelope.code),
        message=record.fail_reason,
        imp_uid=record.imp_uid,
        pg_tid=record.pg_tid,
        raw=record.raw,
    )
