"""The rows of a bulk run: of a CSV file, or of a filter."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from worker.changes.bulk import BulkItem
from worker.database.engine import Sessions
from worker.domain.changes import OF_A_CHARGE, ChangeKind
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.subscriptions import queries
from worker.subscriptions.plans import plan_row

MOST_ROWS = 1_000_000
"""Rows of one run. More is a slip of the pen, or a job for several."""


def items_of_file(path: Path, kind: ChangeKind) -> list[BulkItem]:
    """Return the rows of a CSV file with a head: `subscription` or `charge`, and a column for each parameter.

    An empty cell is no parameter. Raises Refused for a file that cannot be read, and a row without a subject, by line.
    """
    subject = "charge" if kind in OF_A_CHARGE else "subscription"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if subject not in (reader.fieldnames or ()):
                raise Refused(f"{path} has no column {subject!r}: its first line must name its columns.")
            items = [_item(path, reader.line_num, row, subject) for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise Refused(f"{path} cannot be read as CSV in UTF-8: {error}.") from None
    return _bounded(items)


def items_of_filter(
    sessions: Sessions, kind: ChangeKind, *, plan: str, status: SubscriptionStatus | None
) -> list[BulkItem]:
    """Return a row for every subscription of a plan, and of a status if one is given. Raises Refused."""
    if kind in OF_A_CHARGE:
        raise Refused("A filter finds subscriptions; list the charges of such an act in a file.")
    with sessions() as session:
        plan_row(session, plan)
        rows = queries.listed(session, status=status, plan=plan, customer=None, limit=MOST_ROWS + 1)
    over = {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    return _bounded([BulkItem(row["code"]) for row in rows if status is not None or row["status"] not in over])


def parameters_of(given: Sequence[str]) -> dict[str, str | bool]:
    """Return parameters that were typed as name=value. Raises Refused."""
    pairs = [each.partition("=") for each in given]
    if wrong := [name for name, equals, _ in pairs if not equals or not name.strip()]:
        raise Refused(f"{wrong[0]!r:.40} is no parameter: write name=value.")
    return {name.strip(): _value(value) for name, _, value in pairs}


def _value(text: str) -> str | bool:
    """Return what a cell says; `false` must not count as something that is given. Kinds read whole numbers as text."""
    return {"true": True, "false": False}.get(text.lower(), text)


def _item(path: Path, line: int, row: dict[str, str | None], subject: str) -> BulkItem:
    named = (row.pop(subject) or "").strip()
    if not named or None in row:
        raise Refused(f"{path}, line {line}: {'too many cells' if named else f'no {subject}'}.")
    return BulkItem(named, {name: _value(value.strip()) for name, value in row.items() if value and value.strip()})


def _bounded(items: list[BulkItem]) -> list[BulkItem]:
    if len(items) > MOST_ROWS:
        raise Refused(f"There are more than {MOST_ROWS:,} rows; split them.")
    return items
