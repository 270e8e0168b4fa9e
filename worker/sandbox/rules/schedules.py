"""Scheduled charges: validating them, and the ScheduleResult that shows their state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from worker.sandbox.rules import charge_requests, texts
from worker.sandbox.rules.answers import ApiError, bad_request, not_in_sandbox
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.charge_requests import BUYER_LIMITS, ChargeRequest

CARD_FIELDS = ("card_number", "expiry", "birth", "pwd_2digit", "cvc")
MOST_AT_ONCE = 1000  # schedules in one call; a sanity bound of the sandbox, not PortOne's


class State(StrEnum):
    """The state of a schedule [documented]."""

    SCHEDULED = "scheduled"
    EXECUTED = "executed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One scheduled charge; times are UNIX seconds, 0 where they do not apply. `fields` are its request's own.

    `payment_status` is the current status of its payment: paid, failed, cancelled, or None before execution.
    """

    merchant_uid: str
    customer_uid: str = field(repr=False)
    schedule_at: int
    fields: Mapping[str, Any] = field(repr=False)
    state: State = State.SCHEDULED
    imp_uid: str | None = None
    payment_status: str | None = None
    fail_reason: str | None = None
    executed_at: int = 0
    revoked_at: int = 0

    @property
    def request(self) -> ChargeRequest:
        """The charge to be made when it is due: the same as `again` takes [documented]."""
        return charge_requests.read(Call("POST", "", fields={**self.fields, "customer_uid": self.customer_uid}))

    def moved(self, schedule_at: int) -> Schedule:
        """Return this schedule, open again at another time."""
        return replace(
            self,
            schedule_at=schedule_at,
            state=State.SCHEDULED,
            imp_uid=None,
            payment_status=None,
            fail_reason=None,
            executed_at=0,
            revoked_at=0,
        )

    def revoked(self, at: int) -> Schedule:
        return replace(self, state=State.REVOKED, revoked_at=at)


def read(call: Call, *, now: int) -> list[Schedule]:
    """Return the schedules in a POST body; raises ApiError, whose status and words are assumed.

    `currency` and `name` are marked as required, and missing in one of PortOne's own examples [documented, conflict]:
    they may be left out.
    """
    customer_uid = call.text("customer_uid")
    if customer_uid is None:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field="customer_uid")))
    if any(call.text(name) for name in CARD_FIELDS) or charge_requests.whole_number(call, "checking_amount"):
        raise ApiError(not_in_sandbox("A schedule that registers a card"))
    given = call.fields.get("schedules")
    if not isinstance(given, list) or not 0 < len(given) <= MOST_AT_ONCE:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field="schedules")))
    schedules = [_read_one(each, customer_uid, now) for each in given]
    if len({each.merchant_uid for each in schedules}) != len(schedules):
        raise ApiError(bad_request(texts.ALREADY_SCHEDULED))
    return schedules


def read_time(call: Call, *, now: int) -> int:
    """Return schedule_at, which must be in the future [documented]."""
    schedule_at = charge_requests.whole_number(call, "schedule_at")
    if schedule_at is None:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field="schedule_at")))
    if schedule_at <= now:
        raise ApiError(bad_request(texts.SCHEDULED_IN_THE_PAST))
    return schedule_at


def result(schedule: Schedule, key: BillingKey | None) -> dict[str, Any]:
    """Return a ScheduleResult [documented]."""
    fields = schedule.fields
    return {
        "customer_uid": schedule.customer_uid,
        "merchant_uid": schedule.merchant_uid,
        "imp_uid": schedule.imp_uid,
        "pg_provider": None if key is None else key.channel.pg_provider,
        "pg_id": None if key is None else key.channel.pg_id,
        "customer_id": None if key is None else key.holder.get("customer_id"),
        "schedule_at": schedule.schedule_at,
        "executed_at": schedule.executed_at,
        "revoked_at": schedule.revoked_at,
        "amount": schedule.request.amount,
        "currency": schedule.request.currency,
        "name": fields.get("name"),
        **{name: fields.get(name) for name in BUYER_LIMITS},
        "custom_data": fields.get("custom_data"),
        "schedule_status": schedule.state.value,
        "payment_status": schedule.payment_status,
        "fail_reason": schedule.fail_reason,
        "promotion_id": None,
    }


def _read_one(values: Any, customer_uid: str, now: int) -> Schedule:
    if not isinstance(values, dict):
        raise ApiError(bad_request(texts.FIELD_WRONG.format(field="schedules")))
    call = Call("POST", "", fields=values)
    schedule_at = read_time(call, now=now)
    fields = {name: value for name, value in values.items() if name != "schedule_at"}
    schedule = Schedule(call.text("merchant_uid") or "", customer_uid, schedule_at, fields)
    return replace(schedule, merchant_uid=schedule.request.merchant_uid)
