"""Writing a charge off: it is given up, and tried no more."""

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
from worker.domain.states import ChargeStatus
from worker.ledger.subscription_status import settle_subscriptions
from worker.ledger.writing_off import write_off


@dataclass(frozen=True, slots=True)
class WritingOff:
    """Writing off has no parameters of its own."""


class WriteOff(ChargeAct):
    """It is not forgiven: the customer may still pay it by a link, and an operator may collect it again."""

    kind = ChangeKind.WRITE_OFF

    def read(self, parameters: Mapping[str, Any]) -> WritingOff:
        refuse_parameters(parameters, ())
        return WritingOff()

    def apply(self, session: Session, subject: Subject, parameters: WritingOff, given: Circumstances) -> Effect:  # noqa: ARG002
        charge = unsettled(session, subject, given)
        if charge.status is ChargeStatus.UNCOLLECTIBLE:
            raise Refused(f"Charge {charge.id} was given up already; `again charge void {charge.id}` forgives it.")
        reason = f"written off: {given.reason}"
        if not write_off(session, [charge.id], expecting=[charge.status], reason=reason, now=given.now):
            raise moved_meanwhile(charge)
        settle_subscriptions(session, [subject.id], reason="what it owed was written off", now=given.now)
        supersede_others(session, subject, given, reason="its charge was written off")
        sentence = Sentence(
            f"{named_en(charge, subject)} is given up and tried no more; the customer can still pay it by a link.",
            f"{named_ko(charge, subject)}은 더 이상 자동으로 결제되지 않습니다.",
        )
        return Effect(sentence=sentence)
