"""What is said about an end of dunning before it comes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schedules.end_of_dunning import DunningEnd, GivenUpAs
from worker.domain.end_of_dunning import DunningFailure, FailedDunning, announcement, reason_of


def failed(failure: DunningFailure, end: DunningEnd = DunningEnd.CANCEL) -> FailedDunning:
    return FailedDunning(
        subscription_id=1,
        code="7ZK3M9QX2VB4C",
        failure=failure,
        charge_id=12 if failure is DunningFailure.SPENT else None,
        billing_key_id=7,
        end=end,
        given_up=GivenUpAs.VOID,
        deadline_days=14,
        ends_at=datetime(2026, 3, 1, 16, tzinfo=UTC),  # already the 2nd in Seoul
        time_zone="Asia/Seoul",
    )


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (DunningFailure.SPENT, "the dunning calendar of charge 12 is spent"),
        (DunningFailure.LOST_KEY, "billing key 7 is dead and was not replaced within 14 days"),
    ],
)
def test_reason_names_what_has_failed(failure: DunningFailure, said: str):
    assert reason_of(failed(failure)) == said


def test_announcement_names_the_day_in_the_plans_zone_and_what_averts_it():
    said = announcement(failed(DunningFailure.LOST_KEY))
    assert "is canceled on 2026-03-02" in said.en
    assert "not owed any more, unless that is paid or its billing key replaced" in said.en
    assert said.ko.startswith("2026년 3월 2일까지 요금이 결제되거나 결제 수단이 변경되지 않으면 구독이 해지됩니다.")
    assert "일시정지됩니다" in announcement(failed(DunningFailure.LOST_KEY, DunningEnd.PAUSE)).ko
