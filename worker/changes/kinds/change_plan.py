"""Another plan or quantity, at the period's end or in the middle of it, with or without another billing day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from schedules.first_periods import FirstPeriod, first_period, is_same_calendar
from schedules.periods import BillingPeriod, next_start
from schedules.proration import days_of
from worker.changes import plan_change_wording as wording
from worker.changes.billing_days import next_start_on
from worker.changes.consenting import write_consent
from worker.changes.current_period import (
    current_charge,
    cut,
    require_no_refund,
    require_paid,
    require_tried,
    unused_value,
    whole_second,
)
from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.plan_change_terms import PlanChange, Proration, Renewal, anchor_for, read_plan_change, restarts
from worker.changes.plan_target import Target, take_terms, target_of
from worker.changes.prorated import Prorated, open_prorated
from worker.changes.renewals import require_nothing_planned
from worker.domain.changes import ChangeKind
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect
from worker.domain.states import BILLED_SUBSCRIPTIONS
from worker.ledger import adjustments
from worker.ledger.period_ends import CurrentCharge
from worker.subscriptions.terms_queries import Standing, Terms, standing

_INSTEAD = "change it at the period's end."


class ChangePlan(OrdinaryKind):
    """At the period's end unless another time is given.

    In the middle of a paid period that period is cut, and the rest of it, or a whole new one, is charged on the new
    terms, less what was paid for its days. What costs more is agreed to by the customer: the consent is written down.
    """

    kind = ChangeKind.CHANGE_PLAN

    def read(self, parameters: Mapping[str, Any]) -> PlanChange:
        return read_plan_change(parameters)

    def apply(self, session: Session, subject: Subject, parameters: PlanChange, given: Circumstances) -> Effect:
        row = subject.subscription
        if row.status not in BILLED_SUBSCRIPTIONS:
            raise Refused(
                f"Subscription {row.code} is {row.status}; only one that is billed can change its plan.",
                code=RefusalCode.WRONG_STATE,
            )
        before = standing(session, subject.id)
        target = target_of(session, subject, before, parameters.plan, parameters.quantity, given)
        change = _Change(session, subject, before, target, parameters, given)
        change.require_difference()
        effect = change.apply()
        write_consent(session, subject, given)
        return effect


class _Change:
    """One change of plan, in the transaction that does it."""

    def __init__(
        self,
        session: Session,
        subject: Subject,
        before: Standing,
        target: Target,
        parameters: PlanChange,
        given: Circumstances,
    ) -> None:
        self.session, self.subject, self.before = session, subject, before
        self.plan, self.terms, self.parameters, self.given = target.plan, target.terms, parameters, given
        self.at = whole_second(given.at)

    def require_difference(self) -> None:
        """Raise Refused for what the subscription has already."""
        if self.terms == self.before.terms and not restarts(self.parameters):
            raise Refused(
                f"Subscription {self.subject.code} has plan {self.plan.code!r} in quantity {self.terms.quantity} "
                "already; nothing would change.",
                code=RefusalCode.NOTHING_CHANGES,
            )

    def apply(self) -> Effect:
        next_charge_at = self.terms.next_charge_at
        assert next_charge_at is not None, "a CHECK of the table: it is billed"
        if next_charge_at <= self.given.at:
            return self._from_next_period()
        charge = current_charge(self.session, self.subject, self.at)
        if charge is None:
            return self._before_first_charge()
        return self._in_the_middle(charge)

    # --- where nothing is charged at once -----------------------------------------------------------------------------

    def _before_first_charge(self) -> Effect:
        """In a trial, or before the first period: it begins when it was to begin, by the new plan's hour."""
        if restarts(self.parameters):
            raise Refused(
                f"Subscription {self.subject.code} is not charged before {wording.day(self.subject, self.before)}, so "
                "no period can begin now; `again subscription trial` and `move-renewal` move that day.",
                code=RefusalCode.WRONG_STATE,
            )
        if self._has_same_calendar():
            return self._later()
        start = self.terms.next_charge_at
        assert start is not None, "looked at above"
        anchor_on = anchor_for(self.plan, start, self.terms.anchor_on, None)
        first = next_start_on(self.plan, anchor_on, start.astimezone(self.plan.time_zone).date())
        return self._later(anchor_on=anchor_on, next_charge_at=first)

    def _from_next_period(self) -> Effect:
        """From a period on that has no charge yet. One that is no whole one by the new calendar is charged by days."""
        if self._has_same_calendar() and self.parameters.anchor_day is None:
            return self._later()
        start = self.terms.next_charge_at
        assert start is not None, "looked at above"
        anchor_on = anchor_for(self.plan, start, self.terms.anchor_on, self.parameters.anchor_day)
        first = first_period(self.plan, anchor_on, start)
        if first.is_whole and next_start(self.plan, anchor_on, after=start) == first.period.end:
            return self._later(anchor_on=anchor_on)
        return self._new_period(first, self._starting(first, anchor_on), unused=0)

    def _later(self, **terms: Any) -> Effect:
        self.terms = replace(self.terms, **terms)
        plan = take_terms(self.session, self.subject, self.before, self.terms, self.given)
        return wording.later(self.subject, plan, self.terms, self.given)

    # --- in the middle of a period ------------------------------------------------------------------------------------

    def _in_the_middle(self, charge: CurrentCharge) -> Effect:
        whole = BillingPeriod(self.terms.current_period_start or charge.period.start, charge.period.end)
        if not days_of(whole, self.subject.zone, at=self.at).unused and not restarts(self.parameters):
            return self._from_next_period()  # which begins on this day, later
        if self._keeps_renewal():
            if self.parameters.proration is Proration.NONE:
                return self._later()
            first = self._rest(charge, whole)
            terms = replace(self.terms, current_period_start=whole.start)
        else:
            anchor_on = anchor_for(self.plan, self.at, self.terms.anchor_on, self.parameters.anchor_day)
            first = first_period(self.plan, anchor_on, self.at)
            terms = self._starting(first, anchor_on)
        require_tried(charge, self.given)
        require_paid(charge, self.subject, self.at, _INSTEAD)
        require_no_refund(self.session, charge, self.subject, self.given)
        self._require_nothing_planned(terms)
        prorated = self.parameters.proration is Proration.DAYS
        unused = unused_value(self.session, charge, self.subject, self.at) if prorated else 0
        if first.period.end == charge.period.end:
            adjustments.let_go_on(self.session, charge.id)
        cut(self.session, charge, self.at, reason=self.given.reason, now=self.given.now)
        return self._new_period(first, terms, unused=unused)

    def _rest(self, charge: CurrentCharge, whole: BillingPeriod) -> FirstPeriod:
        """Return the rest of a period, of which the paid days are charged: those that were given stay given."""
        rest = BillingPeriod(self.at, charge.period.end)
        paid_until = min(charge.covers_until, rest.end)
        days = days_of(BillingPeriod(whole.start, paid_until), self.subject.zone, at=self.at)
        return FirstPeriod(rest, whole, days, given_from=max(paid_until, self.at) if paid_until < rest.end else None)

    def _require_nothing_planned(self, terms: Terms) -> None:
        old, new = self.before.terms.next_charge_at, terms.next_charge_at
        assert old is not None, "a CHECK of the table: it is billed"
        assert new is not None, "as before, or the end of the new period"
        require_nothing_planned(self.session, self.subject, self.given, old=old, new=new)

    def _keeps_renewal(self) -> bool:
        same = self._has_same_calendar()
        if self.parameters.renewal is Renewal.KEEP and not same:
            raise Refused(
                f"Plan {self.plan.code!r} is billed at other times than {self.subject.plan.code!r}, so its renewal "
                "cannot be kept: change it at the period's end, or let the renewal restart."
            )
        return same and not restarts(self.parameters)

    def _has_same_calendar(self) -> bool:
        return is_same_calendar(self.plan, self.subject.plan)

    def _starting(self, first: FirstPeriod, anchor_on: date) -> Terms:
        """Return the terms of a subscription of which a new period begins, with another anchor."""
        return replace(
            self.terms,
            anchor_on=anchor_on,
            next_charge_at=first.period.end,
            current_period_start=first.whole.start,
            current_period_end=first.period.end,
        )

    def _new_period(self, first: FirstPeriod, terms: Terms, *, unused: int) -> Effect:
        """Charge a period that begins with the change, and let the next one follow it."""
        plan = take_terms(self.session, self.subject, self.before, terms, self.given)
        opened = self._open(first, unused)
        return wording.at_once(self.subject, plan, terms, first, opened, self.given)

    def _open(self, first: FirstPeriod, unused: int) -> Prorated:
        return open_prorated(
            self.session,
            self.subject.id,
            first.period,
            first.days,
            given_from=first.given_from,
            unused=unused,
            max_amount=self.given.policy.max_amount,
            reason=f"its terms were changed: {self.given.reason}",
            change_id=self.given.change_id,
            now=self.given.now,
        )
