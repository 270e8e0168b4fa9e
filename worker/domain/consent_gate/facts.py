"""What is known of one charge, and what it lacks by the rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.plans import GateMode
from worker.domain.consent_gate.rules import RULES, Event, Rule, RuleCode, Wanted


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """A consent of the customer's: when it was given, and what a whole period may cost by it, in won."""

    agreed_at: datetime
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFacts:
    """One charge that comes to money. `regular` is what a whole period costs, in won, before anything is taken off.

    `before` is the last charge before it that is neither void nor held by the gate; None when there is none, and then
    `in_trial` says whether its subscription has been free so far. What was settled while the gate held it, as by hand,
    has not ended that. `notices` are the instants at which messages about this very payment were sent.
    """

    due_at: datetime  # when its period begins
    zone: ZoneInfo
    regular: int
    before: EarlierCharge | None
    in_trial: bool
    consents: Sequence[GivenConsent]
    notices: Sequence[datetime]


@dataclass(frozen=True, slots=True)
class EarlierCharge:
    """The charge before: what a whole period cost, and whether a discount left nothing of it to pay."""

    regular: int
    was_free: bool


def event_of(facts: ChargeFacts) -> Event | None:
    """Return what a charge is the first of, if anything that a rule is about."""
    before = facts.before
    if before is None:
        return Event.FREE_TO_PAID if facts.in_trial else None
    if before.was_free:
        return Event.FREE_TO_PAID
    return Event.PRICE_INCREASE if facts.regular > before.regular else None


def missing(facts: ChargeFacts, *, now: datetime, rules: Iterable[Rule] = RULES) -> tuple[RuleCode, ...]:
    """Return what a charge lacks to be made now, by the rules that are in force when its period begins.

    A consent that comes late counts when it comes, and a message that was sent late once its days are over.
    """
    event, due_on = event_of(facts), _day(facts.due_at, facts)
    return tuple(
        rule.code
        for rule in rules
        if rule.event is event and rule.is_in_force(due_on) and not _is_there(rule, facts, due_on, now)
    )


def _is_there(rule: Rule, facts: ChargeFacts, due_on: date, now: datetime) -> bool:
    days = timedelta(days=rule.days)
    match rule.wanted:
        case Wanted.CONSENT:
            return any(
                _day(each.agreed_at, facts) >= due_on - days and each.amount >= facts.regular
                for each in facts.consents
                if each.agreed_at <= now
            )
        case Wanted.MESSAGE:
            return any(_day(sent_at, facts) + days <= _day(now, facts) for sent_at in facts.notices)


def _day(at: datetime, facts: ChargeFacts) -> date:
    return at.astimezone(facts.zone).date()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a charge: whether it is held, and what is written down as lacking."""

    is_held: bool
    lacks: tuple[RuleCode, ...]


def verdict(facts: ChargeFacts, mode: GateMode, *, now: datetime) -> Verdict:
    """Return what the gate makes of a charge: it is held under `strict`, and charged and noted under `warn`."""
    lacks = () if mode is GateMode.OFF else missing(facts, now=now)
    return Verdict(bool(lacks) and mode is GateMode.STRICT, lacks)


def longest_trial_on_one_consent(rules: Iterable[Rule] = RULES) -> int:
    """Return how many days a trial may last for a consent that is given as it begins to count at its end."""
    return min(
        rule.days
        for rule in rules
        if rule.event is Event.FREE_TO_PAID and rule.wanted is Wanted.CONSENT and rule.until is None
    )
