"""Credits: won that the next charges use up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.parameters import name_of, whole
from worker.changes.wording import refuse_parameters, won
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.ledger import adjustments

DEFAULT_NAME = "적립금"
"""What a credit is called if nothing else is said; customers read it."""

_HIGHEST = 1_000_000_000  # KRW, as of a plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTerms:
    """How much is to the customer's credit, in won, and what it is called."""

    amount: int
    name: str


class Credit(OrdinaryKind):
    """From the next charge on. Credits add up, and the first given is used first."""

    kind = ChangeKind.CREDIT
    supersedes = False
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> CreditTerms:
        refuse_parameters(parameters, ("amount", "name"))
        return CreditTerms(amount=whole(parameters, "amount", 1, _HIGHEST), name=name_of(parameters, DEFAULT_NAME))

    def apply(self, session: Session, subject: Subject, parameters: CreditTerms, given: Circumstances) -> Effect:
        if parameters.amount > given.policy.max_amount:
            raise Refused(
                f"A credit of {won(parameters.amount)} is more than any charge may be: the setting AGAIN_MAX_AMOUNT "
                f"allows {won(given.policy.max_amount)}. Give less, or raise it.",
                code=RefusalCode.TOO_HIGH,
            )
        row = {
            "subscription_id": subject.id,
            "kind": AdjustmentKind.CREDIT,
            "description": parameters.name,
            "amount": parameters.amount,
            "change_id": given.change_id,
        }
        adjustments.add(session, [row], now=given.now)
        said, spoken = won(parameters.amount), f"{parameters.amount:,}원"
        return Effect(
            sentence=Sentence(
                f"{said} are to the customer's credit ({parameters.name}); the next charges use it up.",
                f"{spoken}의 적립금이 지급되며, 다음 결제 금액에서 먼저 차감됩니다. ({parameters.name})",
            ),
            credited=parameters.amount,
        )
