"""The next renewal on another day: days in between are given, or what was paid for days that are lost is credited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.billing_days import read_day, start_on_day
from worker.changes.consenting import write_consent
from worker.changes.current_period import (
    current_charge,
    cut,
    require_no_refund,
    require_paid,
    unused_value,
    whole_second,
)
from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.plan_target import move_terms
from worker.changes.renewals import require_nothing_planned
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters, won
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.domain.states import BILLED_SUBSCRIPTIONS, SubscriptionStatus
from worker.ledger import adjustments
from worker.ledger.period_ends import CurrentCharge
from worker.subscriptions.terms_queries import standing


@dataclass(frozen=True, slots=True)
class RenewalDay:
    """On which day, in the plan's time zone, the next period begins; later ones count from it."""

    on: date


class MoveRenewal(OrdinaryKind):
    """At once unless another time is given: the period that is paid ends on that day, and later ones count from it."""

    kind = ChangeKind.MOVE_RENEWAL
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> RenewalDay:
        refuse_parameters(parameters, ("on",))
        return RenewalDay(read_day("on", parameters.get("on")))

    def apply(self, session: Session, subject: Subject, parameters: RenewalDay, given: Circumstances) -> Effect:
        row, at = subject.subscription, whole_second(given.at)
        charge = current_charge(session, subject, at)
        in_trial = row.status is SubscriptionStatus.TRIALING and charge is None
        if in_trial or row.status not in BILLED_SUBSCRIPTIONS:
            hint = "; `again subscription trial` moves the end of a trial" if in_trial else ""
            raise Refused(
                f"Subscription {row.code} is {row.status}, so it has no renewal that could move{hint}.",
                code=RefusalCode.WRONG_STATE,
            )
        before = standing(session, subject.id)
        old = before.terms.next_charge_at
        assert old is not None, "a CHECK of the table: it is billed"
        new = start_on_day(subject.plan, parameters.on, after=at, now=given.at)
        if new == old:
            raise Refused(
                f"Subscription {row.code} is renewed on {parameters.on} already; nothing would change.",
                code=RefusalCode.NOTHING_CHANGES,
            )
        require_nothing_planned(session, subject, given, old=old, new=new)
        # Without one nothing is paid: it is before its first period, or comes from a pause.
        credited = 0 if charge is None else _move_end(session, subject, charge, new, at, given)
        terms = replace(before.terms, anchor_on=parameters.on, next_charge_at=new)
        if before.terms.current_period_start is not None and before.terms.current_period_start < new:
            terms = replace(terms, current_period_end=new)
        plan = move_terms(session, subject, terms, given)
        if new < old:
            write_consent(session, subject, given)
        sentences = [_moves(subject, old, new, plan.amount)]
        if charge is not None:
            sentences += _settles(subject, charge.period.end, new, credited)
        return Effect(sentence=joined(sentences), credited=credited)


def _move_end(
    session: Session, subject: Subject, charge: CurrentCharge, new: datetime, at: datetime, given: Circumstances
) -> int:
    """Let the paid period end with the renewal, and return what is credited for days that are lost, in won."""
    require_paid(charge, subject, at, "move the renewal then.")
    require_no_refund(session, charge, subject, given)
    credited = unused_value(session, charge, subject, new) if new < charge.period.end else 0
    cut(session, charge, new, reason=given.reason, now=given.now)
    if credited:
        row = {
            "subscription_id": subject.id,
            "kind": AdjustmentKind.CREDIT,
            "description": adjustments.CREDITED,
            "amount": credited,
            "change_id": given.change_id,
        }
        adjustments.add(session, [row], now=given.now)
    return credited


def _moves(subject: Subject, old: datetime, new: datetime, amount: int) -> Sentence:
    zone = subject.zone
    return Sentence(
        f"Subscription {subject.code} is renewed on {day_en(new, zone)} instead of {day_en(old, zone)}, for "
        f"{won(amount)} a period; later periods count from that day.",
        f"다음 결제일이 {day_ko(old, zone)}에서 {day_ko(new, zone)}로 변경되며, 이후 결제일도 "
        "이 날짜를 기준으로 합니다.",
    )


def _settles(subject: Subject, end: datetime, new: datetime, credited: int) -> list[Sentence]:
    """Return what becomes of the days between the end of what was paid, as it was, and the renewal."""
    days = (new.astimezone(subject.zone).date() - end.astimezone(subject.zone).date()).days
    if days > 0:
        return [
            Sentence(f"The {days} days between are given.", f"그 사이 {days}일은 추가 요금 없이 이용하실 수 있습니다.")
        ]
    if not credited:
        return []
    return [
        Sentence(
            f"{won(credited)} that were paid for the {-days} days between are left to the customer's credit, which the "
            "next charges use up.",
            f"줄어든 {-days}일의 요금 {credited:,}원은 다음 결제에서 차감됩니다.",
        )
    ]
