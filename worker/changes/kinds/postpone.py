"""Postponing a charge: what waits for its time waits for a later one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy.orm import Session

from schedules.local_time import instant_of
from worker.changes.charge_acts import ChargeAct, if_declined, moved_meanwhile, named_en, named_ko, unsettled
from worker.changes.kind import Circumstances, Subject
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters
from worker.domain.changes import ChangeKind, start_of
from worker.domain.errors import Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import ChargeStatus
from worker.ledger import changes, collecting
from worker.ledger.acted_charges import ActedCharge


@dataclass(frozen=True, slots=True)
class Postponement:
    """Until which date, in the plan's zone: it is charged on that day at the plan's hour."""

    until: date


class Postpone(ChargeAct):
    """It never brings a charge forward; what was given up, or waits for another key, has no time to be moved."""

    kind = ChangeKind.POSTPONE

    def read(self, parameters: Mapping[str, Any]) -> Postponement:
        refuse_parameters(parameters, ("until",))
        until = parameters.get("until")
        try:
            return Postponement(date.fromisoformat(until or ""))
        except (TypeError, ValueError):
            raise Refused(f"It is postponed until {until!r:.40}, which must be a date such as 2027-03-01.") from None

    def apply(self, session: Session, subject: Subject, parameters: Postponement, given: Circumstances) -> Effect:
        charge = unsettled(session, subject, given)
        until = _instant(subject, parameters.until, given)
        _require_a_time(charge, subject, until)
        _require_no_contradiction(session, charge, subject, until)
        if not collecting.postpone(session, charge.id, until=until):
            raise moved_meanwhile(charge)
        return Effect(sentence=joined([_postpones(charge, subject, until), if_declined(charge, subject, until)]))


def _instant(subject: Subject, until: date, given: Circumstances) -> datetime:
    start_of(until, subject.zone, now=given.now)  # refuses what is past, or beyond ten years
    instant = instant_of(datetime.combine(until, time(subject.plan.charge_hour)), subject.zone)
    if instant <= given.now:
        raise Refused(
            f"It would be charged on {until} at {subject.plan.charge_hour}:00, which is past; give a later day."
        )
    return instant


def _require_a_time(charge: ActedCharge, subject: Subject, until: datetime) -> None:
    if charge.status is ChargeStatus.UNCOLLECTIBLE:
        raise Refused(
            f"Charge {charge.id} was given up, so there is nothing to postpone; `again charge collect {charge.id} --at "
            "DATE` tries it again."
        )
    if charge.next_attempt_at is None:
        raise Refused(
            f"Charge {charge.id} waits for another billing key and not for a date: there is nothing to postpone."
        )
    if charge.next_attempt_at >= until:
        planned = day_en(charge.next_attempt_at, subject.zone)
        raise Refused(
            f"Charge {charge.id} is to be charged on {planned} anyway, which is no earlier; `again charge collect "
            f"{charge.id}` brings it forward."
        )


def _require_no_contradiction(session: Session, charge: ActedCharge, subject: Subject, until: datetime) -> None:
    for each in changes.scheduled(session, subject.id):
        if each.charge_id == charge.id and each.kind is ChangeKind.COLLECT and each.effective_at < until:
            on = day_en(each.effective_at, subject.zone)
            raise Refused(
                f"Charge {charge.id} is to be collected on {on} by change {each.id}. Undo that first: `again change "
                f"undo {each.id}`."
            )


def _postpones(charge: ActedCharge, subject: Subject, until: datetime) -> Sentence:
    return Sentence(
        f"{named_en(charge, subject)} is charged on {day_en(until, subject.zone)}, and not before.",
        f"{named_ko(charge, subject)}의 결제일이 {day_ko(until, subject.zone)}로 미뤄집니다.",
    )
