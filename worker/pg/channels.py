"""Channels: which contract a payment window is opened with, from a setting with one entry per PG. Pure.

An entry is `kakaopay`, for the channel that the console has as the default; `kakaopay.CA0123`, with the merchant's id
at the PG; or `kakaopay=channel-key-...`. Recurring and one-time contracts are separate channels (documented for Kakao).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from worker.domain.errors import Refused
from worker.pg import catalog
from worker.pg.facts import REGISTRATIONS, MerchantIdKind, WindowUse
from worker.pg.window.request import WindowChannel
from worker.pg.window.rules import pg_problems

_ENTRY = re.compile(r"(?P<pg>[a-z0-9_]{1,16})(?:\.(?P<pg_id>[A-Za-z0-9_-]{1,40})|=(?P<channel_key>[!-+\--~]{1,55}))?")


def check_entries(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Validate the entries of a setting. Raises ValueError."""
    found = [match["pg"] for entry in entries if (match := _ENTRY.fullmatch(entry))]
    if len(found) != len(entries) or len(set(found)) != len(found) or not set(found) <= set(catalog.PGS):
        raise ValueError("must be PGs such as kakaopay, kakaopay.CA0123 or kakaopay=channel-key-..., each PG once")
    return entries


def key_channels(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Validate the entries of AGAIN_KEY_CHANNELS: each PG has a window that registers keys `again` can charge."""
    return _with_windows(check_entries(entries), WindowUse.REGISTRATION)


def payment_channels(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Validate the entries of AGAIN_PAYMENT_CHANNELS: each PG has a window for a payment."""
    return _with_windows(check_entries(entries), WindowUse.PAYMENT)


def _with_windows(entries: tuple[str, ...], use: WindowUse) -> tuple[str, ...]:
    """Raise ValueError for a PG whose window cannot be opened: at start-up, and not in front of a customer."""
    for entry, pg in zip(entries, entry_pgs(entries), strict=True):
        facts = catalog.PGS[pg]
        if problem := next(pg_problems(use, facts), None):
            raise ValueError(problem.sentence.removesuffix("."))
        if use in REGISTRATIONS and facts.ids.kind(entry.removeprefix(f"{pg}.")) is MerchantIdKind.ONE_TIME_TEST:
            raise ValueError(f"{entry} is for one-time payments, and makes no keys that `again` can charge")
    return entries


def entry_pgs(entries: Sequence[str]) -> tuple[str, ...]:
    """Return the PGs of a setting's entries, in their order."""
    return tuple(_ENTRY.fullmatch(entry)["pg"] for entry in entries)  # type: ignore[index]  # checked when it was read


def channel_for(entries: Sequence[str], pg: str, use: WindowUse, *, sandbox: bool) -> WindowChannel:
    """Return the channel of a PG for a use; in the sandbox with the PG's test id. Raises Refused if there is none."""
    for entry in entries:
        match = _ENTRY.fullmatch(entry)
        if match is None or match["pg"] != pg:
            continue
        pg_id = match["pg_id"]
        if sandbox and pg_id is None and match["channel_key"] is None:
            pg_id = _test_id(pg, use)
        return WindowChannel(pg=pg, pg_id=pg_id, channel_key=match["channel_key"])
    choices = " or ".join(entry_pgs(entries)) or "none"
    raise Refused(f"{pg!r:.40} is no channel for this; choose {choices}.")


def _test_id(pg: str, use: WindowUse) -> str | None:
    ids = catalog.PGS[pg].ids
    tests = ids.recurring_tests if use in REGISTRATIONS else ids.one_time_tests
    return min(tests, default=None)
