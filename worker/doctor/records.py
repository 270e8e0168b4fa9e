"""Checks of our records: whether the invariants hold, and the records agree with PortOne."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from schedules.plans import SEOUL
from worker.database.mapping import plan_of
from worker.doctor.finding import CheckContext, Finding, broken, ok, warning
from worker.domain.clock import elapsed_seconds
from worker.operations import changed_rows, count_queries, full_invariant_check, status_queries
from worker.operations.changed_rows import CHANGES_AT_ONCE
from worker.operations.explain_hold import explain_hold
from worker.operations.invariant_check import judge_changes
from worker.operations.invariant_judge import MAX_COUNTED, BrokenInvariant
from worker.operations.invariant_results import listed_ids, recorded
from worker.operations.invariants import INVARIANTS
from worker.subscriptions import plan_queries, plans

CHECK_PORTONE = "run `again doctor portone`, and check the network between here and PortOne, and its status page"


TOLD_EVERY = 5.0
"""Seconds after which a full pass of the invariants tells how far it has come."""


def invariants(context: CheckContext) -> Finding:
    """Judge what has changed since the workers' last check, or, when a full pass is wanted, every row."""
    if context.full is not None:
        _judge_every_row(context, context.full)
    with context.runtime.sessions() as session:
        changes, complete = changed_rows.changes_waiting(session, limit=CHANGES_AT_ONCE)
        found = judge_changes(session, changes, now=context.now, thresholds=context.runtime.thresholds)
    if found:
        said = "\n".join(map(_described, found))
        return broken(
            "invariants", said, "\n".join(f"{each.invariant.name}: {each.invariant.remedy}" for each in found)
        )
    if not complete:
        said = f"all {len(INVARIANTS)} hold, but the workers' check lags: over {CHANGES_AT_ONCE:,} changes wait for it"
        return warning("invariants", said, "start beat and a worker, or wait for the next checks")
    return ok("invariants", f"all {len(INVARIANTS)} hold{' for every row' if context.full is not None else ''}")


def violations(context: CheckContext) -> Finding:
    """Report what the workers' last check has found, and judge nothing."""
    with context.runtime.sessions() as session:
        found = recorded(session)
    if not found:
        return ok("invariants", "all held at the last check")
    said = "\n".join(f"{each.name}: {each.count:,} ({each.examples})" for each in found)
    return broken("invariants", said, "`again doctor invariants`", subjects=[each.name for each in found])


def _judge_every_row(context: CheckContext, tell: Callable[[str], None]) -> None:
    told = elapsed_seconds()
    runtime = context.runtime
    for progress in full_invariant_check.run(
        runtime.sessions, clock=lambda: context.now, thresholds=runtime.thresholds
    ):
        if elapsed_seconds() - told >= TOLD_EVERY:
            told = elapsed_seconds()
            tell(progress.sentence())


def _described(each: BrokenInvariant) -> str:
    plural = "" if each.count == 1 else "s"
    count = f"{each.count}{' or more' if each.count == MAX_COUNTED else ''} {each.invariant.about}{plural}"
    ids = f" ({listed_ids(each.examples)}{', ...' if each.count > len(each.examples) else ''})" if each.examples else ""
    return f"{each.invariant.name}: {count}{ids}. {each.invariant.means}"


def discrepancies(context: CheckContext) -> Finding:
    with context.runtime.sessions() as session:
        found = status_queries.open_discrepancies(session)
        days = status_queries.days_of_discrepancies(session)
    if not found.count or found.oldest_at is None:
        return ok("discrepancies", "PortOne and our records agree, as far as they were compared")
    some = "1 discrepancy waits" if found.count == 1 else f"{found.count} discrepancies wait"
    said = f"{some} to be decided, the oldest since {_local(found.oldest_at)}"
    return warning("discrepancies", said, "`again review list`", subjects=[str(day) for day in days])


