"""The schedule endpoints: scheduling, revoking, moving, retrying, and looking up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.sandbox import executing
from worker.sandbox.rules import acceptance, schedules, texts
from worker.sandbox.rules.answers import Answer, ApiError, answered, as_json, bad_request, not_found, refusal
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.paging import USUAL_LIMIT, read_numbers
from worker.sandbox.rules.schedules import Schedule, State
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows, payment_rows, schedule_rows

LONGEST_RANGE_SECONDS = 93 * 86_400  # three months at most [documented]; how they are counted is assumed
NEWEST, OLDEST = "s.schedule_at DESC, s.merchant_uid", "s.schedule_at, s.merchant_uid"  # [documented]


def schedule(sandbox: Sandbox, call: Call) -> Answer:
    """Schedule charges, all of them or none [assumed]; one merchant_uid is scheduled and paid once [documented]."""
    wanted = schedules.read(call, now=sandbox.now())
    key = key_rows.find(sandbox.ledger, wanted[0].customer_uid)
    if key is None:
        raise ApiError(refusal(texts.NO_CUSTOMER_TO_SCHEDULE))
    for each in wanted:
        _refuse(acceptance.against_pg(each.request, key))
        if schedule_rows.find(sandbox.ledger, each.merchant_uid) is not None:
            raise ApiError(refusal(texts.ALREADY_SCHEDULED))
        if payment_rows.statuses(sandbox.ledger, each.merchant_uid) & {"paid", "cancelled"}:
            raise ApiError(refusal(texts.ALREADY_PAID))
    for each in wanted:
        schedule_rows.put(sandbox.ledger, each)
    return _results(sandbox, wanted, "scheduled")


def unschedule(sandbox: Sandbox, call: Call) -> Answer:
    """Revoke open schedules: of a key, by merchant_uids, or both; leaving one out means all [documented]."""
    customer_uid, merchant_uids = call.text("customer_uid"), _merchant_uids(call)
    if customer_uid is None and not merchant_uids:
        raise ApiError(bad_request(texts.FIELD_MISSING.format(field="customer_uid")))
    found = schedule_rows.open_ones(sandbox.ledger, customer_uid, merchant_uids)
    if not found:
        raise ApiError(refusal(texts.NOTHING_SCHEDULED))
    revoked = [each.revoked(sandbox.now()) for each in found]
    for each in revoked:
        schedule_rows.put(sandbox.ledger, each)
    return _results(sandbox, revoked, "revoked")


def read(sandbox: Sandbox, call: Call) -> Answer:
    found = _found(sandbox, call)
    return answered(as_json(schedules.result(found, _key(sandbox, found))))


def move(sandbox: Sandbox, call: Call) -> Answer:
    """Move an open schedule to another time; 400 for one that was executed or revoked [documented]."""
    found, schedule_at = _found(sandbox, call), schedules.read_time(call, now=sandbox.now())
    if found.state is not State.SCHEDULED:
        return bad_request(texts.NOT_WAITING)
    return _put(sandbox, found.moved(schedule_at))


def reschedule(sandbox: Sandbox, call: Call) -> Answer:
    """Schedule one again that failed or was revoked; 400 for one that is open or was paid [documented]."""
    found, schedule_at = _found(sandbox, call), schedules.read_time(call, now=sandbox.now())
    _require_over(found)
    return _put(sandbox, found.moved(schedule_at))


def retry(sandbox: Sandbox, call: Call) -> Answer:
    """Execute one at once that failed or was revoked; `status` holds the result [documented]."""
    found = _found(sandbox, call)
    _require_over(found)
    if _key(sandbox, found) is None:
        return not_found(texts.NO_BILLING_KEY)
    payment = executing.execute(sandbox, found)
    return bad_request(texts.NOT_WAITING) if payment is None else answered(as_json(payment), result="retried")


def of_customer(sandbox: Sandbox, call: Call) -> Answer:
    """Return the schedules of a key, the latest first; none for an unknown key [assumed]."""
    where, values = _range(call, "from", "to", "schedule-status")
    number, _ = read_numbers(call)
    values = [*values, call.in_path["customer_uid"]]
    return _page(sandbox, f"{where} AND s.customer_uid = ?", values, NEWEST, number, USUAL_LIMIT)


def listed(sandbox: Sandbox, call: Call) -> Answer:
    """Return the schedules of the whole account, the latest first unless sorted otherwise [documented]."""
    where, values = _range(call, "schedule_from", "schedule_to", "schedule_status")
    number, limit = read_numbers(call)
    sorting = call.query_text("sorting")
    if sorting not in (None, "scheduled", "-scheduled"):
        return bad_request(texts.UNKNOWN_SORTING)
    return _page(sandbox, where, values, OLDEST if sorting == "scheduled" else NEWEST, number, limit)


def _range(call: Call, since: str, until: str, status: str) -> tuple[str, list[Any]]:
    times = [call.query_text(since), call.query_text(until)]
    if any(text is None or not text.isascii() or not text.isdigit() or len(text) > 12 for text in times):
        raise ApiError(bad_request(texts.BAD_RANGE))
    first, last = (int(text or 0) for text in times)
    if not first <= last <= first + LONGEST_RANGE_SECONDS:
        raise ApiError(bad_request(texts.SCHEDULE_RANGE_TOO_LONG))
    wanted = call.query_text(status)
    if wanted is None:
        return "s.schedule_at >= ? AND s.schedule_at < ?", [first, last]
    if wanted not in list(State):
        raise ApiError(bad_request(texts.UNKNOWN_STATUS))
    return "s.schedule_at >= ? AND s.schedule_at < ? AND s.state = ?", [first, last, wanted]


def _page(sandbox: Sandbox, where: str, values: Sequence[Any], order: str, number: int, limit: int) -> Answer:
    found = schedule_rows.page(sandbox.ledger, where, values, order=order, limit=limit, offset=(number - 1) * limit)
    return _results(sandbox, found, "answered")


def _results(sandbox: Sandbox, found: Sequence[Schedule], result: str) -> Answer:
    return answered(as_json([schedules.result(each, _key(sandbox, each)) for each in found]), result=result)


def _put(sandbox: Sandbox, changed: Schedule) -> Answer:
    schedule_rows.put(sandbox.ledger, changed)
    return answered(as_json(schedules.result(changed, _key(sandbox, changed))), result="scheduled")


def _found(sandbox: Sandbox, call: Call) -> Schedule:
    found = schedule_rows.find(sandbox.ledger, call.in_path["merchant_uid"])
    if found is None:
        raise ApiError(not_found(texts.NO_SCHEDULE))
    return found


def _require_over(found: Schedule) -> None:
    if found.state is State.SCHEDULED or found.payment_status in ("paid", "cancelled"):
        raise ApiError(bad_request(texts.NOT_OVER))


def _key(sandbox: Sandbox, found: Schedule) -> BillingKey | None:
    return key_rows.find(sandbox.ledger, found.customer_uid)


def _merchant_uids(call: Call) -> list[str]:
    """Read merchant_uid: a list or one text in JSON, `merchant_uid[]` or `merchant_uid[0]` in a form."""
    given = call.fields.get("merchant_uid")
    listed = given if isinstance(given, list) else [given]
    listed += [value for name, value in call.fields.items() if name.startswith("merchant_uid[")]
    return [each for each in listed if isinstance(each, str) and each]


def _refuse(answer: Answer | None) -> None:
    if answer is not None:
        raise ApiError(answer)
