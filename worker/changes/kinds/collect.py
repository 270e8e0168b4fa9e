"""Collecting a charge now: one that waits for its time, or that was given up. The next pump run charges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.charge_acts import ChargeAct, if_declined, moved_meanwhile, named_en, named_ko, unsettled
from worker.changes.kind import Circumstances, Subject
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters
from worker.domain.blockers import Blocker
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import ChargeStatus, SubscriptionStatus
from worker.ledger import collecting, history
from worker.ledger.acted_charges import ActedCharge
from worker.operations.charge_state import charge_state
from worker.operations.explain_charge import explain_charge
from worker.subscriptions.locking import OVER

_PASSES: Mapping[Blocker, Sentence] = {
    Blocker.STOP: Sentence(
        "Charging is stopped: it is charged once `again start` lifts that.",
        "지금은 결제가 중지되어 있어, 다시 시작된 뒤에 결제됩니다.",
    ),
    Blocker.CHANNEL_CLOSED: Sentence(
        "The payment gateway is not called at this hour: it is charged when its hours begin.",
        "지금은 결제사 이용 시간이 아니어서, 이용 시간이 되면 결제됩니다.",
    ),
    Blocker.CHARGING_HOLD: Sentence(
        "Charging is held until PortOne's payments are compared with our records: it is charged after that.",
        "지금은 결제 내역을 확인하고 있어, 확인이 끝난 뒤에 결제됩니다.",
    ),
    Blocker.ANOTHER_CHARGE: Sentence(
        "Another charge of the subscription is made first.",
        "같은 구독의 다른 요금이 먼저 결제됩니다.",
    ),
}
"""What is not about this charge and passes by itself, or when an operator lets it."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Collecting has no parameters of its own."""


class Collect(ChargeAct):
    """A decline uses up the next day of the dunning calendar; where that is spent, the charge is given up again."""

    kind = ChangeKind.COLLECT

    def read(self, parameters: Mapping[str, Any]) -> Collection:
        refuse_parameters(parameters, ())
        return Collection()

    def apply(self, session: Session, subject: Subject, parameters: Collection, given: Circumstances) -> Effect:  # noqa: ARG002
        charge = unsettled(session, subject, given)
        _require_billed(charge, subject)
        _require_no_obstacle(session, charge, subject, given)
        if charge.next_attempt_at is not None and charge.next_attempt_at <= given.now:
            due_on = day_en(charge.next_attempt_at, subject.zone)
            raise Refused(
                f"Charge {charge.id} is due on {due_on} as it is: from then on, the next pump run charges it."
            )
        reason = f"collected: {given.reason}"
        if collecting.collect_now(session, charge.id, expecting=charge.status, reason=reason, now=given.now) is None:
            raise moved_meanwhile(charge)
        return Effect(
            sentence=joined([_collects(charge, subject, given), if_declined(charge, subject, given.at)]),
            charged=charge.amount,
            cautions=() if charge.obstacle is None else (_PASSES[charge.obstacle],),
        )


def _collects(charge: ActedCharge, subject: Subject, given: Circumstances) -> Sentence:
    return Sentence(
        f"{named_en(charge, subject)} is charged on {day_en(given.at, subject.zone)}.",
        f"{named_ko(charge, subject)}이 {day_ko(given.at, subject.zone)}에 등록하신 결제 수단으로 결제됩니다.",
    )


def _require_billed(charge: ActedCharge, subject: Subject) -> None:
    status = subject.subscription.status
    if status in OVER:
        raise Refused(
            f"Subscription {subject.code} is {status}, so nothing of it is charged any more; the customer can pay "
            f"it by a link: `again checkout link --charge {charge.id}`."
        )
    if status is SubscriptionStatus.PAUSED:
        raise Refused(
            f"Subscription {subject.code} is paused, so nothing of it is charged: resume it first, "
            f"`again subscription resume {subject.code}`."
        )


def _require_no_obstacle(session: Session, charge: ActedCharge, subject: Subject, given: Circumstances) -> None:
    """Raise Refused for what keeps this very charge from being claimed, and say what to do about it."""
    if charge.lacks_consent:
        raise Refused(
            f"The customer has agreed to the billing key of subscription {subject.code} for other periods than that of "
            f"charge {charge.id}, which had been given up; they can pay it by a link: `again checkout link --charge "
            f"{charge.id}`."
        )
    if charge.obstacle is None or charge.obstacle in _PASSES:
        return
    row = history.charge(session, charge.id, now=given.now)
    assert row is not None, "it is locked"
    state = charge_state(row, history.attempts(session, charge.id))
    waiting = replace(state, status=ChargeStatus.PAST_DUE, blocker=charge.obstacle)
    why = explain_charge(waiting, now=given.now, shown=lambda at: day_en(at, subject.zone))
    raise Refused(f"Charge {charge.id} cannot be collected. {why}")
