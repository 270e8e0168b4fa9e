"""What previews have said, until something else happens to the subscription: it has to come true, to the won."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.changes.office import Office
from worker.changes.preview import SHOWN_PERIODS
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.domain.previews import Preview, PreviewedPeriod
from worker.ledger.changes import Change

_CHARGES = """
    SELECT c.id, c.period_start AS start, c.period_end AS end, c.amount, c.status <> 'void' AS owed
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE s.code = :code AND c.id > :after ORDER BY c.period_start
"""
_CALM = """
    SELECT NOT EXISTS (SELECT FROM charges c WHERE c.subscription_id = s.id
                       AND c.status IN ('due', 'charging', 'past_due', 'uncollectible')) AS calm
    FROM subscriptions s WHERE s.code = :code
"""
_CHANGE = "SELECT status, status_reason FROM changes WHERE id = :id"
_TRIED = "SELECT id FROM attempts WHERE charge_id = :id AND started_at >= :at"
_HELD = "SELECT id FROM charges WHERE id = :id AND gate_held_since IS NOT NULL"
_CHARGED_AT_ONCE = frozenset({ChangeKind.CHANGE_PLAN, ChangeKind.TRIAL})


@dataclass
class Promise:
    """One preview: the periods to come that it showed, and the sentence with which a scheduled change is applied."""

    code: str
    after: int  # the newest charge when it was made, or when it was asked for
    periods: tuple[PreviewedPeriod, ...]
    change_id: int | None
    sentence: str
    effective_at: datetime


@dataclass
class Promises:
    """The previews that nothing has intervened with since."""

    office: Office
    broken: list[str] = field(default_factory=list)
    _open: dict[str, Promise] = field(default_factory=dict)

    def forget(self, code: str | None = None) -> None:
        """Something else happens, to one subscription or to all: previews had not known of it."""
        if code is None:
            self._open.clear()
        else:
            self._open.pop(code, None)

    def make(self, preview: Preview, change: Change) -> None:
        """Keep what a preview has said; what was done at once is checked now."""
        code = preview.subscription
        if not preview.at_once and change.status is ChangeStatus.APPLIED:
            self.broken.append(f"change {change.id} was applied before its time")
        newest = self._newest(code)
        if preview.at_once and preview.kind in _CHARGED_AT_ONCE:
            self._check_charged_at_once(preview, change)
        self.office.tick()
        if preview.at_once and preview.kind is ChangeKind.COLLECT and not preview.effect.cautions:
            self._check_collected(change)
        if preview.at_once and preview.kind is ChangeKind.OVERRIDE_GATE:
            self._check_released(change)
        if self.office.world.sql(_CALM, code=code)[0].calm:
            waiting = change.id if change.status is ChangeStatus.SCHEDULED and change.waits_for is None else None
            self._open[code] = Promise(
                code, newest, preview.periods, waiting, preview.effect.sentence.en, preview.effective_at
            )
            self.check()

    def check(self) -> None:
        """Compare what has happened with what was said."""
        for promise in list(self._open.values()):
            self._check_periods(promise)
            self._check_application(promise)

    def _check_periods(self, promise: Promise) -> None:
        rows = self.office.world.sql(_CHARGES, code=promise.code, after=promise.after)
        # What begins before the change takes effect is not shown: it is on the old terms.
        first = promise.periods[0].start if promise.periods else promise.effective_at
        shown = [row for row in rows if row.start >= first]
        for said, row in zip(promise.periods, shown, strict=False):
            if (said.start, said.amount, said.owed) != (row.start, row.amount, row.owed):
                self.broken.append(f"charge {row.id} is {row}, and the preview said {said}")
        if len(shown) > len(promise.periods) < SHOWN_PERIODS:
            self.broken.append(f"more was charged than {promise.periods}: {shown}")

    def _check_application(self, promise: Promise) -> None:
        if promise.change_id is None:
            return
        row = self.office.world.sql(_CHANGE, id=promise.change_id)[0]
        if row.status == ChangeStatus.FAILED:
            self.broken.append(f"change {promise.change_id} has failed, and was previewed: {row.status_reason}")
        if row.status == ChangeStatus.APPLIED and row.status_reason != promise.sentence:
            self.broken.append(f"applied: {row.status_reason}\npreviewed: {promise.sentence}")

    def _check_charged_at_once(self, preview: Preview, change: Change) -> None:
        sql = (
            "SELECT coalesce(sum(amount), 0) AS charged FROM charges WHERE created_at >= :at AND subscription_id = :id"
        )
        row: Any = self.office.world.sql(sql, at=change.created_at, id=change.subscription_id)[0]
        if row.charged != preview.effect.charged:
            self.broken.append(f"{row.charged} were charged at once, and the preview said {preview.effect.charged}")

    def _check_collected(self, change: Change) -> None:
        if not self.office.world.sql(_TRIED, id=change.charge_id, at=change.created_at):
            self.broken.append(f"charge {change.charge_id} was to be collected at once, and was not tried")

    def _check_released(self, change: Change) -> None:
        if self.office.world.sql(_HELD, id=change.charge_id):
            self.broken.append(f"charge {change.charge_id} was to be made in spite of the gate, which holds it")

    def _newest(self, code: str) -> int:
        return max((row.id for row in self.office.world.sql(_CHARGES, code=code, after=0)), default=0)
