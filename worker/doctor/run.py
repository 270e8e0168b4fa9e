"""Running the health checks: each examines one thing, and says what to do when it is not in order.

The checks only read. None of them charges, claims or repairs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from worker.doctor import backlog, declines, deliveries, pages, portone_schedules, progress, records, servers
from worker.doctor.finding import CheckContext, Code, Finding, Health, broken, skipped

CHECKS: Mapping[str, Callable[[CheckContext], Finding]] = {
    "database": servers.database,
    "migrations": servers.migrations,
    "identity": servers.identity,
    "broker": servers.broker,
    "timeouts": servers.timeouts,
    "portone": servers.portone,
    "beat": progress.beat,
    "worker": progress.worker,
    "tasks": progress.tasks,
    "stops": progress.stops,
    "invariants": records.invariants,
    "discrepancies": records.discrepancies,
    "arrears": records.arrears,
    "trials": records.trials,
    "look-ups": records.look_ups,
    "sweeps": records.sweeps,
    "backlog": backlog.backlog,
    "relay": deliveries.relay,
    "destinations": deliveries.destinations,
    "schedules": portone_schedules.schedules,
    "pages": pages.pages,
    "declines": declines.declines,
}
ON_TABLES = (
    *("migrations", "identity", "beat", "worker", "tasks", "stops"),
    *("invariants", "discrepancies", "arrears", "trials", "look-ups", "sweeps", "backlog"),
    *("relay", "destinations", "schedules"),
)
ON_DATABASE = ("database", *ON_TABLES)


def examine(context: CheckContext, names: list[str] | None = None) -> Iterator[Finding]:
    """Run the named checks, or all of them; yields each finding as it is made.

    One cause is reported once: checks that depend on what is broken are skipped.
    """
    missing = ""
    for name in names or CHECKS:
        if missing and name in ON_TABLES:
            yield skipped(name, missing)
            continue
        finding = _no_database(name, context) if context.no_database and name in ON_DATABASE else _try(name, context)
        if finding.health is Health.BROKEN:
            missing = missing or _missing_after(finding)
        yield finding


def _missing_after(finding: Finding) -> str:
    """Return what later checks lack after a broken one; empty when they can go on."""
    if finding.code in {Code.NO_DATABASE, Code.DATABASE_UNREACHABLE} or finding.check == "database":
        return "the database"
    return "the tables" if finding.check == "migrations" else ""


def _no_database(name: str, context: CheckContext) -> Finding:
    return broken(name, "the database does not answer: there is none", context.no_database, code=Code.NO_DATABASE)


def _try(name: str, context: CheckContext) -> Finding:
    try:
        return CHECKS[name](context)
    except (OperationalError, InterfaceError) as error:
        return broken(
            name,
            f"the database does not answer: {_reason(error)}",
            "check AGAIN_DATABASE_URL and the server",
            code=Code.DATABASE_UNREACHABLE,
        )
    except DBAPIError as error:
        return broken(
            name, f"the database refuses: {_reason(error)}", "run `again migrate`, or give its user the rights"
        )


def _reason(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]
