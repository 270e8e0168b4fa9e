"""Is everything in order? Each check finds one thing out, and says what to do when it is not.

The checks only read. None of them charges, claims or repairs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from worker.doctor import pages, portone_schedules, progress, records, servers
from worker.doctor.finding import Finding, Health, Patient, broken

CHECKS: Mapping[str, Callable[[Patient], Finding]] = {
    "database": servers.database,
    "migrations": servers.migrations,
    "lineage": servers.lineage,
    "broker": servers.broker,
    "timeouts": servers.timeouts,
    "portone": servers.portone,
    "beat": progress.beat,
    "worker": progress.worker,
    "tasks": progress.tasks,
    "stops": progress.stops,
    "invariants": records.hold,
    "discrepancies": records.discrepancies,
    "arrears": records.arrears,
    "trials": records.long_trials,
    "look-ups": records.look_ups,
    "sweeps": records.sweeps,
    "schedules": portone_schedules.schedules,
    "pages": pages.pages,
}
ON_TABLES = (
    *("migrations", "lineage", "beat", "worker", "tasks", "stops"),
    *("invariants", "discrepancies", "arrears", "trials", "look-ups", "sweeps"),
    "schedules",
)
ON_DATABASE = ("database", *ON_TABLES)
DOWN = "the database does not answer"


def examine(patient: Patient, names: list[str] | None = None) -> Iterator[Finding]:
    """Run the named checks, or all of them; yields each finding as it is made.

    One cause is told once: what cannot be found out because of it is skipped.
    """
    blocked = ""
    for name in names or CHECKS:
        if blocked and name in ON_TABLES:
            yield Finding(name, Health.SKIPPED, blocked)
            continue
        finding = _no_database(name, patient) if patient.no_database and name in ON_DATABASE else _try(name, patient)
        if finding.health is Health.BROKEN and name in {"database", "migrations"}:
            blocked = f"needs the {'database' if name == 'database' else 'tables'}"
        elif finding.health is Health.BROKEN and finding.finding.startswith(DOWN):
            blocked = "needs the database"
        yield finding


def _no_database(name: str, patient: Patient) -> Finding:
    return broken(name, f"{DOWN}: there is none", patient.no_database)


def _try(name: str, patient: Patient) -> Finding:
    try:
        return CHECKS[name](patient)
    except (OperationalError, InterfaceError) as error:
        return broken(name, f"{DOWN}: {_reason(error)}", "check AGAIN_DATABASE_URL and the server")
    except DBAPIError as error:
        return broken(
            name, f"the database refuses: {_reason(error)}", "run `again migrate`, or give its user the rights"
        )


def _reason(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]
