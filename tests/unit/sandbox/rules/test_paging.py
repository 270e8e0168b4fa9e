"""PortOne's paging object around a list of payments."""

from __future__ import annotations

import json

import pytest

from worker.sandbox.rules.answers import ApiError
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.paging import paged, read_page


def page_call(**query: str) -> Call:
    return Call("GET", "/", query={name: [value] for name, value in query.items()})


@pytest.mark.parametrize(
    ("total", "query", "expected"),
    [
        (0, {}, (0, 0, 0)),  # the first page of nothing is an empty one
        (20, {}, (20, 0, 0)),  # one full page
        (21, {}, (21, 0, 2)),  # and one more
        (21, {"page": "2"}, (21, 1, 0)),
        (50, {"page": "2", "limit": "10"}, (50, 1, 3)),
        (1000, {"limit": "1000"}, (1000, 0, 0)),
    ],
)
def test_paging_object_names_the_previous_and_the_next_page(
    total: int, query: dict[str, str], expected: tuple[int, int, int]
):
    answer = json.loads(paged([], total=total, page=read_page(page_call(**query))))
    assert (answer["total"], answer["previous"], answer["next"]) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "two"},
        {"page": "²"},  # a digit to Python, not to us
        {"limit": "0"},
        {"limit": "1001"},
        {"sorting": "amount"},
        {"page": "3"},  # beyond the data: 40 rows are two pages
    ],
)
def test_missing_page_is_a_400(query: dict[str, str]):
    with pytest.raises(ApiError) as refused:
        paged([], total=40, page=read_page(page_call(**query)))
    assert refused.value.answer.status == 400
