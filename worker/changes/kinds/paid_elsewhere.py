"""Taking a charge as paid elsewhere: by bank transfer, in cash, by anything that PortOne does not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.charge_acts import ChargeAct, moved_meanwhile, named_en, named_ko, supersede_others, unsettled
from worker.changes.kind import Circumstances, Subject
from worker.changes.wording import refuse_parameters
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.domain.previews import Effect, Sentence
from worker.ledger.paid_elsewhere import LONGEST_REFERENCE, pay_elsewhere
from worker.ledger.subscription_status import settle_subscriptions


@dataclass(frozen=True, slots=True)
class PaymentElsewhere:
    """By what the accounts find the money: a bank's reference, the number of a receipt."""

    reference: str


class PaidElsewhere(ChargeAct):
    """Should PortOne show a payment of it too, the period was paid twice, and that is a discrepancy."""

    kind = ChangeKind.PAID_ELSEWHERE

    def read(self, parameters: Mapping[str, Any]) -> PaymentElsewhere:
        refuse_parameters(parameters, ("reference",))
        reference = parameters.get("reference")
        said = reference.strip() if isinstance(reference, str) else ""
        if not said or len(said) > LONGEST_REFERENCE or not said.isprintable():
            raise Refused(
                f"How it was paid needs a reference of 1 to {LONGEST_REFERENCE} characters, such as that of a bank or "
                "of a receipt."
            )
        return PaymentElsewhere(said)

    def apply(self, session: Session, subject: Subject, parameters: PaymentElsewhere, given: Circumstances) -> Effect:
        charge = unsettled(session, subject, given)
        reference, reason = parameters.reference, f"paid elsewhere ({parameters.reference}): {given.reason}"
        if not pay_elsewhere(
            session, charge.id, expecting=charge.status, reference=reference, reason=reason, now=given.now
        ):
            raise moved_meanwhile(charge)
        settle_subscriptions(session, [subject.id], reason="paid elsewhere", now=given.now)
        supersede_others(session, subject, given, reason="its charge was paid elsewhere")
        sentence = Sentence(
            f"{named_en(charge, subject)} counts as paid elsewhere ({reference}): it is not charged any more.",
            f"{named_ko(charge, subject)}은 다른 방법으로 결제하신 것으로 처리되며, 다시 청구되지 않습니다.",
        )
        return Effect(sentence=sentence, no_longer_owed=charge.amount)
