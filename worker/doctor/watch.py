"""What a worker looks at every minute, for operators to be told: checks of `again doctor` that ask no other server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from worker.doctor import backlog, declines, deliveries, progress, records
from worker.doctor.finding import CheckContext, Finding, Health
from worker.domain.alerts import Trouble

WATCHED: Mapping[str, Callable[[CheckContext], Finding]] = {
    "beat": progress.beat,
    "tasks": progress.tasks,
    "stops": progress.stops,
    "invariants": records.violations,
    "discrepancies": records.discrepancies,
    "look-ups": records.look_ups,
    "sweeps": records.sweeps,
    "backlog": backlog.backlog,
    "relay": deliveries.relay,
    "destinations": deliveries.destinations,
    "declines": declines.declines,
}
"""By the name under which `again doctor` has it. What is no trouble of the operation, such as arrears, is not here."""

FOR_OPERATORS = frozenset({"stops", "invariants", "discrepancies", "declines"})
"""What waits for an operator, and passes by no work of the workers."""


def troubles(context: CheckContext) -> Sequence[Trouble]:
    """Return what is wrong now, as operators are told of it."""
    findings = [check(context) for check in WATCHED.values()]
    return [
        Trouble(
            check=each.check,
            subjects=frozenset(each.subjects),
            finding=each.finding,
            remedy=each.remedy,
            may_pass=each.check not in FOR_OPERATORS,
        )
        for each in findings
        if each.health in {Health.WARNING, Health.BROKEN}
    ]
