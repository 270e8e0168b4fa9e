"""Bulk runs: one act on every row of a file or of a filter, each row a change of its own.

Rows are written down first and worked on one by one, each in its own transaction with its change, so that a run which
was ended goes on where it stopped, and no row is done twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from worker.changes import bulk_queries
from worker.changes.bulk_queries import BulkRun, WaitingRow
from worker.changes.kind import ChangePolicy
from worker.changes.request import ChangeRequest, preview_change, request_within
from worker.database.engine import Sessions
from worker.domain.changes import OF_A_CHARGE, BulkRowStatus, ChangeKind, When, read_when
from worker.domain.errors import Refused
from worker.domain.identifiers import read_id
from worker.domain.previews import Effect, Sentence


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One row: the code of a subscription or the id of a charge, and parameters of its own."""

    subject: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """What is done to every row; parameters of a row go before these."""

    kind: ChangeKind
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: When | None = None
    reason: str


@dataclass(slots=True)
class BulkTotals:
    """What a run, or a dry run, comes to so far. Sums are won; `refused` counts sentences."""

    rows: int = 0
    done: int = 0
    charged: int = 0
    refunded: int = 0
    credited: int = 0
    no_longer_owed: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def seen(self) -> int:
        return self.done + self.refused.total()

    def add(self, effect: Effect) -> None:
        self.done += 1
        self.charged += effect.charged
        self.refunded += effect.refunded
        self.credited += effect.credited
        self.no_longer_owed += effect.no_longer_owed


Progress = Callable[[BulkTotals], None]

NOTHING = Effect(sentence=Sentence("", ""))
"""What a row comes to that was asked for before."""


def preview_bulk(
    sessions: Sessions,
    act: BulkAct,
    items: Sequence[BulkItem],
    *,
    policy: ChangePolicy,
    now: datetime,
    progress: Progress = lambda _: None,
) -> BulkTotals:
    """Return what a bulk run would come to, row by row. Nothing is written."""
    totals = BulkTotals(rows=len(items))
    for item in items:
        try:
            preview = preview_change(sessions, _request(act, item), policy=policy, now=now)
        except Refused as refused:
            totals.refused[str(refused)] += 1
        else:
            totals.add(preview.effect)
        progress(totals)
    return totals


def start_bulk(sessions: Sessions, act: BulkAct, items: Sequence[BulkItem], *, now: datetime) -> int:
    """Write a bulk run and its rows down, and return its id; `work_on` does them. Raises Refused without a row."""
    if not items:
        raise Refused("There is no row to work on.")
    about = {"parameters": dict(act.parameters), "when": None if act.when is None else str(act.when)}
    with sessions.begin() as session:
        bulk_id = bulk_queries.start(session, act.kind, about, reason=act.reason, rows=len(items), now=now)
        rows = [
            {"number": number, "subject": item.subject, "parameters": dict(item.parameters), "status": "waiting"}
            for number, item in enumerate(items, 1)
        ]
        bulk_queries.add_rows(session, bulk_id, rows)
    return bulk_id


def work_on(
    sessions: Sessions,
    bulk_id: int,
    *,
    policy: ChangePolicy,
    clock: Callable[[], datetime],
    progress: Progress = lambda _: None,
) -> BulkTotals:
    """Work on the rows of a run that still wait, and return what these came to.

    Raises Refused for a run that does not exist, has finished, or is being worked on by another process.
    """
    run = known_run(sessions, bulk_id)
    act = _act_of(run)
    totals = BulkTotals(rows=run.rows)
    while _work_on_one(sessions, run, act, totals, policy, clock()):
        progress(totals)
    return totals


def known_run(sessions: Sessions, bulk_id: int) -> BulkRun:
    """Return a bulk run. Raises Refused for an unknown one."""
    with sessions() as session:
        run = bulk_queries.run(session, bulk_id)
    if run is None:
        raise Refused(f"There is no bulk run {bulk_id}. `again bulk list` shows those there are.")
    return run


def _work_on_one(
    sessions: Sessions, run: BulkRun, act: BulkAct, totals: BulkTotals, policy: ChangePolicy, now: datetime
) -> bool:
    """Work on the next row; False when none is left."""
    with sessions.begin() as session:
        if not bulk_queries.lock(session, run.id):
            if bulk_queries.next_row(session, run.id) is None:
                raise Refused(f"Bulk run {run.id} has finished; `again bulk show {run.id}` shows its rows.")
            raise Refused(f"Bulk run {run.id} is being worked on by another process. Try again in a moment.")
        row = bulk_queries.next_row(session, run.id)
        if row is None:
            bulk_queries.finish(session, run.id, now=now)
            return False
        try:
            request = _request(act, BulkItem(row.subject, row.parameters), key=f"bulk-{run.id}-{row.number}")
            with session.begin_nested():
                requested = request_within(session, request, policy=policy, now=now)
        except Refused as refused:
            totals.refused[str(refused)] += 1
            _end(session, run, row, BulkRowStatus.FAILED, str(refused), None)
        else:
            totals.add(NOTHING if requested.preview is None else requested.preview.effect)
            _end(session, run, row, BulkRowStatus.DONE, None, requested.change.id)
    return True


def _end(
    session: Session, run: BulkRun, row: WaitingRow, status: BulkRowStatus, reason: str | None, change_id: int | None
) -> None:
    bulk_queries.end_row(session, run.id, row.number, status, reason=reason, change_id=change_id)


def _request(act: BulkAct, item: BulkItem, *, key: str | None = None) -> ChangeRequest:
    of_a_charge = act.kind in OF_A_CHARGE
    charge = read_id(item.subject) if of_a_charge else None
    if of_a_charge and charge is None:
        raise Refused(f"{item.subject!r:.40} is no id of a charge.")
    return ChangeRequest(
        kind=act.kind,
        subscription=None if of_a_charge else item.subject,
        charge=charge,
        parameters={**act.parameters, **item.parameters},
        when=act.when,
        reason=act.reason,
        idempotency_key=key,
    )


def _act_of(run: BulkRun) -> BulkAct:
    when = run.parameters.get("when")
    return BulkAct(
        kind=run.kind,
        parameters=run.parameters.get("parameters", {}),
        when=None if when is None else read_when(when),
        reason=run.reason,
    )
