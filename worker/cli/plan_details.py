"""The terms of a plan's dunning, in words: how it ends, and what a new key pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.cli import formats

if TYPE_CHECKING:
    from schedules.plans import Plan
    from worker.ledger.standing_stops import PlanStop


def dunning_terms(plan: Plan) -> dict[str, str]:
    """Return what `plan show` says of dunning and its end, the days of grace and arrears."""
    days = f"{plan.dunning} days after the first decline" if plan.dunning.days else str(plan.dunning)
    return {
        "dunning": days if plan.dunning.is_plain else str(plan.dunning),
        "dunning ends": _dunning_end(plan),
        "key deadline": _key_deadline(plan),
        "grace": f"{plan.grace_days} days of access beyond what is paid" if plan.grace_days else "none",
        "a new key pays": _new_key_pays(plan),
    }


def hour_in_words(plan: Plan) -> str:
    """Return at what hour a period is charged; a cron cadence says that itself."""
    from schedules.cadences import Cron

    return "" if isinstance(plan.cadence, Cron) else f"at hour {plan.charge_hour}, "


def stop_in_words(stopped: PlanStop | None, plan: Plan) -> str | None:
    """Return what `plan show` says of the stop of a plan; None while it is not stopped."""
    if stopped is None:
        return None
    said = formats.stopped(stopped.scope, stopped.reason, stopped.stopped_by, stopped.stopped_at, plan.time_zone)
    waiting = formats.counted(stopped.waiting, "charge")
    return f"{said}; {waiting} {formats.is_or_are(stopped.waiting)} set aside meanwhile"


def _dunning_end(plan: Plan) -> str:
    """Return what becomes of a subscription whose dunning has failed, and when that is."""
    from schedules.end_of_dunning import DunningEnd

    days = plan.key_deadline_days
    after = "when its calendar is spent" + ("" if days is None else f", or {days} days after its key died")
    what = {
        DunningEnd.LEAVE: "the subscription stays past due",
        DunningEnd.CANCEL: f"the subscription is canceled {after}; what is unpaid becomes {plan.dunning_end_charges}",
        DunningEnd.PAUSE: f"the subscription is paused {after}; what is unpaid becomes {plan.dunning_end_charges}",
    }
    return what[plan.dunning_end]


def end_in_short(end: str, charges: str, deadline_days: int | None) -> str:
    """Return what becomes of a subscription whose dunning has failed, for a list of plans."""
    if end == "leave":
        return end
    return f"{end}, {charges}" + ("" if deadline_days is None else f", key {deadline_days} days")


def _key_deadline(plan: Plan) -> str:
    if plan.key_deadline_days is None:
        return "none: a dead key may be replaced at any time"
    return f"{plan.key_deadline_days} days for a dead key to be replaced"


def _new_key_pays(plan: Plan) -> str:
    from schedules.end_of_dunning import ALL_ARREARS

    rest = "" if plan.arrears == ALL_ARREARS else f"; the rest becomes {plan.dunning_end_charges}"
    return f"{plan.arrears} of what is unpaid{rest}"
