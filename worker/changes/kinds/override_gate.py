"""Making a charge that the consent gate holds, though what it lacks is not there: an operator's decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.charge_acts import ChargeAct, if_declined, moved_meanwhile, named_en, named_ko, unsettled
from worker.changes.kind import Circumstances, Subject
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters
from worker.domain.changes import ChangeKind
from worker.domain.consent_gate.rules import BY_CODE
from worker.domain.errors import Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import ChargeStatus
from worker.ledger import consent_gate
from worker.ledger.acted_charges import ActedCharge


@dataclass(frozen=True, slots=True)
class Override:
    """An override has no parameters of its own: what counts is its reason."""


class OverrideGate(ChargeAct):
    """What the charge lacks stays noted with it, and the change says who decided, when and why."""

    kind = ChangeKind.OVERRIDE_GATE

    def read(self, parameters: Mapping[str, Any]) -> Override:
        refuse_parameters(parameters, ())
        return Override()

    def apply(self, session: Session, subject: Subject, parameters: Override, given: Circumstances) -> Effect:  # noqa: ARG002
        charge = unsettled(session, subject, given)
        lacks = consent_gate.lacks(session, charge.id)
        if not lacks:
            raise Refused(
                f"The consent gate does not hold charge {charge.id}; `again charge show {charge.id}` says what it "
                "waits for."
            )
        if charge.status is ChargeStatus.UNCOLLECTIBLE:
            raise Refused(
                f"Charge {charge.id} was given up, so there is nothing to make; the customer can pay it by a link: "
                f"`again checkout link --charge {charge.id}`."
            )
        if not consent_gate.override(session, charge.id, now=given.now):
            raise moved_meanwhile(charge)
        wanted = [BY_CODE[code].lacks for code in lacks]
        without = Sentence(
            f"It is made without {' and without '.join(each.en for each in wanted)}.",
            f"다음 없이 결제됩니다: {', '.join(each.ko for each in wanted)}.",
        )
        return Effect(
            sentence=joined([_makes(charge, subject, given), without, if_declined(charge, subject, given.at)]),
            charged=charge.amount,
        )


def _makes(charge: ActedCharge, subject: Subject, given: Circumstances) -> Sentence:
    due = given.at if charge.next_attempt_at is None else max(given.at, charge.next_attempt_at)
    return Sentence(
        f"{named_en(charge, subject)} is charged on {day_en(due, subject.zone)}.",
        f"{named_ko(charge, subject)}이 {day_ko(due, subject.zone)}에 등록하신 결제 수단으로 결제됩니다.",
    )
