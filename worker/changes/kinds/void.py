"""Voiding a charge: it is forgiven, and is not owed any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.charge_acts import ChargeAct, moved_meanwhile, named_en, named_ko, supersede_others, unsettled
from worker.changes.kind import Circumstances, Subject
from worker.changes.wording import refuse_parameters
from worker.domain.changes import ChangeKind
from worker.domain.previews import Effect, Sentence
from worker.ledger.subscription_status import settle_subscriptions
from worker.ledger.voiding import void


@dataclass(frozen=True, slots=True)
class Voiding:
    """Voiding has no parameters of its own."""


class Void(ChargeAct):
    """For good. Should PortOne show a payment of it after all, that is a discrepancy: paid, and not owed."""

    kind = ChangeKind.VOID

    def read(self, parameters: Mapping[str, Any]) -> Voiding:
        refuse_parameters(parameters, ())
        return Voiding()

    def apply(self, session: Session, subject: Subject, parameters: Voiding, given: Circumstances) -> Effect:  # noqa: ARG002
        charge = unsettled(session, subject, given)
        reason = f"forgiven: {given.reason}"
        if not void(session, [charge.id], expecting=[charge.status], reason=reason, now=given.now):
            raise moved_meanwhile(charge)
        settle_subscriptions(session, [subject.id], reason="what it owed is void", now=given.now)
        supersede_others(session, subject, given, reason="its charge is void")
        sentence = Sentence(
            f"{named_en(charge, subject)} becomes void: it is not owed any more, for good.",
            f"{named_ko(charge, subject)}은 청구되지 않습니다.",
        )
        return Effect(sentence=sentence, no_longer_owed=charge.amount)
