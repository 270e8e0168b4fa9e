"""Looking up payments: by PortOne's id, by merchant_uid, by status and time, by billing key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import Answer, ApiError, answered, as_json, bad_request, not_found
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.paging import Page, paged, read_order, read_page
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import payment_rows

MOST_IDS = 100  # payments in one call [documented]
LONGEST_RANGE_SECONDS = 90 * 86_400  # [documented]
STATUSES = ("ready", "paid", "cancelled", "failed")
# Which time a search by status compares depends on the payment's final status [documented], for `all` too.
COMPARED = {
    "all": "CASE status WHEN 'paid' THEN paid_at WHEN 'cancelled' THEN cancelled_at WHEN 'failed' THEN failed_at "
    "ELSE started_at END",
    "ready": "started_at",
    "paid": "paid_at",
    "cancelled": "cancelled_at",
    "failed": "failed_at",
}
NEWEST = Page(1, 1, "number DESC")


def by_imp_uid(sandbox: Sandbox, call: Call) -> Answer:
    """Return one payment; 404 for a test channel's without include_sandbox=true, at this endpoint only [documented]."""
    payment = payment_rows.find(sandbox.ledger, call.in_path["imp_uid"], visible_at=sandbox.moment())
    wants_sandbox = (call.query_text("include_sandbox") or "").lower() in ("true", "1")
    if payment is None or (payment["sandbox"] and not wants_sandbox):
        return not_found()
    return answered(as_json(payment))


def by_ids(sandbox: Sandbox, call: Call) -> Answer:
    """Return up to 100 payments: HTTP 200 when all were found, 207 for some, 404 for none [documented].

    Of a merchant_uid with several payments it is the newest [assumed].
    """
    wanted = [("imp_uid", each) for each in call.query_list("imp_uid")]
    wanted += [("merchant_uid", each) for each in call.query_list("merchant_uid")]
    if not wanted or len(wanted) > MOST_IDS:
        return bad_request(texts.TOO_MANY_IDS if wanted else texts.IDS_MISSING)
    found = [each for column, value in wanted for each in _page(sandbox, f"{column} = ?", [value], NEWEST)]
    if not found:
        return not_found()
    return answered(f"[{','.join(found)}]", status=200 if len(found) == len(wanted) else 207)


def find(sandbox: Sandbox, call: Call) -> Answer:
    """Return one payment of a merchant_uid, the newest start first unless sorted otherwise [documented]."""
    where, values = _of_merchant_uid(call)
    found = _page(sandbox, where, values, Page(1, 1, read_order(call)))
    return answered(found[0]) if found else not_found()


def find_all(sandbox: Sandbox, call: Call) -> Answer:
    """Return all payments of a merchant_uid, paged; 404 when there is none [documented]."""
    where, values = _of_merchant_uid(call)
    page = read_page(call)
    total = _total(sandbox, where, values)
    return answered(paged(_page(sandbox, where, values, page), total=total, page=page)) if total else not_found()


def by_status(sandbox: Sandbox, call: Call) -> Answer:
    """Return payments of a status within at most 90 days, both ends included; by default the last 90 [documented]."""
    status = call.in_path["status"]
    if status not in COMPARED:
        return bad_request(texts.UNKNOWN_STATUS)
    since, until = _range(call, sandbox.now())
    where = f"{COMPARED[status]} BETWEEN ? AND ?" + ("" if status == "all" else " AND status = ?")
    values = [since, until, *([] if status == "all" else [status])]
    page = read_page(call)
    total = _total(sandbox, where, values)
    return answered(paged(_page(sandbox, where, values, page), total=total, page=page))


def of_customer(sandbox: Sandbox, call: Call, customer_uid: str) -> Answer:
    """Return all payments of a billing key, newest first, 20 a page [documented]."""
    page = Page(read_page(call).number, 20, "started_at DESC, number DESC")
    values = [customer_uid]
    total = _total(sandbox, "customer_uid = ?", values)
    return answered(paged(_page(sandbox, "customer_uid = ?", values, page), total=total, page=page))


def _of_merchant_uid(call: Call) -> tuple[str, list[Any]]:
    status = call.in_path.get("status")
    if status is None:
        return "merchant_uid = ?", [call.in_path["merchant_uid"]]
    if status not in STATUSES:
        raise ApiError(bad_request(texts.UNKNOWN_STATUS))
    return "merchant_uid = ? AND status = ?", [call.in_path["merchant_uid"], status]


def _page(sandbox: Sandbox, where: str, values: Sequence[Any], page: Page) -> list[str]:
    return payment_rows.page(sandbox.ledger, f"{where} AND visible_at <= ?", [*values, sandbox.moment()], page)


def _total(sandbox: Sandbox, where: str, values: Sequence[Any]) -> int:
    return payment_rows.count(sandbox.ledger, f"{where} AND visible_at <= ?", [*values, sandbox.moment()])


def _range(call: Call, now: int) -> tuple[int, int]:
    until = _time(call, "to", now)
    since = _time(call, "from", until - LONGEST_RANGE_SECONDS)
    if since > until:
        raise ApiError(bad_request(texts.BAD_RANGE))
    if until - since > LONGEST_RANGE_SECONDS:
        raise ApiError(bad_request(texts.RANGE_TOO_LONG))
    return since, until


def _time(call: Call, name: str, usual: int) -> int:
    text = call.query_text(name)
    if text is None:
        return usual
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise ApiError(bad_request(texts.BAD_RANGE))
    return int(text)
