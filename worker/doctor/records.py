"""Do the books hold, and do they agree with PortOne? The checks only read."""

from __future__ import annotations

from datetime import datetime

from schedules.plans import SEOUL
from worker.database.mapping import plan_of
from worker.doctor.finding import Finding, Patient, broken, ok, warning
from worker.operations import invariant_results, status_queries
from worker.operations.explain_hold import waiting_for
from worker.operations.invariant_results import MAX_COUNTED, BrokenInvariant, listed_ids
from worker.operations.invariants import INVARIANTS
from worker.subscriptions import plan_queries, plans

ASK_PORTONE = "run `again doctor portone`, and look at what stands between here and PortOne, and at its status page"


def hold(patient: Patient) -> Finding:
    """Look at every invariant, just now."""
    with patient.runtime.sessions() as session:
        found = invariant_results.evaluate(session, now=patient.now, thresholds=patient.runtime.thresholds)
    if not found:
        return ok("invariants", f"all {len(INVARIANTS)} hold")
    said = "\n".join(map(_told, found))
    return broken("invariants", said, "\n".join(f"{each.invariant.name}: {each.invariant.remedy}" for each in found))


def _told(each: BrokenInvariant) -> str:
    plural = "" if each.count == 1 else "s"
    count = f"{each.count}{' or more' if each.count == MAX_COUNTED else ''} {each.invariant.about}{plural}"
    ids = f" ({listed_ids(each.examples)}{', ...' if each.count > len(each.examples) else ''})" if each.examples else ""
    return f"{each.invariant.name}: {count}{ids}. {each.invariant.means}"


def discrepancies(patient: Patient) -> Finding:
    with patient.runtime.sessions() as session:
        found = status_queries.open_discrepancies(session)
    if not found.count or found.oldest_at is None:
        return ok("discrepancies", "PortOne and the books agree, as far as they were compared")
    some = "1 discrepancy waits" if found.count == 1 else f"{found.count} discrepancies wait"
    said = f"{some} for a person to decide, the oldest since {_local(found.oldest_at)}"
    return warning("discrepancies", said, "`again review list`")


def arrears(patient: Patient) -> Finding:
    """Look for what nobody charges any more until a customer or a person does something."""
    with patient.runtime.sessions() as session:
        counts = status_queries.counts(session, now=patient.now)
    consent, payment = counts["waiting_for_consent"].count, counts["waiting_for_payment"].count
    if not consent and not payment:
        return ok("arrears", "no charge waits for consent, and no subscription for a payment")
    said = []
    if payment:
        some = "1 subscription has" if payment == 1 else f"{payment:,} subscriptions have"
        said.append(f"{some} as many unpaid charges as its plan allows, so its periods pass and are not owed")
    if consent:
        some = "1 charge waits" if consent == 1 else f"{consent:,} charges wait"
        said.append(f"{some} for consent, as the key was replaced without any to that")
    remedy = "`again checkout link CODE --replace` lets the customer agree; `again status`, `again subscription list`"
    return warning("arrears", "; ".join(said), remedy)


def long_trials(patient: Patient) -> Finding:
    """Look for plans whose trial outlives the consent that it began with."""
    with patient.runtime.sessions() as session:
        said = plans.overlong_trials(plan_of(row) for row in plan_queries.known(session))
    if said is None:
        return ok("trials", f"no plan has a trial of more than {plans.MAX_TRIAL_DAYS} days")
    return warning("trials", said, plans.TRIAL_REMEDY)


def look_ups(patient: Patient) -> Finding:
    with patient.runtime.sessions() as session:
        failing = status_queries.failing_look_ups(session)
        failure = status_queries.look_up_failure(session)
    if not failing.count or failing.oldest_at is None:
        return ok("look-ups", "PortOne says what became of every charge that it was asked about")
    some = "1 charge" if failing.count == 1 else f"{failing.count:,} charges"
    said = f"PortOne does not say what became of {some}, the first since {_local(failing.oldest_at)} ({failure})"
    return warning("look-ups", said, f"{ASK_PORTONE}; they are asked for again by themselves")


def sweeps(patient: Patient) -> Finding:
    with patient.runtime.sessions() as session:
        holding, daily = status_queries.holding_sweep(session), status_queries.last_daily_sweep(session)
        failing = status_queries.failing_sweep(session)
    if holding is not None:
        said = (
            f"nothing is charged until PortOne's payments are compared ({holding.reason}), since "
            f"{_local(holding.started_at)}; compared up to {_local(holding.position)} of {_local(holding.until)}, "
            f"{holding.payments:,} payments"
        )
        quiet_period = patient.runtime.settings.quiet_period
        waiting = waiting_for(holding, now=patient.now, quiet_period=quiet_period)
        found = broken if waiting.broken else warning
        return found("sweeps", f"{said}. It waits: {waiting.reason}", waiting.remedy)
    if failing is not None and failing.failing_since is not None:
        said = (
            f"PortOne's list cannot be read since {_local(failing.failing_since)} ({failing.failure}); compared up to "
            f"{_local(failing.position)} of {_local(failing.until)}"
        )
        return warning("sweeps", said, f"{ASK_PORTONE}; it goes on by itself once PortOne answers")
    if daily is None or daily.finished_at is None:
        return ok("sweeps", "no daily sweep has ended yet, and none holds charging")
    counts = (
        f"{daily.payments:,} payments compared, {daily.not_ours:,} of them not ours, "
        f"{daily.repaired:,} repaired, {daily.found:,} left to a person"
    )
    return ok("sweeps", f"the last daily one ended {_local(daily.finished_at)}: {counts}")


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}"
