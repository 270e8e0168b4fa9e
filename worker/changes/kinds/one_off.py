"""One-off items: a set-up fee or an add-on that is charged once, with the next charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.kinds.removal import read_removal, remove
from worker.changes.parameters import name_of, only_one, optional_whole, whole
from worker.changes.wording import refuse_parameters, won
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.ledger import adjustments
from worker.ledger.terms import own_terms

_HIGHEST = 1_000_000_000  # KRW, as of a plan

_AGREED = Sentence(
    "The next charge is more than the price that the customer has agreed to: tell them before it is made.",
    "다음 결제 금액이 평소보다 많습니다.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOffTerms:
    """What is charged once, in won and with its tax-free part; or the item that is to be removed."""

    amount: int = 0
    tax_free: int = 0
    name: str = ""
    remove: int | None = None


class OneOff(OrdinaryKind):
    """With the next charge that is opened. Items add up."""

    kind = ChangeKind.ONE_OFF
    supersedes = False
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> OneOffTerms:
        refuse_parameters(parameters, ("amount", "tax_free", "name", "remove"))
        if only_one(parameters, ("amount", "remove")) == "remove":
            refuse_parameters(parameters, ("remove",))
            return OneOffTerms(remove=read_removal(parameters))
        amount = whole(parameters, "amount", 1, _HIGHEST)
        tax_free = optional_whole(parameters, "tax_free", 0, amount) or 0
        return OneOffTerms(amount=amount, tax_free=tax_free, name=name_of(parameters))

    def apply(self, session: Session, subject: Subject, parameters: OneOffTerms, given: Circumstances) -> Effect:
        if parameters.remove is not None:
            return remove(session, subject, AdjustmentKind.ONE_OFF, parameters.remove, given)
        _require_allowed(session, subject, parameters.amount, given.policy.max_amount)
        row = {
            "subscription_id": subject.id,
            "kind": AdjustmentKind.ONE_OFF,
            "description": parameters.name,
            "amount": parameters.amount,
            "tax_free": parameters.tax_free,
            "change_id": given.change_id,
        }
        adjustments.add(session, [row], now=given.now)
        return Effect(
            sentence=Sentence(
                f"The next charge has {won(parameters.amount)} more ({parameters.name}), once.",
                f"다음 결제에 '{parameters.name}' {parameters.amount:,}원이 한 번 더해집니다.",
            ),
            cautions=(_AGREED,),
        )


def _require_allowed(session: Session, subject: Subject, amount: int, max_amount: int) -> None:
    """Raise Refused for an item with which the next charge could be more than any charge may be."""
    terms = own_terms(session, subject.id)
    if (most := terms.plan.amount + terms.charged_once + amount) > max_amount:
        raise Refused(
            f"With it the next charge of subscription {subject.code} would come to {won(most)}, but the setting "
            f"AGAIN_MAX_AMOUNT allows no charge above {won(max_amount)}. Give less, or raise it.",
            code=RefusalCode.TOO_HIGH,
        )
