"""What follows from each meaning of a refusal, in a sentence: for `again declines explain` and its document. Pure."""

from __future__ import annotations

from schedules.dunning import UNMATCHED_RETRIES
from worker.domain.channel_evidence import ENOUGH
from worker.domain.declines import Decision, Duplicate
from worker.domain.declines.verdicts import NeedsLookUp
from worker.domain.outcomes import About, DeclineKind

_KINDS = {
    DeclineKind.SOFT: "The charge is tried again by its plan's dunning calendar: `again dunning explain` shows when.",
    DeclineKind.HARD: (
        "The billing key is dead: the charge waits for another key, and so does every other one of that key."
    ),
    DeclineKind.CONFIG: (
        "The charge is tried again after AGAIN_TRANSIENT_DELAY_SECONDS, then after longer pauses up to six hours; no "
        f"day of its calendar is used up, and the key lives. {ENOUGH[DeclineKind.CONFIG]} customers refused so, with "
        "no payment in between, stop the PG."
    ),
    DeclineKind.TRANSIENT: (
        "The charge is tried again after AGAIN_TRANSIENT_DELAY_SECONDS, then after longer pauses up to six hours; no "
        "day of its calendar is used up."
    ),
    DeclineKind.UNMATCHED: (
        f"The charge is tried again as after a soft decline, but {UNMATCHED_RETRIES} times at most, unless its "
        "plan's calendar says it for such words; `again declines unmatched` lists the text."
    ),
}
_QUOTA = "The charge waits for the first of the next month; no day of its calendar is used up."
_DUPLICATE = (
    "It is no decline: PortOne is asked until it shows what became of the payment, and nothing else is sent for the "
    "period. No rule changes that."
)
_LOOK_UP = (
    "It is no decline yet: PortOne is asked. If it has recorded a failure, and the quiet period is over, the charge is "
    "tried again as after maintenance. No rule changes that."
)
_UNRECORDED = "Where PortOne shows no record of the refusal, it is looked up first, until the quiet period is over."


def effect_of(decision: Decision) -> str:
    """Return what happens to the charge, and to the key."""
    if decision.verdict is Duplicate:
        return _DUPLICATE
    if decision.verdict is NeedsLookUp or not isinstance(decision.verdict, DeclineKind):
        return _LOOK_UP
    if decision.verdict is DeclineKind.SOFT and decision.about is About.MONTH_QUOTA:
        return _QUOTA
    open_without_record = {DeclineKind.UNMATCHED, DeclineKind.TRANSIENT}
    later = f" {_UNRECORDED}" if {decision.ours, decision.verdict} & open_without_record else ""
    return f"{_KINDS[decision.verdict]}{later}"
