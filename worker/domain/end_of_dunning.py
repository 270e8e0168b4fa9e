"""Why dunning has failed, and what is said about its end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from schedules.end_of_dunning import DunningEnd, GivenUpAs
from worker.domain.previews import Sentence


class DunningFailure(StrEnum):
    """Why dunning has failed."""

    SPENT = "spent"  # the dunning calendar of a charge is spent
    LOST_KEY = "lost_key"  # the billing key is dead, and was not replaced in time


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDunning:
    """A subscription whose dunning has failed, or has once its deadline is over, and what its plan says of that."""

    subscription_id: int
    code: str
    failure: DunningFailure
    charge_id: int | None  # whose calendar is spent
    billing_key_id: int | None  # the one that was declined
    end: DunningEnd
    given_up: GivenUpAs
    deadline_days: int | None
    ends_at: datetime
    time_zone: str


ENDS = {
    DunningEnd.CANCEL: Sentence("is canceled", "구독이 해지됩니다"),
    DunningEnd.PAUSE: Sentence("is paused until it is resumed", "구독이 일시정지됩니다"),
    DunningEnd.LEAVE: Sentence("stays past due", "구독이 그대로 유지됩니다"),
}
GIVEN_UP = {
    GivenUpAs.UNCOLLECTIBLE: Sentence("is not charged any more", "자동으로 결제되지 않습니다"),
    GivenUpAs.VOID: Sentence("is not owed any more", "청구되지 않습니다"),
}


def reason_of(failed: FailedDunning) -> str:
    """Return why dunning has failed, as the change and the audit have it."""
    if failed.failure is DunningFailure.SPENT:
        return f"the dunning calendar of charge {failed.charge_id} is spent"
    return f"billing key {failed.billing_key_id} is dead and was not replaced within {failed.deadline_days} days"


def announcement(failed: FailedDunning) -> Sentence:
    """Return what is to come, and what averts it."""
    on = failed.ends_at.astimezone(ZoneInfo(failed.time_zone)).date()
    end, given_up = ENDS[failed.end], GIVEN_UP[failed.given_up]
    return Sentence(
        f"Subscription {failed.code} {end.en} on {on}, and what is unpaid then {given_up.en}, unless that is paid or "
        "its billing key replaced before.",
        f"{on.year}년 {on.month}월 {on.day}일까지 요금이 결제되거나 결제 수단이 변경되지 않으면 {end.ko}. "
        f"그때까지 결제되지 않은 요금은 {given_up.ko}.",
    )
