"""The terms that a change of plan or quantity leads to, and why they may be refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from schedules.plan_rules import HIGHEST_AMOUNT
from schedules.plans import InvalidPlan, Plan
from worker.changes.kind import Circumstances, Subject
from worker.database.mapping import plan_of
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.domain.errors import RefusalCode, Refused
from worker.ledger import changes
from worker.ledger.terms import own_terms
from worker.subscriptions import queries
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import pg_objection
from worker.subscriptions.terms_queries import Standing, Terms, change_terms, newest_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The plan that a subscription changes to, or keeps, and the terms with it; its periods as they were."""

    plan: Plan
    terms: Terms


def target_of(
    session: Session, subject: Subject, before: Standing, plan: str | None, quantity: int | None, given: Circumstances
) -> Target:
    """Return what a change leads to. Another plan is bought at its newest price, the same one keeps its version.

    Raises Refused for an unknown plan, and for one that the customer has a running subscription to.
    """
    row = plan_row(session, subject.subscription.plan_code if plan is None else plan)
    terms = replace(before.terms, quantity=quantity or before.terms.quantity)
    if row.id != before.terms.plan_id:
        _require_no_other(session, row.id, row.code, before, subject)
        terms = replace(terms, plan_id=row.id, price_version=newest_version(session, row.id, at=given.at))
    return Target(plan=plan_of(row), terms=terms)


def take_terms(session: Session, subject: Subject, before: Standing, terms: Terms, given: Circumstances) -> Plan:
    """Change a locked subscription to its new terms, and return its plan with what a whole period comes to.

    Raises Refused for what cannot be charged, and for a second running subscription to the plan.
    """
    try:
        with session.begin_nested():
            plan = move_terms(session, subject, terms, given)
    except IntegrityError:
        raise Refused(
            f"The customer of {subject.code} has just got another subscription to that plan; nothing was changed.",
            code=RefusalCode.HAS_PLAN,
        ) from None
    except InvalidPlan:
        raise Refused(
            f"{terms.quantity:,} of it come to more than the {HIGHEST_AMOUNT:,} KRW that a period may cost; give a "
            "smaller quantity.",
            code=RefusalCode.TOO_HIGH,
        ) from None
    _require_chargeable(plan, own_terms(session, subject.id).charged_once, terms, before, given)
    if terms.plan_id != before.terms.plan_id:
        _supersede_prices(session, subject, given)
    return plan


def _supersede_prices(session: Session, subject: Subject, given: Circumstances) -> None:
    """End what is scheduled for the price of the plan before: its versions are not those of the new plan."""
    of_price = [each.id for each in changes.scheduled(session, subject.id) if each.kind is ChangeKind.CHANGE_PRICE]
    reason = "its subscription has another plan by now"
    changes.end(session, of_price, ChangeStatus.SUPERSEDED, reason=reason, now=given.now)


def move_terms(session: Session, subject: Subject, terms: Terms, given: Circumstances) -> Plan:
    """Let the periods of a locked subscription be counted otherwise; return its plan with what a period comes to."""
    changed = change_terms(session, subject.subscription, terms, reason=given.reason, now=given.now)
    assert changed, "the row is locked, so no other process can have moved it"
    return own_terms(session, subject.id).plan


def _require_no_other(session: Session, plan_id: int, plan: str, before: Standing, subject: Subject) -> None:
    other = queries.running(session, plan_id=plan_id, customer_reference=before.customer_reference)
    if other is not None:
        raise Refused(
            f"The customer of {subject.code} has a running subscription to plan {plan!r} already: {other}. "
            f"Cancel one of the two instead.",
            code=RefusalCode.HAS_PLAN,
        )


def _require_chargeable(plan: Plan, once: int, terms: Terms, before: Standing, given: Circumstances) -> None:
    """Raise Refused for what no charge may come to: the next one has `once` won besides its plan."""
    what = f"Plan {plan.code!r}" if terms.quantity == 1 else f"{terms.quantity:,} times plan {plan.code!r}"
    comes_to = f"{what} comes to {plan.amount:,} {plan.currency} a period"
    most = given.policy.max_amount
    if plan.amount + once > most:
        besides = f", and the next charge has {once:,} {plan.currency} besides" if once else ""
        raise Refused(
            f"{comes_to}{besides}, but the setting AGAIN_MAX_AMOUNT allows no charge above {most:,} KRW.",
            code=RefusalCode.TOO_HIGH,
        )
    if before.pg is not None and (objection := pg_objection(plan, before.pg)):
        raise Refused(f"{comes_to}, but {objection}.")
