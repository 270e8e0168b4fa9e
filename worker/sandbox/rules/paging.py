"""Paging of payments: the query parameters, and the paging object of the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import ApiError, bad_request
from worker.sandbox.rules.calls import Call

USUAL_LIMIT = 20  # payments a page [documented]
HIGHEST_LIMIT = 1000  # payments a page [documented]; more is rejected [assumed]
# [documented]; within one second the number of the payment decides [assumed]
SORTINGS = {
    "-started": "started_at DESC, number DESC",
    "started": "started_at, number",
    "-paid": "paid_at DESC, number DESC",
    "paid": "paid_at, number",
    "-updated": "updated_at DESC, number DESC",
    "updated": "updated_at, number",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its number from 1, its size in rows, and the SQL order."""

    number: int
    limit: int
    order: str

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.limit


def read_page(call: Call) -> Page:
    """Return page, limit and sorting; raises ApiError with 400."""
    return Page(*read_numbers(call), read_order(call))


def read_numbers(call: Call) -> tuple[int, int]:
    """Return page and limit; raises ApiError with 400."""
    number, limit = _positive(call, "page", 1), _positive(call, "limit", USUAL_LIMIT)
    if limit > HIGHEST_LIMIT:
        raise ApiError(bad_request(texts.BAD_PAGE))
    return number, limit


def read_order(call: Call) -> str:
    """Return the SQL order; the newest start comes first by default."""
    sorting = call.query_text("sorting") or "-started"
    if sorting not in SORTINGS:
        raise ApiError(bad_request(texts.UNKNOWN_SORTING))
    return SORTINGS[sorting]


def paged(documents: Sequence[str], *, total: int, page: Page) -> str:
    """Return the paging object {total, previous, next, list}; 0 stands for no such page [documented].

    A page beyond the data is rejected with 400 [documented]; the first page of nothing is an empty one [assumed].
    """
    if page.number > 1 and page.offset >= total:
        raise ApiError(bad_request(texts.NO_SUCH_PAGE))
    following = page.number + 1 if page.offset + page.limit < total else 0
    head = f'{{"total":{total},"previous":{page.number - 1},"next":{following},"list":['
    return head + ",".join(documents) + "]}"


def _positive(call: Call, name: str, usual: int) -> int:
    text = call.query_text(name)
    if text is None:
        return usual
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10**9:
        raise ApiError(bad_request(texts.BAD_PAGE))
    return int(text)
