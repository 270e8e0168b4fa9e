"""`again discount`, and what the next charges of a subscription differ by."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Again


def test_discount_code_is_added_listed_shown_and_ended(again: Again):
    terms = ("--percent", 50, "--periods", 3, "--max-uses", 100, "--name", "봄맞이 할인")
    added = again("discount", "add", "spring", *terms, "--json").document
    wanted = {"code": "SPRING", "percent": 50, "amount": None, "periods": 3, "max_uses": 100, "uses": 0}
    assert wanted.items() <= added.items()
    assert "50 %, 3 periods" in again("discount", "show", "SPRING").out
    assert [row["code"] for row in again("discount", "list", "--json").document] == ["SPRING"]
    assert "0 of 100" in again("discount", "list").out
    assert again("discount", "end", "SPRING", "--json").document["ended_at"] is not None
    assert "ended" in again("discount", "list").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("add", "spring"), "Give one of percent and amount"),
        (("add", "a b", "--percent", 10), "1 to 40 of A-Z"),
        (("add", "spring", "--percent", "12.5"), "whole number of percent from 1 to 100"),
        (("add", "spring", "--percent", 0), "whole number of percent from 1 to 100"),
        (("add", "spring", "--amount", "-5"), "whole number of won from 1"),
        (("add", "spring", "--percent", 10, "--max-uses", 0), "The number of uses is '0'"),
        (("add", "spring", "--percent", 10, "--ends-on", "soon"), "must be a date"),
        (("add", "spring", "--percent", 10, "--ends-on", "2020-01-01"), "in the past"),
        (("add", "spring", "--percent", 10, "--plan", "none"), "There is no plan 'none'"),
        (("show", "none"), "There is no discount code"),
        (("end", "none"), "There is no discount code"),
    ],
)
def test_wrong_discount_code_is_refused_in_a_sentence(again: Again, arguments: tuple[object, ...], expected: str):
    assert expected in again("discount", *arguments, code=1).said
    assert again("discount", "list", "--json").document == []


def test_code_for_some_plans_says_so(again: Again, subscription: str):
    plan = again("subscription", "show", subscription, "--json").document["plan"]
    added = again("discount", "add", "spring", "--percent", 10, "--plan", plan, "--json").document
    assert added["plans"] == [plan]
    assert plan in again("discount", "show", "spring").out


def test_code_that_is_taken_stays_as_it_is(again: Again):
    again("discount", "add", "spring", "--percent", 50)
    assert "exists already" in again("discount", "add", "SPRING", "--percent", 90, code=1).said
    assert again("discount", "show", "spring", "--json").document["percent"] == 50


def test_discount_is_previewed_given_shown_and_taken_back(again: Again, subscription: str):
    given = ("subscription", "discount", subscription, "--percent", 50, "--periods", 3, "--name", "반값")
    previewed = again(*given, "--dry-run", "--json").document
    amounts = [period["amount"] for period in previewed["next_periods"]]
    assert again("subscription", "show", subscription, "--json").document["adjustments"] == []
    assert "next 3 charges have a discount of 50 %" in again(*given).said
    shown = again("subscription", "show", subscription, "--json").document
    assert [each["amount"] for each in shown["upcoming"]] == amounts
    (adjustment,) = shown["adjustments"]
    assert (adjustment["description"], adjustment["periods_left"]) == ("반값", 3)
    assert "discount of 50 %, 3 more periods" in again("subscription", "show", subscription).said
    assert "no further charge" in again("subscription", "discount", subscription, "--remove", adjustment["id"]).said
    assert again("subscription", "show", subscription, "--json").document["adjustments"] == []


def test_credit_and_item_are_asked_for_once_under_one_key(again: Again, subscription: str):
    for _ in range(2):
        again("subscription", "credit", subscription, "--amount", 3000, "--idempotency-key", "c-1")
        again(
            "subscription", "add-item", subscription, "--amount", 5000, "--name", "가입비", "--idempotency-key", "i-1"
        )
    kinds = [each["kind"] for each in again("subscription", "show", subscription, "--json").document["adjustments"]]
    assert kinds == ["credit", "one_off"]
    again("subscription", "credit", subscription, "--amount", 4000, "--idempotency-key", "c-1", code=1)
    said = again("subscription", "show", subscription).said
    assert "credit, 3,000 KRW left" in said
    assert "5,000 KRW with the next charge" in said


def test_item_beyond_the_agreed_price_says_so_when_it_is_added(again: Again, subscription: str):
    added = again("subscription", "add-item", subscription, "--amount", 5000, "--name", "가입비")
    assert "more than the price that the customer has agreed to" in added.err
