"""Judging rows by the invariants, one read-only statement each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.ledger import blockers, queues
from worker.operations import violation_queries
from worker.operations.changed_rows import Touched
from worker.operations.invariant_queries import QUERIES, subject_of
from worker.operations.invariant_subjects import CAN_BREAK, Subject
from worker.operations.invariants import INVARIANTS, Invariant, Thresholds

MAX_COUNTED = 1000
"""Rows that are counted at most: a thousand broken ones say as much as a million, and evaluating must stay cheap."""

MAX_EXAMPLES = 5
"""Ids of broken rows that are shown of each invariant."""

SLICE = 2000
"""Charges or subscriptions that one statement is asked about: for a fraction of a second, however many there are."""


@dataclass(frozen=True, slots=True)
class BrokenInvariant:
    """An invariant that does not hold: of how many rows (MAX_COUNTED stands for that many or more), and their ids."""

    invariant: Invariant
    count: int
    ids: tuple[int, ...]

    @property
    def examples(self) -> tuple[int, ...]:
        return self.ids[:MAX_EXAMPLES]


@dataclass(slots=True)
class _Found:
    ids: set[int] = field(default_factory=set)
    nameless: int = 0  # rows that there should be, and are not

    @property
    def count(self) -> int:
        return min(len(self.ids) + self.nameless, MAX_COUNTED)


class Judge:
    """Collects what is broken while rows are judged, in one transaction and by one instant."""

    def __init__(
        self, session: Session, *, now: datetime, thresholds: Thresholds, invariants: Iterable[Invariant] = INVARIANTS
    ) -> None:
        self._session = session
        self._invariants = tuple(invariants)
        self._parameters = {**blockers.parameters(session, now=now), **_parameters(now, thresholds)}
        self._found = {invariant.name: _Found() for invariant in self._invariants}
        plan_by_index(session)

    def judge_open(self) -> None:
        """Evaluate the invariants that are asked about everything that an index holds."""
        self._ask(Subject.ALL, {})
        names = [*queues.waiting_queues(self._session), *queues.queues_of_plans(self._session)]
        asked = {**self._parameters, "queues": names, "most": MAX_COUNTED}
        self.judge(Touched(self._session.scalars(violation_queries.OVERDUE, asked).all(), ()))

    def judge(self, touched: Touched) -> None:
        """Evaluate the invariants that are asked about charges or subscriptions for some of them."""
        for charges in _slices(touched.charges):
            rows = self._session.execute(violation_queries.STATUSES, {"charges": charges}).all()
            self._ask(Subject.CHARGES, {"charges": charges}, {row.status: row.ids for row in rows})
        for subscriptions in _slices(touched.subscriptions):
            self._ask(Subject.SUBSCRIPTIONS, {"subscriptions": subscriptions})

    def broken(self) -> list[BrokenInvariant]:
        """Return the invariants that do not hold, of what was judged by now."""
        return [
            BrokenInvariant(invariant, found.count, tuple(sorted(found.ids)[:MAX_COUNTED]))
            for invariant in self._invariants
            if (found := self._found[invariant.name]).count
        ]

    def _ask(
        self, subject: Subject, asked: Mapping[str, Any], by_status: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        for invariant in self._invariants:
            found = self._found[invariant.name]
            if subject_of(invariant.name) is not subject or found.count >= MAX_COUNTED:
                continue
            if by_status is not None and (statuses := CAN_BREAK.get(invariant.name)):
                asked = {"charges": [each for status in statuses for each in by_status.get(status, ())]}
                if not asked["charges"]:
                    continue
            elif by_status is not None:
                asked = {"charges": [each for ids in by_status.values() for each in ids]}
            query = violation_queries.FOUND.format(query=QUERIES[invariant.name], most=MAX_COUNTED)
            row = self._session.execute(text(query), {**self._parameters, **asked}).one()
            found.ids.update(row.ids)
            found.nameless = max(found.nameless, row.found - len(row.ids))


def _slices(ids: Collection[int]) -> Iterator[Sequence[int]]:
    every = sorted(ids)
    return (every[start : start + SLICE] for start in range(0, len(every), SLICE))


def _parameters(now: datetime, thresholds: Thresholds) -> Mapping[str, Any]:
    """Return what the queries compare with: mostly the instants before which something should have been done."""
    since = ("opening", "claiming", "lease", "look_up", "discrepancy", "sweep", "hold")
    return {
        "now": now,
        **{name: now - getattr(thresholds, name) for name in since},
        "lookup_backoff": now - thresholds.lookup_backoff,
        "clocks": thresholds.clocks,
        "missed": now - 2 * thresholds.sweep_every,
        "under_way": now - thresholds.sweep_every,
    }
