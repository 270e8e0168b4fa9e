"""Cancelling: nothing more falls due, for good, and what is owed then is void.

What was paid may be used up, or is refunded with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, NotYet, OrdinaryKind, Subject
from worker.changes.refund_with_cancellation import RefundOnCancel, read_refund, refund_too
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters, won
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.domain.states import SubscriptionStatus
from worker.ledger import adjustments, changes, charges
from worker.ledger.voiding import void
from worker.subscriptions import queries
from worker.subscriptions.locking import OVER, move


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a cancellation refunds of the current period's payment, if it refunds any."""

    refund: RefundOnCancel | None = None


_PATIENCE = timedelta(days=3)
"""How long a cancellation waits for charges that were opened too late, in an outage of ours, to be tried once."""


class Cancel(OrdinaryKind):
    """At the period's end unless another time is given; a charge in flight ends by itself, paid or void."""

    kind = ChangeKind.CANCEL

    def read(self, parameters: Mapping[str, Any]) -> Cancellation:
        refuse_parameters(parameters, ("refund",))
        return Cancellation(read_refund(parameters.get("refund")))

    def apply(self, session: Session, subject: Subject, parameters: Cancellation, given: Circumstances) -> Effect:
        row = subject.subscription
        if row.status in OVER:
            raise Refused(
                f"Subscription {row.code} is {row.status}, which is for good; it cannot be canceled again.",
                code=RefusalCode.OVER,
            )
        if given.now > given.at and charges.opened_late(
            session, row.id, since=given.at, now=given.now, within=_PATIENCE
        ):
            raise NotYet  # what fell due before, while nothing ran, is late and not lost
        back = None if parameters.refund is None else refund_too(session, subject, parameters.refund, given)
        owed = charges.waiting_sum(session, row.id)
        waiting = charges.waiting_charges(session, row.id)
        move(session, row, SubscriptionStatus.CANCELED, given.reason, None, given.now)
        voided = void(session, waiting, reason=f"subscription canceled: {given.reason}", now=given.now)
        _supersede_later(session, subject, given)
        cautions = tuple(_cautions(session, row.id))
        if back is None:
            sentence = joined((_canceled(subject, given, len(voided), owed), *_used_up(session, subject, given)))
            return Effect(sentence=sentence, no_longer_owed=owed, cautions=cautions)
        return replace(
            back,
            sentence=joined((_canceled(subject, given, len(voided), owed), back.sentence)),
            no_longer_owed=owed,
            cautions=(*cautions, *back.cautions),
        )


_IN_FLIGHT = Sentence(
    "A charge is being made at this moment; it ends by itself, paid or void.",
    "지금 진행 중인 결제가 있습니다. 결제가 완료되지 않으면 청구되지 않습니다.",
)


def _cautions(session: Session, subscription_id: int) -> Iterator[Sentence]:
    """Return what is in flight, and credit that no charge will use up: what void charges have left is part of it."""
    if charges.charges_in_flight(session, subscription_id):
        yield _IN_FLIGHT
    open_ = adjustments.open_of(session, [subscription_id]).get(subscription_id, ())
    left = sum(each.left or 0 for each in open_ if each.kind is AdjustmentKind.CREDIT)
    if left:
        yield Sentence(
            f"{won(left)} of credit are left, which no further charge uses up: what the customer has paid of it can be "
            "refunded, `again charge refund`.",
            f"사용하지 않은 적립금 {left:,}원이 남아 있습니다.",
        )


def _canceled(subject: Subject, given: Circumstances, voided: int, owed: int) -> Sentence:
    zone = subject.zone
    en = [f"Subscription {subject.code} is canceled on {day_en(given.at, zone)}, and is not charged any more."]
    ko = [f"{day_ko(given.at, zone)}에 구독이 해지되며, 그 뒤로는 청구되지 않습니다."]
    if voided:
        en.append(f"What is unpaid then, {won(owed)}, is not owed any more.")
        ko.append(f"그때까지 결제되지 않은 {owed:,}원은 청구되지 않습니다.")
    return Sentence(" ".join(en), " ".join(ko))


def _used_up(session: Session, subject: Subject, given: Circumstances) -> Iterator[Sentence]:
    """Return until when what was paid may be used."""
    shown = queries.shown(session, subject.code)
    paid_until = None if shown is None else shown["paid_until"]
    if paid_until is not None and paid_until > given.at:
        yield Sentence(
            f"It is paid until {day_en(paid_until, subject.zone)}.",
            f"이미 결제하신 {day_ko(paid_until, subject.zone)}까지는 이용하실 수 있습니다.",
        )


def _supersede_later(session: Session, subject: Subject, given: Circumstances) -> None:
    later = [
        each.id
        for each in changes.scheduled(session, subject.id)
        if each.id != given.change_id and each.charge_id is None
    ]
    reason = "its subscription was canceled"
    changes.end(session, later, ChangeStatus.SUPERSEDED, reason=reason, now=given.now)
