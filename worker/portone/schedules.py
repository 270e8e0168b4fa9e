"""Reading PortOne's own schedules: charges that it makes by itself when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from worker.domain.gateway import OpenSchedules, Schedule
from worker.domain.outcomes import Answer, UnknownReason
from worker.portone.errors import NoAnswer
from worker.portone.payloads import Unreadable, read_schedule

AHEAD = timedelta(days=400)
"""How far ahead schedules are searched: a yearly renewal and a margin."""

BEHIND = timedelta(days=2)
"""How far back schedules are searched: a due one may not have been executed yet."""

SLICE = timedelta(days=89)
"""Longest period of one request: three months (documented)."""

Ask = Callable[[datetime, datetime, int], Awaitable[list[Any]]]
"""Returns one page, from 1, of the schedules from one instant up to another; empty beyond the last one."""


async def walk(ask: Ask, *, now: datetime, page_size: int | None, pause: float, most: int) -> OpenSchedules:
    """Return the open schedules, up to `most`; `pause` is the time in seconds before each request.

    With a `page_size`, a shorter page is the last one; without, only an empty one is, for the size is not documented.
    """
    schedules: dict[str, Schedule] = {}
    unread = 0
    async for page in _pages(ask, now=now, page_size=page_size, pause=pause):
        for document in page:
            try:
                read = read_schedule(document)
            except Unreadable:
                unread += 1
                continue
            if read is not None:
                schedules[read.merchant_uid] = read
        if len(schedules) + unread >= most:
            return OpenSchedules(tuple(schedules.values()), unread, is_complete=False)
    return OpenSchedules(tuple(schedules.values()), unread, is_complete=True)


async def _pages(ask: Ask, *, now: datetime, page_size: int | None, pause: float) -> AsyncIterator[list[Any]]:
    since, end = now - BEHIND, now + AHEAD
    while since < end:
        until, number, before = min(since + SLICE, end), 1, None
        while True:
            await asyncio.sleep(pause)
            page = await ask(since, until, number)
            if page and page == before:
                raise NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message="the same page twice"))
            if page:
                yield page
            if not page or (page_size is not None and len(page) < page_size):
                break
            number, before = number + 1, page
        since = until


def listed(response: Any) -> list[Any]:
    """Return the schedules in an answer: a list (documented), or a page that holds one."""
    found = response.get("list") if isinstance(response, dict) else response
    if found is None:
        return []
    if not isinstance(found, list):
        raise NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message="not a list of schedules"))
    return found
