"""Bulk runs: a dry run first, a record of each row, and going on after an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.conftest import World
from worker.changes.bulk import BulkAct, BulkItem, BulkTotals, preview_bulk, start_bulk, work_on
from worker.changes.bulk_rows import items_of_file, items_of_filter
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import pay

CANCEL = BulkAct(kind=ChangeKind.CANCEL, when=Moment.NOW, reason="the service ends")


def work(world: World, bulk_id: int, **given: object) -> BulkTotals:
    return work_on(
        world.runtime.sessions,
        bulk_id,
        policy=world.runtime.change_policy,
        clock=lambda: world.now,
        **given,  # type: ignore[arg-type]
    )


def test_bulk_run_does_each_row_and_records_those_refused(world: World):
    codes = [world.subscribe(pay()) for _ in range(3)]
    items = [*map(BulkItem, codes), BulkItem("ZZZZZZZZZZZZZ"), BulkItem(codes[0])]
    dry = preview_bulk(world.runtime.sessions, CANCEL, items, policy=world.runtime.change_policy, now=world.now)
    assert (dry.done, dry.refused.total(), world.sql("SELECT id FROM changes")) == (4, 1, [])
    bulk_id = start_bulk(world.runtime.sessions, CANCEL, items, now=world.now)
    totals = work(world, bulk_id)
    assert (totals.done, totals.refused.total()) == (3, 2)
    rows = world.sql("SELECT status, reason, change_id FROM bulk_rows ORDER BY number")
    assert [row.status for row in rows] == ["done", "done", "done", "failed", "failed"]
    assert "There is no subscription" in rows[3].reason
    assert "for good" in rows[4].reason
    assert all(row.change_id for row in rows[:3])
    world.tick()
    assert world.portone.report().charges == 0
    world.assert_books_agree()


def test_bulk_run_ended_halfway_goes_on_and_does_no_row_twice(world: World):
    codes = [world.subscribe(pay()) for _ in range(4)]
    bulk_id = start_bulk(world.runtime.sessions, CANCEL, [BulkItem(code) for code in codes], now=world.now)

    class Stopped(Exception):
        pass

    def stop(totals: BulkTotals) -> None:
        if totals.seen == 2:
            raise Stopped

    with pytest.raises(Stopped):
        work(world, bulk_id, progress=stop)
    assert work(world, bulk_id).done == 2
    assert {world.subscription(code).status for code in codes} <= {
        SubscriptionStatus.CANCELED,
        SubscriptionStatus.ENDED,
    }
    (changes,) = world.sql("SELECT count(*) FROM changes")
    assert changes.count == 4
    with pytest.raises(Refused, match="has finished"):
        work(world, bulk_id)


def test_filter_finds_the_subscriptions_of_a_plan_and_a_status(world: World):
    active, paused = world.subscribe(pay()), world.subscribe(pay())
    world.change(ChangeKind.PAUSE, paused, Moment.NOW)
    sessions = world.runtime.sessions
    found = items_of_filter(sessions, ChangeKind.CANCEL, plan="monthly", status=SubscriptionStatus.PAUSED)
    assert [item.subject for item in found] == [paused]
    found = items_of_filter(sessions, ChangeKind.CANCEL, plan="monthly", status=None)
    assert {item.subject for item in found} == {active, paused}
    with pytest.raises(Refused, match="no plan"):
        items_of_filter(sessions, ChangeKind.CANCEL, plan="gold", status=None)


def test_file_has_a_column_for_the_subject_and_one_for_each_parameter(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("subscription,until\n7ZK3M9QX2VB4C,2027-03-01\n7ZK3M9QX2VB4D,\n", "utf-8")
    assert items_of_file(path, ChangeKind.PAUSE) == [
        BulkItem("7ZK3M9QX2VB4C", {"until": "2027-03-01"}),
        BulkItem("7ZK3M9QX2VB4D", {}),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code\nX\n", "no column 'subscription'"),
        ("subscription\n\n ,x\n", "line 3: "),
        ("subscription,until\n,2027-03-01\n", "line 2: no subscription"),
    ],
)
def test_file_that_is_wrong_is_refused_by_line(tmp_path: Path, text: str, said: str):
    path = tmp_path / "rows.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(Refused, match=said):
        items_of_file(path, ChangeKind.PAUSE)
    with pytest.raises(Refused, match="cannot be read"):
        items_of_file(tmp_path / "missing.csv", ChangeKind.PAUSE)


def test_bulk_run_goes_on_after_a_row_that_is_no_charge(world: World):
    world.subscribe(pay())
    act = BulkAct(kind=ChangeKind.VOID, when=Moment.NOW, reason="forgiven")
    bulk_id = start_bulk(world.runtime.sessions, act, [BulkItem("abc"), BulkItem("999")], now=world.now)
    assert work(world, bulk_id).refused.total() == 2
    assert [row.status for row in world.sql("SELECT status FROM bulk_rows ORDER BY number")] == ["failed", "failed"]


def test_row_that_says_false_means_it_and_whole_numbers_are_read(world: World, tmp_path: Path):
    code = world.subscribe(pay())
    world.tick()
    file = tmp_path / "rows.csv"
    file.write_text(f"subscription,version,agreed\n{code},1,false\n", encoding="utf-8")
    (item,) = items_of_file(file, ChangeKind.CHANGE_PRICE)
    assert item.parameters == {"version": "1", "agreed": False}
    act = BulkAct(kind=ChangeKind.CHANGE_PLAN, parameters={"quantity": "2"}, reason="two seats")
    assert work(world, start_bulk(world.runtime.sessions, act, [BulkItem(code)], now=world.now)).done == 1
    with pytest.raises(Refused, match="true or false"):
        world.change(ChangeKind.CHANGE_PRICE, code, version=1, agreed="false")
