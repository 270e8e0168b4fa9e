"""What all acts on one charge have in common: what they refuse, what they call it, and what follows."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.wording import day_en, day_ko, won
from worker.domain.attempt import RetryTerms
from worker.domain.changes import ChangeStatus, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Sentence
from worker.domain.retry_policy import dunning_after
from worker.domain.states import ChargeStatus, SubscriptionStatus, Via
from worker.ledger import acted_charges, changes
from worker.ledger.acted_charges import ActedCharge


class ChargeAct(OrdinaryKind):
    """An act on one charge: at once unless a date is given."""

    default = Moment.NOW


def unsettled(session: Session, subject: Subject, given: Circumstances) -> ActedCharge:
    """Return the charge of an act that is neither in flight nor settled. Raises Refused for any other.

    What is in flight is decided by its outcome, and what a payment window may pay by the customer: neither can be
    called back.
    """
    assert subject.charge_id is not None, "an act on a charge names it"
    charge = acted_charges.acted_charge(session, subject.charge_id, now=given.now)
    if subject.subscription.status is SubscriptionStatus.PENDING:
        raise Refused(
            f"Charge {charge.id} is the first of subscription {subject.code}, which starts with its first billing key: "
            f"send a link, `again checkout link {subject.code}`, or cancel the subscription."
        )
    match charge.status:
        case ChargeStatus.PAID:
            raise Refused(
                f"Charge {charge.id} is paid already; `again charge show {charge.id}` says how.", code=RefusalCode.PAID
            )
        case ChargeStatus.VOID:
            raise Refused(f"Charge {charge.id} is void: it is not owed, for good.", code=RefusalCode.OVER)
        case ChargeStatus.CHARGING | ChargeStatus.DUE | ChargeStatus.PAST_DUE | ChargeStatus.UNCOLLECTIBLE:
            _require_not_in_flight(charge, subject, given.now)
            return charge
        case _:
            assert_never(charge.status)


def _require_not_in_flight(charge: ActedCharge, subject: Subject, now: datetime) -> None:
    if charge.open_via is None and charge.status is not ChargeStatus.CHARGING:
        return
    if charge.open_via is Via.WINDOW and charge.open_until is not None and now < charge.open_until:
        until = charge.open_until.astimezone(subject.zone)
        raise Refused(
            f"The customer may be paying charge {charge.id} in a payment window, until {until:%Y-%m-%d %H:%M}: that "
            "decides. Try again after it.",
            code=RefusalCode.BUSY,
        )
    raise Refused(
        f"Charge {charge.id} is in flight, and its outcome decides: `again charge show {charge.id}` says when it is "
        "known. Try again then.",
        code=RefusalCode.BUSY,
    )


def named_en(charge: ActedCharge, subject: Subject) -> str:
    """Return what English sentences call a charge."""
    return f"Charge {charge.id}, {won(charge.amount)} for the period from {day_en(charge.period_start, subject.zone)},"


def named_ko(charge: ActedCharge, subject: Subject) -> str:
    """Return what Korean sentences call a charge."""
    return f"{day_ko(charge.period_start, subject.zone)}에 시작한 이용 기간의 요금 {charge.amount:,}원"


def if_declined(charge: ActedCharge, subject: Subject, at: datetime) -> Sentence:
    """Return what dunning does when the customer's payment instrument declines a charge that is tried at an instant."""
    retry = RetryTerms(
        dunning=subject.plan.dunning,
        time_zone=subject.zone,
        charge_hour=subject.plan.charge_hour,
        declines=charge.declines,
        first_declined_at=charge.first_declined_at,
        period_end=charge.period_end,
        next_charge_at=subject.subscription.next_charge_at,
    )
    kinds = (None, *(kind for kind, _ in subject.plan.dunning.own))
    instants = {dunning_after(retry, kind, at).at for kind in kinds}
    if len(instants) > 1 or subject.plan.dunning.tries_a_month is not None:
        return Sentence(
            "If it is declined, that uses up a day of its dunning calendar; when it is tried again depends on what it "
            "is declined for, and on how often its key was tried.",
            "결제가 거절되면 거절 사유에 따라 정해진 날에 다시 시도합니다.",
        )
    (again_at,) = instants
    if again_at is None:
        return Sentence(
            "If it is declined, it is given up: its dunning calendar is spent.",
            "결제가 거절되면 더 이상 자동으로 다시 시도하지 않습니다.",
        )
    return Sentence(
        f"If it is declined, that uses up a day of its dunning calendar, and it is tried again on "
        f"{day_en(again_at, subject.zone)}.",
        f"결제가 거절되면 {day_ko(again_at, subject.zone)}에 다시 시도합니다.",
    )


def supersede_others(session: Session, subject: Subject, given: Circumstances, *, reason: str) -> None:
    """End what else is scheduled for a charge that is settled now."""
    others = [
        each.id
        for each in changes.scheduled(session, subject.id)
        if each.charge_id == subject.charge_id and each.id != given.change_id
    ]
    changes.end(session, others, ChangeStatus.SUPERSEDED, reason=reason, now=given.now)


def moved_meanwhile(charge: ActedCharge) -> Refused:
    """Return the refusal of an act whose charge is not as it was read, which its lock rules out."""
    return Refused(
        f"Charge {charge.id} was changed by another process; look at it with `again charge show`.",
        code=RefusalCode.BUSY,
    )
