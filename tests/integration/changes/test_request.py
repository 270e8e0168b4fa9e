"""Asking for changes: once under one key, as it was previewed, and by one process at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, open_all
from tests.support.acts import POLICY
from tests.support.book import Book, Subscribed
from worker.changes.apply_due import apply_due_changes
from worker.changes.request import ChangeRequest, PreviewChanged, preview_change, request_change
from worker.changes.undo import undo_change
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused


@pytest.fixture
def subscribed(book: Book, sessions: Sessions) -> Subscribed:
    subscribed = book.subscribe(now=NOW)
    open_all(sessions)
    return subscribed


def canceling(subscribed: Subscribed, **given: Any) -> ChangeRequest:
    request = ChangeRequest(kind=ChangeKind.CANCEL, subscription=subscribed.code, reason="moved away")
    return replace(request, **given)


def counts(sessions: Sessions) -> dict[str, int]:
    with sessions() as session:
        return {
            table: session.scalar(text(f"SELECT count(*) FROM {table}")) or 0
            for table in ("changes", "charges", "audit")
        }


def test_preview_writes_nothing(sessions: Sessions, subscribed: Subscribed):
    before = counts(sessions)
    preview = preview_change(sessions, canceling(subscribed, when=Moment.NOW), policy=POLICY, now=NOW)
    assert (preview.effect.no_longer_owed, preview.periods, preview.at_once) == (9900, (), True)
    assert counts(sessions) == before


def test_preview_of_a_cancellation_shows_no_period_after_it(sessions: Sessions, subscribed: Subscribed):
    preview = preview_change(sessions, canceling(subscribed), policy=POLICY, now=NOW)
    assert (preview.periods, preview.effect.no_longer_owed) == ((), 0)
    assert preview.paid_until == preview.effective_at  # its premise is that what is due is paid


def test_change_asked_for_twice_under_one_key_is_done_once(sessions: Sessions, subscribed: Subscribed):
    request = canceling(subscribed, idempotency_key="ticket-1")
    first = request_change(sessions, request, policy=POLICY, now=NOW)
    second = request_change(sessions, request, policy=POLICY, now=NOW + timedelta(hours=1))
    assert (second.change.id, second.repeated) == (first.change.id, True)
    assert counts(sessions)["changes"] == 1


def test_change_asked_for_at_once_by_ten_processes_is_done_once(sessions: Sessions, subscribed: Subscribed):
    request = canceling(subscribed, idempotency_key="ticket-1", when=Moment.NOW)
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(request_change, sessions, request, policy=POLICY, now=NOW) for _ in range(10)]
        changes = [each.result(30) for each in asked]
    assert len({each.change.id for each in changes}) == 1
    assert [each.repeated for each in changes].count(False) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"when": Moment.NOW},
        {"kind": ChangeKind.PAUSE},
        {"kind": ChangeKind.PAUSE, "parameters": {"until": "2030-01-01"}},
    ],
)
def test_idempotency_key_with_another_request_is_refused(sessions: Sessions, subscribed: Subscribed, given):
    request_change(sessions, canceling(subscribed, idempotency_key="ticket-1"), policy=POLICY, now=NOW)
    with pytest.raises(Refused, match="stands for another request"):
        request_change(sessions, canceling(subscribed, idempotency_key="ticket-1", **given), policy=POLICY, now=NOW)


def test_key_of_another_subscription_is_refused(book: Book, sessions: Sessions, subscribed: Subscribed):
    another = book.subscribe(now=NOW)
    request_change(sessions, canceling(subscribed, idempotency_key="ticket-1"), policy=POLICY, now=NOW)
    with pytest.raises(Refused, match="stands for another request"):
        request_change(sessions, canceling(another, idempotency_key="ticket-1"), policy=POLICY, now=NOW)


def test_change_that_comes_to_something_else_by_now_is_refused_with_its_new_preview(
    sessions: Sessions, subscribed: Subscribed
):
    request = canceling(subscribed, when=Moment.NOW)
    shown = preview_change(sessions, request, policy=POLICY, now=NOW)
    with sessions.begin() as session:  # it is paid meanwhile
        session.execute(text("UPDATE charges SET status = 'paid', paid_at = now(), next_attempt_at = NULL"))
    with pytest.raises(PreviewChanged) as refused:
        request_change(sessions, replace(request, fingerprint=shown.fingerprint), policy=POLICY, now=NOW)
    assert refused.value.preview.effect.no_longer_owed == 0
    assert counts(sessions)["changes"] == 0


@pytest.mark.parametrize("given", [{"subscription": "ZZZZZZZZZZZZZ"}, {"subscription": None}, {"charge": 1}])
def test_change_of_an_unknown_or_wrong_subject_is_refused(sessions: Sessions, subscribed: Subscribed, given):
    with pytest.raises(Refused):
        request_change(sessions, canceling(subscribed, **given), policy=POLICY, now=NOW)
    assert counts(sessions)["changes"] == 0


def test_unknown_parameter_is_refused(sessions: Sessions, subscribed: Subscribed):
    with pytest.raises(Refused, match="no parameter 'refnd'"):
        request_change(sessions, canceling(subscribed, parameters={"refnd": "all"}), policy=POLICY, now=NOW)


def test_change_whose_state_has_become_wrong_fails_and_says_why(sessions: Sessions, subscribed: Subscribed):
    pause = ChangeRequest(kind=ChangeKind.PAUSE, subscription=subscribed.code, reason="holiday")
    scheduled = request_change(sessions, pause, policy=POLICY, now=NOW)
    with sessions.begin() as session:  # as an older release would cancel it
        session.execute(text("UPDATE subscriptions SET status = 'canceled', next_charge_at = NULL, ends_at = now()"))
    later = scheduled.change.effective_at + timedelta(minutes=1)
    applied = apply_due_changes(sessions, policy=POLICY, now=later)
    assert (applied.applied, applied.failed, applied.stuck) == (0, 1, 0)
    with sessions() as session:
        row = session.execute(text("SELECT status, status_reason FROM changes")).one()
    assert row.status == "failed"
    assert "is canceled" in row.status_reason


def test_change_is_applied_once_by_two_ticks_at_the_same_moment(sessions: Sessions, subscribed: Subscribed):
    scheduled = request_change(sessions, canceling(subscribed), policy=POLICY, now=NOW)
    later = scheduled.change.effective_at + timedelta(days=4)
    with ThreadPoolExecutor(2) as pool:
        ticks = [pool.submit(apply_due_changes, sessions, policy=POLICY, now=later) for _ in range(2)]
        done = [tick.result(30) for tick in ticks]
    assert sum(each.applied for each in done) == 1
    assert sum(each.failed + each.stuck for each in done) == 0


def test_undone_change_cannot_be_undone_again(sessions: Sessions, subscribed: Subscribed):
    change = request_change(sessions, canceling(subscribed), policy=POLICY, now=NOW).change
    undo_change(sessions, change.id, reason="stays", policy=POLICY, now=NOW)
    with pytest.raises(Refused, match="undone already"):
        undo_change(sessions, change.id, reason="stays", policy=POLICY, now=NOW)
    with pytest.raises(Refused, match="no change 99"):
        undo_change(sessions, 99, reason="stays", policy=POLICY, now=NOW)
