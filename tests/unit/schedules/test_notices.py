"""Which notices a plan wants, read from a text."""

from __future__ import annotations

import pytest

from schedules.errors import InvalidNotices
from schedules.notices import NoticeKind, PlanNotices, parse_notices
from schedules.plans import InvalidPlan, Plan


def test_notices_are_read_in_any_order_and_written_in_one():
    read = parse_notices(" Declined,price 30,  renewal 7 ")
    assert read == PlanNotices({NoticeKind.RENEWAL: 7, NoticeKind.PRICE: 30}, frozenset({NoticeKind.DECLINED}))
    assert str(read) == "renewal 7, price 30, declined"
    assert parse_notices(str(read)) == read
    assert str(parse_notices("None")) == "none"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("renewals 7", "there is no notice 'renewals', only renewal, trial, price"),
        ("renewal", "renewal needs its days ahead, from 1 to 60"),
        ("trial 0", "from 1 to 60"),
        ("price 61", "from 1 to 60"),
        ("renewal seven", "from 1 to 60"),
        ("declined 3", "so it has no days"),
        ("paid, paid", "paid is there twice"),
        ("renewal 7, renewal 3", "renewal is there twice"),
        ("paid,", "a name is missing"),
        ("", "a name is missing"),
    ],
)
def test_wrong_notices_are_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(InvalidNotices, match=reason) as refused:
        parse_notices(text)
    assert "or 'none'." in str(refused.value)


def test_plan_tells_what_is_wrong_with_its_notices():
    with pytest.raises(InvalidPlan, match="there is no notice 'sms'"):
        Plan.parse({"code": "gold", "name": "Gold", "amount": "9900", "cadence": "month", "notices": "sms"})
