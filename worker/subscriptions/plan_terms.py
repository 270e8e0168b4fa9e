"""The terms of a plan that may change: how its dunning ends, the grace, what a new key pays, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from schedules.plans import Plan
from worker.database.audit_reason import give_reason
from worker.database.engine import Sessions
from worker.database.mapping import plan_columns, plan_of
from worker.domain.errors import Refused
from worker.ledger import end_of_dunning
from worker.subscriptions import plan_queries
from worker.subscriptions.plans import plan_row

CHANGEABLE = ("dunning_end", "dunning_end_charges", "key_deadline_days", "grace_days", "arrears", "notices", "gate")


@dataclass(frozen=True, slots=True)
class ChangedTerms:
    """A plan with its new terms, and for how many subscriptions an end of dunning was written down."""

    plan: Plan
    scheduled: int


def preview_terms(
    sessions: Sessions, code: str, terms: Mapping[str, str], *, past_due_too: bool, now: datetime
) -> ChangedTerms:
    """Return what `change_terms` would do: it is done, and rolled back. Raises Refused, and InvalidPlan."""
    with sessions() as session:
        return _changed(session, code, terms, past_due_too, now)


def change_terms(
    sessions: Sessions, code: str, terms: Mapping[str, str], *, reason: str, past_due_too: bool = False, now: datetime
) -> ChangedTerms:
    """Change terms of a plan, as texts; those that are left out stay as they are.

    They count from now, for all its subscriptions: for what is declined, and for keys that die, from here on. With
    `past_due_too`, the end is written down for those as well whose dunning has failed already; the deadline of a dead
    key counts from now. Raises Refused for an unknown plan or term, and InvalidPlan.
    """
    with sessions.begin() as session:
        give_reason(session, reason, now=now)
        return _changed(session, code, terms, past_due_too, now)


def _changed(session: Session, code: str, terms: Mapping[str, str], past_due_too: bool, now: datetime) -> ChangedTerms:
    if unknown := sorted(set(terms) - set(CHANGEABLE)):
        raise Refused(f"{unknown[0]} of a plan never changes; {', '.join(CHANGEABLE)} may.")
    row = plan_row(session, code)
    known = plan_columns(plan_of(row))
    texts = {name: "none" if value is None else str(value) for name, value in known.items()}
    plan = Plan.parse(texts | dict(terms))
    plan_queries.change(session, row.id, {name: plan_columns(plan)[name] for name in CHANGEABLE})
    scheduled = end_of_dunning.already_failed(session, row.id, now=now) if past_due_too else 0
    return ChangedTerms(plan, scheduled)
