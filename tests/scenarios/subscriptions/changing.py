"""Changes of terms, as an operator asks for them, and what they come to: for stories of the scenario world."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.scenarios.conftest import World
from worker.changes.request import ChangeRequest, RequestedChange, preview_change, request_change
from worker.domain.changes import ChangeKind, When
from worker.domain.previews import Preview

SEOUL = ZoneInfo("Asia/Seoul")
STEP = timedelta(days=6)
"""Between two ticks of a story: what falls due in between is charged late, and for the same periods."""


def asked(kind: ChangeKind, code: str, when: When | None, parameters: dict[str, Any]) -> ChangeRequest:
    return ChangeRequest(kind=kind, subscription=code, when=when, parameters=parameters, reason="asked by mail")


def request(
    world: World, kind: ChangeKind, code: str, when: When | None = None, /, **parameters: Any
) -> RequestedChange:
    """Ask for a change, and see that it comes to what its preview says."""
    wanted = asked(kind, code, when, parameters)
    policy = world.runtime.change_policy
    preview = preview_change(world.runtime.sessions, wanted, policy=policy, now=world.now)
    requested = request_change(world.runtime.sessions, wanted, policy=policy, now=world.now)
    assert requested.preview is not None
    assert requested.preview.fingerprint == preview.fingerprint
    return requested


def change_plan(world: World, code: str, when: When | None = None, /, **parameters: Any) -> RequestedChange:
    return request(world, ChangeKind.CHANGE_PLAN, code, when, **parameters)


def effect(requested: RequestedChange) -> tuple[int, int]:
    """Return what a change charges at once, and what it leaves to the customer's credit, in won."""
    assert requested.preview is not None
    return requested.preview.effect.charged, requested.preview.effect.credited


def preview(world: World, kind: ChangeKind, code: str, when: When | None = None, /, **parameters: Any) -> Preview:
    return preview_change(
        world.runtime.sessions, asked(kind, code, when, parameters), policy=world.runtime.change_policy, now=world.now
    )


def go_to(world: World, on: date, hour: int = 12, *, ticks: bool = True) -> None:
    """Let time pass until an hour of a day in Seoul, with ticks, the last of them then, or none: an outage of ours."""
    until = datetime(on.year, on.month, on.day, hour, tzinfo=SEOUL).astimezone(UTC)
    while ticks and until - world.now > STEP:
        world.wait(seconds=STEP.total_seconds())
        world.tick()
    world.wait(seconds=(until - world.now).total_seconds())
    if ticks:
        world.tick()


def periods(world: World, code: str) -> list[tuple[str, str, int, str]]:
    """Return the charges of a subscription: the days of its period in Seoul, what it comes to, and its status."""
    return [
        (_day(each.period_start), _day(each.period_end), each.amount, each.status.value) for each in world.charges(code)
    ]


def assert_contiguous(world: World, code: str) -> None:
    """Check that each period that is not void ends where the next begins, and the last one with the next charge."""
    owed = [each for each in world.charges(code) if each.status != "void"]
    following = [each.period_start for each in owed[1:]] + [world.subscription(code).next_charge_at]
    assert [each.period_end for each in owed] == following


def kept(world: World) -> int:
    """Return how much money the sandbox has moved and not refunded, in won."""
    return world.portone.report().kept_krw


def _day(instant: datetime) -> str:
    return f"{instant.astimezone(SEOUL):%Y-%m-%d}"
