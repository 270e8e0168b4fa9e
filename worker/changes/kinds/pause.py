"""Pausing: nothing falls due and nothing is charged until the subscription is resumed, by hand or on a date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters, won
from worker.domain.changes import ChangeKind, ChangeStatus, digest_of, start_of
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import BILLED_SUBSCRIPTIONS, SubscriptionStatus
from worker.ledger import changes, charges
from worker.ledger.changes import NewChange
from worker.subscriptions import queries
from worker.subscriptions.locking import move


@dataclass(frozen=True, slots=True)
class PauseTerms:
    """Until when it is paused; None: until it is resumed."""

    until: date | None


class Pause(OrdinaryKind):
    """From the period's end unless another time is given. What is unpaid then waits, and what was paid runs on."""

    kind = ChangeKind.PAUSE

    def read(self, parameters: Mapping[str, Any]) -> PauseTerms:
        refuse_parameters(parameters, ("until",))
        until = parameters.get("until")
        try:
            return PauseTerms(None if until is None else date.fromisoformat(until))
        except (TypeError, ValueError):
            raise Refused(
                f"The pause ends on {until!r:.40}, which must be a date such as 2027-03-01.",
                code=RefusalCode.WRONG_DATE,
            ) from None

    def apply(self, session: Session, subject: Subject, parameters: PauseTerms, given: Circumstances) -> Effect:
        row = subject.subscription
        if row.status not in BILLED_SUBSCRIPTIONS:
            raise Refused(
                f"Subscription {row.code} is {row.status}; only one that is billed can be paused.",
                code=RefusalCode.WRONG_STATE,
            )
        resume_at = None if parameters.until is None else _resume_at(subject, parameters.until, given)
        owed = charges.waiting_sum(session, row.id)
        move(session, row, SubscriptionStatus.PAUSED, given.reason, None, given.now)
        sentence = joined([_pauses(subject, given, resume_at), *_spells_out(session, subject, given, owed)])
        if resume_at is not None:
            _schedule_resume(session, subject, resume_at, given)
        return Effect(sentence=sentence)


def _resume_at(subject: Subject, until: date, given: Circumstances) -> datetime:
    # By when it takes effect: after an outage of ours, the whole pause may be over, and nothing of it is charged.
    resume_at = start_of(until, subject.zone, now=given.at)
    if resume_at <= given.at:
        begins = day_en(given.at, subject.zone)
        raise Refused(
            f"The pause begins on {begins} and cannot end on {until}; give a later date.", code=RefusalCode.WRONG_DATE
        )
    return resume_at


def _pauses(subject: Subject, given: Circumstances, resume_at: datetime | None) -> Sentence:
    zone, since = subject.zone, given.at
    if resume_at is None:
        return Sentence(
            f"Subscription {subject.code} is paused on {day_en(since, zone)} until it is resumed; nothing is charged.",
            f"{day_ko(since, zone)}부터 다시 시작하실 때까지 구독이 일시정지되며, 그동안 청구되지 않습니다.",
        )
    return Sentence(
        f"Subscription {subject.code} is paused from {day_en(since, zone)} to {day_en(resume_at, zone)}; nothing is "
        "charged meanwhile.",
        f"{day_ko(since, zone)}부터 {day_ko(resume_at, zone)}까지 구독이 일시정지되며, 그동안 청구되지 않습니다.",
    )


def _spells_out(session: Session, subject: Subject, given: Circumstances, owed: int) -> list[Sentence]:
    """Return what becomes of the anchor, of what is owed and of what was paid."""
    zone = subject.zone
    said = [
        Sentence(
            f"Its billing day stays that of {subject.subscription.anchor_on}.",
            "결제일은 그대로 유지됩니다.",
        )
    ]
    if owed:
        said.append(
            Sentence(
                f"The {won(owed)} that are unpaid are charged once it is resumed.",
                f"미납 요금 {owed:,}원은 다시 시작한 뒤에 결제됩니다.",
            )
        )
    shown = queries.shown(session, subject.code)
    paid_until = None if shown is None else shown["paid_until"]
    if paid_until is not None and paid_until > given.at:
        said.append(
            Sentence(
                f"What was paid until {day_en(paid_until, zone)} stays paid.",
                f"이미 결제하신 {day_ko(paid_until, zone)}까지는 이용하실 수 있습니다.",
            )
        )
    return said


def _schedule_resume(session: Session, subject: Subject, at: datetime, given: Circumstances) -> None:
    earlier = [each.id for each in changes.scheduled(session, subject.id) if each.kind is ChangeKind.RESUME]
    changes.end(session, earlier, ChangeStatus.SUPERSEDED, reason="another pause has another end", now=given.now)
    on = at.astimezone(subject.zone).date()
    sentence = Sentence(
        f"Subscription {subject.code} is resumed on {day_en(at, subject.zone)}, at the end of its pause.",
        f"{day_ko(at, subject.zone)}에 구독이 다시 시작됩니다.",
    )
    resume = NewChange(
        kind=ChangeKind.RESUME,
        subscription_id=subject.id,
        charge_id=None,
        parameters={},
        effective_at=at,
        reason=given.reason,
        digest=digest_of(ChangeKind.RESUME, {"subscription": subject.id}, {}, on),
        preview={"sentence": asdict(sentence)},
        fingerprint="",
    )
    changes.add(session, [resume], now=given.now)
