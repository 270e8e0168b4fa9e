"""A trial until another day, or ended now: its first charge is then made at once, and once paid it is active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from schedules.first_periods import FirstPeriod, first_period
from schedules.plan_rules import LONGEST_TRIAL
from worker.changes.billing_days import read_day, start_on_day
from worker.changes.consenting import write_consent
from worker.changes.current_period import current_charge, whole_second
from worker.changes.gate_caution import gate_cautions
from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.plan_change_terms import anchor_for
from worker.changes.plan_target import move_terms
from worker.changes.prorated import Prorated, open_prorated
from worker.changes.renewals import require_nothing_planned
from worker.changes.wording import day_en, day_ko, refuse_parameters, won
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import BillingKeyStatus, SubscriptionStatus
from worker.ledger.subscription_status import settle_subscriptions
from worker.subscriptions.plans import MAX_TRIAL_DAYS
from worker.subscriptions.terms_queries import Standing, standing


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """The day on which a trial ends and the first charge is due; None: now."""

    until: date | None


class ChangeTrial(OrdinaryKind):
    """At once unless another time is given. A trial that ends now stays one until its first charge is paid."""

    kind = ChangeKind.TRIAL
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> TrialEnd:
        refuse_parameters(parameters, ("until", "end_now"))
        until, end_now = parameters.get("until"), parameters.get("end_now", False)
        if not isinstance(end_now, bool) or end_now == (until is not None):
            raise Refused("Give either the day until which the trial lasts, or that it ends now.")
        return TrialEnd(None if until is None else read_day("until", until))

    def apply(self, session: Session, subject: Subject, parameters: TrialEnd, given: Circumstances) -> Effect:
        row, at = subject.subscription, whole_second(given.at)
        if row.status is not SubscriptionStatus.TRIALING:
            raise Refused(
                f"Subscription {row.code} is {row.status}, so it has no trial that could end another day.",
                code=RefusalCode.WRONG_STATE,
            )
        charge = current_charge(session, subject, at)
        if charge is not None:
            raise Refused(
                f"The trial of subscription {row.code} was ended already: charge {charge.id} is {charge.status.value}.",
                code=RefusalCode.WRONG_STATE,
            )
        before = standing(session, subject.id)
        if parameters.until is None:
            return _end_now(session, subject, before, at, given)
        return _last_until(session, subject, before, parameters.until, given)


def _last_until(session: Session, subject: Subject, before: Standing, until: date, given: Circumstances) -> Effect:
    old = before.terms.next_charge_at
    assert old is not None, "a CHECK of the table: it is billed"
    new = start_on_day(subject.plan, until, after=given.at, now=given.at)
    if new == old:
        raise Refused(
            f"The trial of subscription {subject.code} lasts until {until} already; nothing would change.",
            code=RefusalCode.NOTHING_CHANGES,
        )
    if new - given.now > timedelta(days=LONGEST_TRIAL):
        raise Refused(
            f"A trial lasts {LONGEST_TRIAL} days from now at most, so not until {until}; give an earlier day.",
            code=RefusalCode.WRONG_DATE,
        )
    require_nothing_planned(session, subject, given, old=old, new=new)
    terms = replace(before.terms, anchor_on=until, next_charge_at=new)
    plan = move_terms(session, subject, terms, given)
    if new < old:
        write_consent(session, subject, given)
    sentence = Sentence(
        f"The trial of subscription {subject.code} lasts until {day_en(new, subject.zone)} instead of "
        f"{day_en(old, subject.zone)}; {won(plan.amount)} are charged then.",
        f"무료 체험 기간이 {day_ko(old, subject.zone)}에서 {day_ko(new, subject.zone)}까지로 변경되며, 그날 "
        f"{plan.amount:,}원이 결제됩니다.",
    )
    is_long = new - given.now > timedelta(days=MAX_TRIAL_DAYS)
    return Effect(sentence=sentence, cautions=(_ASK_AGAIN,) if is_long else ())


_ASK_AGAIN = Sentence(
    f"The first charge is more than {MAX_TRIAL_DAYS} days ahead: the customer must be asked for consent once more "
    f"within the {MAX_TRIAL_DAYS} days before it (E-Commerce Act 13(6)).",
    f"유료 전환일이 {MAX_TRIAL_DAYS}일 넘게 남아 있어, 전환 전 {MAX_TRIAL_DAYS}일 이내에 다시 동의를 받아야 합니다.",
)


def _end_now(session: Session, subject: Subject, before: Standing, at: datetime, given: Circumstances) -> Effect:
    _require_key(subject, before)
    old = before.terms.next_charge_at
    assert old is not None, "a CHECK of the table: it is billed"
    anchor_on = anchor_for(subject.plan, at, before.terms.anchor_on, None)
    first = first_period(subject.plan, anchor_on, at)
    require_nothing_planned(session, subject, given, old=old, new=first.period.end)
    terms = replace(
        before.terms,
        anchor_on=anchor_on,
        next_charge_at=first.period.end,
        current_period_start=first.whole.start,
        current_period_end=first.period.end,
    )
    plan = move_terms(session, subject, terms, given)
    opened = _charge_first(session, subject, first, given)
    write_consent(session, subject, given)
    return Effect(
        sentence=_ends_now(subject, first, opened.amount, plan.amount),
        charged=opened.amount,
        cautions=gate_cautions(session, opened.charge_id),
    )


def _require_key(subject: Subject, before: Standing) -> None:
    if before.key_status is not BillingKeyStatus.ACTIVE:
        has = "no billing key" if before.key_status is None else f"a billing key that is {before.key_status.value}"
        raise Refused(
            f"Subscription {subject.code} has {has}, so nothing could be charged: `again checkout link {subject.code} "
            "--replace` lets the customer register one."
        )


def _charge_first(session: Session, subject: Subject, first: FirstPeriod, given: Circumstances) -> Prorated:
    """Open the charge of the first period, and return what it came to; with nothing to pay it is active."""
    opened = open_prorated(
        session,
        subject.id,
        first.period,
        first.days,
        max_amount=given.policy.max_amount,
        reason=f"its trial was ended: {given.reason}",
        change_id=given.change_id,
        now=given.now,
    )
    if not opened.amount:
        reason = "nothing is to be charged for its first period"
        settle_subscriptions(session, [subject.id], reason=reason, now=given.now)
    return opened


def _ends_now(subject: Subject, first: FirstPeriod, amount: int, following: int) -> Sentence:
    until, zone = first.period.end, subject.zone
    return Sentence(
        f"The trial of subscription {subject.code} ends now: {won(amount)} are charged for the period until "
        f"{day_en(until, zone)}, and it is active once that is paid. The next period costs {won(following)}.",
        f"무료 체험이 지금 종료되고 {day_ko(until, zone)}까지의 요금 {amount:,}원이 바로 결제됩니다. 결제가 완료되면 "
        f"구독이 시작됩니다. 다음 결제일은 {day_ko(until, zone)}이며, 결제 금액은 {following:,}원입니다.",
    )
