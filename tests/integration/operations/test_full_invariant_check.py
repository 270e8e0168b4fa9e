"""A full pass finds what no trigger has seen, slice by slice, and goes on where it was interrupted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.operations import all_rows, changed_rows, full_invariant_check, invariant_results
from worker.operations.all_rows import Place
from worker.operations.full_invariant_check import Progress
from worker.operations.invariant_check import check_invariants
from worker.operations.invariants import Thresholds

THRESHOLDS = Thresholds(lookup_backoff=timedelta(days=8), sweep_every=timedelta(days=1))
CHARGES = 5
OLD = "UPDATE charges SET status = 'paid', paid_at = :then, status_at = :then WHERE id = 4"
OVER = "UPDATE subscriptions SET status = 'past_due' WHERE id = 5"


@pytest.fixture
def damaged(book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """Five subscriptions with a charge each; one was made paid by hand, as if long ago, and one past due."""
    for _ in range(CHARGES):
        book.subscribe(now=NOW)
    open_all(sessions)
    claim_now(sessions)
    with sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE attempts SET status = 'unknown', next_lookup_at = :now"), {"now": NOW})
        session.execute(text("UPDATE attempts SET status = 'not_charged', next_lookup_at = NULL WHERE charge_id = 4"))
        session.execute(text(OLD), {"then": NOW - timedelta(days=365)})
        session.execute(text(OVER))
    with sessions.begin() as session:
        look = changed_rows.look(session, limit=changed_rows.CHANGES_AT_ONCE)
        changed_rows.advance(session, replace(look.next, settled=look.next.pending))
    monkeypatch.setattr(all_rows, "SLICE", 2)
    return sessions


def passed(sessions: Sessions, slices: int | None = None) -> list[Progress]:
    run = full_invariant_check.run(sessions, clock=lambda: NOW, thresholds=THRESHOLDS)
    return list(islice(run, slices))


def recorded(sessions: Sessions) -> dict[str, list[int]]:
    with sessions() as session:
        return {each.name: each.ids for each in invariant_results.recorded(session)}


FOUND = {"paid_charge_has_a_paid_attempt": [4], "past_due_subscription_owes_something": [5]}


def test_full_pass_finds_what_no_check_of_changes_sees(damaged: Sessions):
    assert check_invariants(damaged, now=NOW, thresholds=THRESHOLDS).broken == {}
    steps = passed(damaged)
    assert [step.reached for step in steps] == [
        *(Place(0, 0), Place(2, 0), Place(4, 0), Place(5, 0)),
        *(Place(5, 2), Place(5, 4), Place(5, 5)),
    ]
    assert {step.end for step in steps} == {Place(5, 5)}
    assert recorded(damaged) == FOUND


def test_what_a_full_pass_has_found_is_judged_until_it_holds_again(damaged: Sessions):
    passed(damaged)
    for _ in range(2):
        broken = check_invariants(damaged, now=NOW, thresholds=THRESHOLDS).broken
        assert broken.keys() - {"payments_are_compared_daily"} == FOUND.keys()
    with damaged.begin() as session:
        session.execute(text("UPDATE subscriptions SET status = 'active' WHERE id = 5"))
    assert check_invariants(damaged, now=NOW, thresholds=THRESHOLDS).gone == ["past_due_subscription_owes_something"]


def test_interrupted_pass_goes_on_where_it_was(damaged: Sessions):
    passed(damaged, 3)
    assert recorded(damaged) == {"paid_charge_has_a_paid_attempt": [4]}
    assert passed(damaged)[0].reached == Place(4, 0)
    assert recorded(damaged) == FOUND
    assert passed(damaged, 1)[0].reached == Place(0, 0), "the next one begins again"
