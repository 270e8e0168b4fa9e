"""Resuming: a paused subscription is billed again, from its next period on. The pause is not owed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from schedules.periods import first_start, next_start
from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters, won
from worker.domain.changes import ChangeKind, ChangeStatus, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import SubscriptionStatus
from worker.ledger import changes, end_of_dunning
from worker.subscriptions.arrears import arrears_of
from worker.subscriptions.locking import move


@dataclass(frozen=True, slots=True)
class Resumption:
    """Resuming has no parameters of its own."""


class Resume(OrdinaryKind):
    """At once unless a date is given.

    What was paid before the pause stays paid: nothing is charged earlier than had been planned. What was open stays
    open, and is charged again.
    """

    kind = ChangeKind.RESUME
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> Resumption:
        refuse_parameters(parameters, ())
        return Resumption()

    def apply(self, session: Session, subject: Subject, parameters: Resumption, given: Circumstances) -> Effect:  # noqa: ARG002
        row = subject.subscription
        if row.status != SubscriptionStatus.PAUSED:
            raise Refused(
                f"Subscription {row.code} is {row.status}, not paused; there is nothing to resume"
                f"{_planned_pause(session, subject)}.",
                code=RefusalCode.WRONG_STATE,
            )
        assert row.paused_next_charge_at is not None, "a CHECK of the table: it is paused"
        owed = arrears_of(session, row, now=given.now).chargeable
        next_charge_at = max(row.paused_next_charge_at, next_start(subject.plan, row.anchor_on, after=given.at))
        move(session, row, _status(subject, next_charge_at), given.reason, next_charge_at, given.now)
        if row.billing_key_id is not None:  # the time to replace a dead one begins again
            end_of_dunning.lost_keys(session, [row.billing_key_id], only=[row.id], now=given.now)
        _supersede_planned(session, subject, given)
        sentences = [_resumes(subject, given, next_charge_at)]
        if owed.count:
            sentences.append(_charges_again(owed.amount))
        return Effect(sentence=joined(sentences), charged=owed.amount)


def _planned_pause(session: Session, subject: Subject) -> str:
    """Return what to do where the pause is still to come; empty where none is planned."""
    planned = [each for each in changes.scheduled(session, subject.id) if each.kind is ChangeKind.PAUSE]
    if not planned:
        return ""
    on = day_en(planned[0].effective_at, subject.zone)
    return f" yet. Change {planned[0].id} pauses it on {on}: `again change undo {planned[0].id}` undoes that"


def _status(subject: Subject, next_charge_at: datetime) -> SubscriptionStatus:
    row, plan = subject.subscription, subject.plan
    if row.owes:
        return SubscriptionStatus.PAST_DUE
    if plan.trial_days and (next_charge_at == first_start(plan, row.anchor_on) or not row.has_settled):
        return SubscriptionStatus.TRIALING  # it was paused in its trial, which is over once its first charge is paid
    return SubscriptionStatus.ACTIVE


def _resumes(subject: Subject, given: Circumstances, next_charge_at: datetime) -> Sentence:
    zone = subject.zone
    return Sentence(
        f"Subscription {subject.code} is resumed on {day_en(given.at, zone)}; its next charge is due on "
        f"{day_en(next_charge_at, zone)}.",
        f"{day_ko(given.at, zone)}에 구독이 다시 시작되며, 다음 결제일은 {day_ko(next_charge_at, zone)}입니다.",
    )


def _charges_again(owed: int) -> Sentence:
    return Sentence(
        f"What was unpaid before the pause, {won(owed)}, is charged again, at once or on its next dunning day.",
        f"일시정지 전에 결제되지 않은 {owed:,}원은 바로 또는 다음 재시도일에 결제됩니다.",
    )


def _supersede_planned(session: Session, subject: Subject, given: Circumstances) -> None:
    planned = [
        each.id
        for each in changes.scheduled(session, subject.id)
        if each.kind is ChangeKind.RESUME and each.id != given.change_id
    ]
    changes.end(session, planned, ChangeStatus.SUPERSEDED, reason="it was resumed earlier", now=given.now)
