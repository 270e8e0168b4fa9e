"""What a decision would do now: the sentence that an operator reads, and the fingerprint that they agree to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import assert_never

from worker.domain.gateway import PaymentRecord, Refund
from worker.domain.outcomes import Declined, NotCharged, Outcome, Paid, Unknown
from worker.domain.states import ChargeStatus
from worker.review.case import Decision


class Caution(StrEnum):
    """What an operator has to know about a refund before agreeing to it."""

    COUNTED = "counted"  # our records count the payment for the period
    NOTHING_LEFT = "nothing_left"  # the period is left without a payment
    FINAL = "final"  # with this PG a refund cannot be undone
    TOO_OLD = "too_old"  # the PG is expected to refuse it


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeEffect:
    """What becomes of the charge; `becomes` is None while it keeps its status."""

    charge_id: int
    becomes: ChargeStatus | None
    status: ChargeStatus | None = None  # that it keeps
    owed: int | None = None
    currency: str | None = None
    merchant_uid: str | None = None  # under which it is charged again


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a decision would do now. Two steps are the same when their fingerprints are, however they are worded."""

    decision: Decision
    sentence: str
    moves_money: bool = False
    charge: ChargeEffect | None = None
    outcome: Outcome | None = None  # what becomes of the open attempt
    payment: PaymentRecord | None = None  # the one that is accepted or refunded
    refund: Refund | None = None
    cautions: frozenset[Caution] = frozenset()

    def fingerprint(self) -> str:
        """Return a digest of everything that the step does and rests on, of its wording nothing.

        A refund's reason is the operator's own note, and PortOne's raw answers hold what changes by itself.
        """
        effect = {
            "decision": self.decision,
            "moves_money": self.moves_money,
            "charge": None if self.charge is None else asdict(self.charge),
            "outcome": None if self.outcome is None else _outcome(self.outcome),
            "payment": None if self.payment is None else _payment(self.payment),
            "refund": None if self.refund is None else asdict(self.refund) | {"reason": None},
            "cautions": sorted(self.cautions),
        }
        return hashlib.sha256(json.dumps(effect, sort_keys=True).encode()).hexdigest()


def _outcome(outcome: Outcome) -> Mapping[str, str | None]:
    match outcome:
        case Paid():
            detail = outcome.paid_at.isoformat()
        case Declined():
            detail = outcome.kind
        case NotCharged() | Unknown():
            detail = outcome.reason
        case _:
            assert_never(outcome)
    return {"outcome": type(outcome).__name__, "detail": detail, "imp_uid": outcome.answer.imp_uid}


def _payment(record: PaymentRecord) -> Mapping[str, str | int | None]:
    return {
        "imp_uid": record.imp_uid,
        "merchant_uid": record.merchant_uid,
        "status": record.status,
        "amount": record.amount,
        "refunded": record.cancel_amount,
        "currency": record.currency,
        "paid_at": record.paid_at.isoformat() if record.paid_at else None,
    }