def arrears(context: CheckContext) -> Finding:
    """Report what is not charged until a customer agrees or pays."""
    with context.runtime.sessions() as session:
        counts = count_queries.counts(session, now=context.now)
    consent, payment = counts["waiting_for_consent"].count, counts["waiting_for_payment"].count
    if not consent and not payment:
        return ok("arrears", "no charge waits for consent, and no subscription for a payment")
    said = []
    if payment:
        some = "1 subscription has" if payment == 1 else f"{payment:,} subscriptions have"
        said.append(f"{some} as many unpaid charges as its plan allows, so its periods pass and are not owed")
    if consent:
        some = "1 charge waits" if consent == 1 else f"{consent:,} charges wait"
        said.append(f"{some} for consent, which replacing the key did not include")
    remedy = "`again checkout link CODE --replace` lets the customer agree; `again status`, `again subscription list`"
    return warning("arrears", "; ".join(said), remedy)


def trials(context: CheckContext) -> Finding:
    """Warn of plans whose trial outlasts the consent given at its start, or whose end is told too late."""
    with context.runtime.sessions() as session:
        known = [plan_of(row) for row in plan_queries.known(session)]
    overlong = plans.overlong_trials(known)
    untold = plans.unannounced_trials(known, context.runtime.settings.consent_gate)
    if overlong is None and untold is None:
        return ok("trials", f"no plan has a trial of more than {plans.MAX_TRIAL_DAYS} days")
    remedies = {overlong: plans.TRIAL_REMEDY, untold: plans.NOTICE_REMEDY}
    said = [each for each in (overlong, untold) if each is not None]
    return warning("trials", " ".join(said), " ".join(remedies[each] for each in said))


def look_ups(context: CheckContext) -> Finding:
    with context.runtime.sessions() as session:
        failing = status_queries.failing_look_ups(session)
        failure = status_queries.look_up_failure(session)
    if not failing.count or failing.oldest_at is None:
        return ok("look-ups", "no look-up of an unknown charge fails")
    some = "1 charge" if failing.count == 1 else f"{failing.count:,} charges"
    since = _local(failing.oldest_at)
    said = f"{some} with an unknown outcome cannot be looked up at PortOne, the first since {since} ({failure})"
    return warning("look-ups", said, f"{CHECK_PORTONE}; look-ups are repeated automatically")


def sweeps(context: CheckContext) -> Finding:
    with context.runtime.sessions() as session:
        holding, daily = status_queries.holding_sweep(session), status_queries.last_daily_sweep(session)
        failing = status_queries.failing_sweep(session)
    if holding is not None:
        said = (
            f"nothing is charged until PortOne's payments are reconciled ({holding.reason}), since "
            f"{_local(holding.started_at)}; reconciled up to {_local(holding.position)} of {_local(holding.until)}, "
            f"{holding.payments:,} payments"
        )
        quiet_period = context.runtime.settings.quiet_period
        waiting = explain_hold(holding, now=context.now, quiet_period=quiet_period)
        found = broken if waiting.broken else warning
        return found("sweeps", f"{said}. Waiting: {waiting.reason}", waiting.remedy)
    if failing is not None and failing.failing_since is not None:
        said = (
            f"PortOne's payment list cannot be read since {_local(failing.failing_since)} ({failing.failure}); "
            f"reconciled up to {_local(failing.position)} of {_local(failing.until)}"
        )
        return warning("sweeps", said, f"{CHECK_PORTONE}; it resumes once PortOne answers")
    if daily is None or daily.finished_at is None:
        return ok("sweeps", "no daily sweep has finished yet, and none holds charging")
    counts = (
        f"{daily.payments:,} payments compared, {daily.not_ours:,} of them not ours, "
        f"{daily.repaired:,} repaired, {daily.found:,} to be decided"
    )
    return ok("sweeps", f"the last daily sweep finished {_local(daily.finished_at)}: {counts}")


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}"
