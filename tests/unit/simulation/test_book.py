"""The usual book, and one with another dunning calendar."""

from __future__ import annotations

from schedules.dunning import DunningCalendar
from worker.simulation.book import usual_book


def test_usual_book_has_as_many_subscriptions_as_asked_for():
    assert [usual_book(count).subscriptions for count in (1, 3, 10, 1000)] == [1, 3, 10, 1000]


def test_usual_book_of_one_subscription_has_one_plan():
    assert len(usual_book(1).plans) == 1


def test_another_calendar_changes_every_plan_and_nothing_else():
    book = usual_book(10)
    other = book.with_dunning(DunningCalendar((3, 7)))
    assert {str(share.plan.dunning) for share in other.plans} == {"3,7"}
    assert other.habits == book.habits
    assert [(share.plan.code, share.subscriptions) for share in other.plans] == [("letter", 7), ("coffee", 3)]
