"""When declines of different customers prove that their channel is at fault, and not the customers. Pure.

One customer alone proves nothing about a channel that others are paid through. Several who are refused alike, with
no payment in between, do, whatever the words say; the less the words blame the customer, the fewer it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.declines import alike, without_answer_code
from worker.domain.outcomes import About, DeclineKind, UnknownReason
from worker.domain.settlement import Settlement
from worker.domain.states import AttemptStatus, Via

STOPPED_BY_REFUSALS = "settlement"
"""Value of `stops.stopped_by` when declines have stopped a channel."""

ENOUGH: Mapping[DeclineKind, int] = {
    DeclineKind.CONFIG: 2,
    DeclineKind.UNMATCHED: 3,
    DeclineKind.HARD: 10,
    DeclineKind.SOFT: 20,
}
"""Different billing keys that stop their channel when declined alike with no payment in between. Maintenance is none
of these: it is waited out."""

PROVEN_FOR = timedelta(days=7)
"""How long a payment, or an operator's release, shows that a channel works: within it, no single customer stops it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One customer's decline, as evidence about its channel."""

    pg: str
    alike: str  # what others must share with it: its words, or, where the configuration is blamed, nothing more
    kind: DeclineKind
    billing_key_id: int
    subscription_id: int
    charge_id: int
    number: int
    message: str | None
    sent_at: datetime
    said: str  # for the reason of the stop

    @property
    def enough(self) -> int:
        return ENOUGH[self.kind]


def refusal_of(settlement: Settlement) -> Refusal | None:
    """Return what a settlement proves about its channel; None when it is no decline, or concerns this customer alone.

    An unknown text counts at once, although it is looked up before it is a decline.
    """
    attempt = settlement.attempt
    kind = _kind(settlement)
    if attempt.via is not Via.AGAIN or kind is None or kind not in ENOUGH:
        return None
    message = settlement.answer.message
    return Refusal(
        pg=attempt.request.pg,
        alike=kind.value if kind is DeclineKind.CONFIG else f"{kind.value}: {_words(message)}",
        kind=kind,
        billing_key_id=attempt.charge.billing_key_id,
        subscription_id=attempt.charge.subscription_id,
        charge_id=attempt.charge.id,
        number=attempt.number,
        message=message,
        sent_at=attempt.started_at,
        said=message or "no words",
    )


def sentence(refusal: Refusal, *, customers: int) -> str:
    """Return why declines have stopped a channel, and what to do."""
    alone = f"the first customer of {refusal.pg}, through which nothing was paid lately, was refused"
    many = f"{customers} customers of {refusal.pg} were refused alike, and nothing was paid in between"
    return (
        f"{many if customers > 1 else alone} ({refusal.kind}: {refusal.said}). It is hardly their cards: look at the "
        f"contract, the settings at PortOne and the PG's notices, or ask the PG; then `again start {refusal.pg}`."
    )


def _kind(settlement: Settlement) -> DeclineKind | None:
    if settlement.attempt_status is AttemptStatus.UNKNOWN:
        unknown_words = settlement.reason == UnknownReason.REFUSAL_NOT_KNOWN
        return (settlement.supposed or DeclineKind.UNMATCHED) if unknown_words else None
    if settlement.attempt_status is not AttemptStatus.DECLINED:
        return None
    return None if settlement.about is About.MONTH_QUOTA else settlement.decline_kind


def _words(message: str | None) -> str:
    return alike(without_answer_code(message or "")) or "no words"
