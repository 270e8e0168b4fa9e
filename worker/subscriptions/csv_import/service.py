"""Many subscriptions from a CSV file, all of them or none: every row is checked before the first is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.ledger.terms import as_sold
from worker.subscriptions import plan_queries
from worker.subscriptions.csv_import import queries
from worker.subscriptions.csv_import.files import Progress, columns_of, read_csv
from worker.subscriptions.csv_import.queries import Added
from worker.subscriptions.csv_import.rows import COLUMNS, REQUIRED, Known, Problem, RowReader, Staged, shown

LISTED = 50
"""How many problems are kept and named; of a file that is wrong throughout, more would not help."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held, and what was written: nothing, on a dry run. `trials` are the plans of rows that have one."""

    rows: int
    added: Added | None
    pgs: Mapping[str, int]  # rows by PG
    scheduled: tuple[int, ...] = ()  # the lines whose keys PortOne is going to charge by itself
    trials: tuple[Plan, ...] = ()


class RowsRefused(Refused):
    """Rows are wrong, so nothing was imported. `problems` are the first of `total`."""

    def __init__(self, problems: list[Problem], total: int) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column))[:LISTED]
        self.total = total
        listed = "\n".join(map(str, self.problems))
        more = f"\n... and {total - len(self.problems):,} more" if total > len(self.problems) else ""
        count = "1 problem" if total == 1 else f"{total:,} problems"
        super().__init__(f"{listed}{more}\nNothing was imported: {count}. Correct the file and try again.")


def import_subscriptions(
    sessions: Sessions,
    path: Path,
    *,
    max_amount: int,
    backdate: bool = False,
    allow_duplicates: bool = False,
    dry_run: bool = False,
    now: datetime,
    progress: Progress = lambda _: None,
    scheduled_uids: Sequence[str] = (),
) -> Imported:
    """Import a file, or only check it on a dry run. Raises Refused for a file, RowsRefused for rows that are wrong.

    Wrong are also, unless `allow_duplicates`, rows that look like one customer on one plan twice, in the file or with
    what is running: references that differ in case, width or spaces only, and one customer_uid under two of them.
    """
    with sessions.begin() as session:
        check = _Check(session, path, max_amount=max_amount, backdate=backdate, now=now)
        rows = queries.stage(session, check.good_rows(progress))
        check.compare(session, allow_duplicates=allow_duplicates)
        if not rows:
            raise Refused(f"{path} has no rows after its first line; nothing was imported.")
        pgs, scheduled = queries.pgs(session), tuple(queries.lines_of_keys(session, scheduled_uids))
        added = None if dry_run else queries.write(session, now=now)
        if added is not None and added.subscriptions != rows:
            raise Refused(
                "Another process changed the same keys or subscriptions meanwhile; nothing was imported. Try again."
            )
    return Imported(rows, added, pgs, scheduled, check.trials())


class _Check:
    """Gathers what is wrong with a file: first row by row, then between rows and with the database."""

    def __init__(self, session: Session, path: Path, *, max_amount: int, backdate: bool, now: datetime) -> None:
        self._path = path
        known = {
            row.code: Known(row.id, as_sold(session, row.id, plan_of(row), now=now))
            for row in plan_queries.known(session)
        }
        self._plans = {each.id: each.plan for each in known.values()}
        self._with_trial: set[int] = set()
        self._reader = partial(RowReader, plans=known, max_amount=max_amount, backdate=backdate, now=now)
        self._problems: list[Problem] = []
        self._total = 0

    def good_rows(self, progress: Progress) -> Iterator[Staged]:
        rows = read_csv(self._path, progress)
        columns = columns_of(self._path, next(rows, None), known=COLUMNS, required=REQUIRED)
        reader = self._reader(columns)
        for row in rows:
            read = reader.read(row)
            if isinstance(read, Staged):
                if read.status == SubscriptionStatus.TRIALING:
                    self._with_trial.add(read.plan_id)
                yield read
            else:
                self._total += len(read)
                self._problems.extend(read[: max(0, LISTED - len(self._problems))])

    def trials(self) -> tuple[Plan, ...]:
        """List the plans of good rows that begin with a trial."""
        return tuple(self._plans[plan_id] for plan_id in sorted(self._with_trial))

    def compare(self, session: Session, *, allow_duplicates: bool) -> None:
        """Look for rows that contradict each other or the database; raise RowsRefused if anything at all is wrong."""
        found = queries.conflicts(session, duplicates=not allow_duplicates, limit=LISTED)
        self._total += found[0].total if found else 0
        for row in found:
            value = shown(row.column_name, row.value or "")
            self._problems.append(Problem(row.line, row.column_name, value, row.expected))
        if self._total:
            raise RowsRefused(self._problems, self._total)
