"""The answer to a charge or a cancel, spoilt or not. Pure."""

from __future__ import annotations

from dataclasses import replace

from worker.sandbox.rules import answers, texts
from worker.sandbox.rules.answers import Answer, Delivery, answered, as_json, refusal
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, Verdict
from worker.sandbox.rules.payments import Payment

DELIVERIES = {
    Reply.HANG: Delivery.HANG,
    Reply.DROP: Delivery.DROP,
    Reply.RESET: Delivery.RESET,
    Reply.CUT: Delivery.CUT,
}
INSTEAD = {Reply.ERROR: answers.server_error, Reply.UNAVAILABLE: answers.unavailable}
OTHER_IDS = {"imp_uid": "imps_999999999999", "merchant_uid": "somebodyelses"}


def reply(behaviour: Behaviour, payment: Payment) -> Answer:
    """Return the answer to a charge or a cancel that went as its behaviour says."""
    return delivered(behaviour.reply, _honest(behaviour, _spoilt(behaviour.reply, payment)))


def delivered(how: Reply, honest: Answer) -> Answer:
    """Return what arrives of an answer."""
    if how in INSTEAD:
        return INSTEAD[how]()
    match how:
        case Reply.TRUNCATED:
            return replace(honest, body=honest.body[: len(honest.body) // 2])
        case Reply.EMPTY:
            return replace(honest, body=b"")
        case _:
            return replace(honest, delivery=DELIVERIES.get(how, Delivery.WHOLE))


def _honest(behaviour: Behaviour, payment: Payment) -> Answer:
    if behaviour.verdict is Verdict.DECLINED and behaviour.shape is Shape.MESSAGE:
        return refusal(texts.DECLINED.format(reason=behaviour.reason), code=-1)
    return answered(as_json(payment))


def _spoilt(how: Reply, payment: Payment) -> Payment:
    if how is Reply.OTHER_PAYMENT:
        return {**payment, **OTHER_IDS}
    if how is Reply.WRONG_AMOUNT:
        return {**payment, "amount": payment["amount"] + 1000}
    return payment
