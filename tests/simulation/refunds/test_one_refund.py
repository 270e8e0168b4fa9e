"""One refund: every fault at every point, whatever PortOne does. It is never refunded twice, and never forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Engine

from tests.simulation.charging.exhaustive import CRASH, OTHERS
from tests.simulation.engine.faults import NOT_SENT, Fault, Kind, Point, applies, at, first_time
from tests.simulation.engine.stories import SPOILT
from tests.simulation.engine.verdict import Violation
from tests.simulation.refunds import breakages
from tests.simulation.refunds.one_refund import RefundHistory, tell
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, slow, troubled

COMPLETED, REFUSED = frozenset({"completed"}), frozenset({"refused"})
EITHER = COMPLETED | REFUSED
NOT_ENOUGH = decline("", "취소 가능한 미정산 금액이 부족합니다")


@dataclass(frozen=True)
class Story:
    """How PortOne's cancels go, call by call, the last one for ever; and how the refund may end."""

    name: str
    behaviours: tuple[Behaviour, ...]
    ends: frozenset[str] = COMPLETED


STORIES = (
    Story("refunds", (pay(),)),
    *(Story(f"{reply} carried out", (troubled(reply, charged=True), pay())) for reply in SPOILT),
    *(Story(f"{reply} not carried out", (troubled(reply, charged=False), pay())) for reply in SPOILT),
    Story("401 once", (troubled(Reply.UNAUTHORIZED, charged=False), pay())),
    Story("other payment, carried out", (troubled(Reply.OTHER_PAYMENT, charged=True), pay())),
    Story("other payment, not carried out", (troubled(Reply.OTHER_PAYMENT, charged=False), pay())),
    Story("lands after the time-out", (slow(600.0), pay())),
    Story("lands after the quiet period", (slow(2400.0), pay())),
    Story("lands in time, answered too late", (slow(1.0, answer_seconds=300.0), pay())),
    Story("refused", (NOT_ENOUGH,), REFUSED),
    # After a crash the first refusal is not known: what is not shown after the quiet period is sent again.
    Story("refused once", (NOT_ENOUGH, pay()), EITHER),
    Story("unclear words, not carried out", (decline("", "Request timeout"), pay())),
)
BY_NAME = {story.name: story for story in STORIES}
TOLD_WITH_EVERY_FAULT = ("refunds", "drop carried out", "lands after the time-out")
AS_DROPPED = tuple(f"{reply} {moved}" for reply in SPOILT[2:] for moved in ("carried out", "not carried out"))
"""Stories that go on as that of a dropped answer does: told without a crash."""


def tell_all(engine: Engine, story: Story, *faults: Fault) -> int:
    """Run a story with each fault at each point; returns the number of histories."""
    plain = RefundHistory(story.behaviours, expected=story.ends)
    number, points = 1, checked(engine, plain, story.name)
    for fault in faults:
        for point in points:
            if applies(fault.kind, point):
                struck = replace(plain, plan=at({point.number: fault}))
                checked(engine, struck, f"{story.name}, {fault} at {point}")
                number += 1
    return number


def checked(engine: Engine, history: RefundHistory, name: str) -> list[Point]:
    try:
        return list(tell(engine, history))
    except Violation as violation:
        raise Violation(f"{name}\n{violation}") from None


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_crash_at_any_point_refunds_nothing_twice_and_forgets_nothing(engine: Engine, story: Story):
    assert tell_all(engine, story, *() if story.name in AS_DROPPED else (CRASH,)) > 0


@pytest.mark.parametrize("name", TOLD_WITH_EVERY_FAULT)
def test_any_other_fault_refunds_nothing_twice_and_forgets_nothing(engine: Engine, name: str):
    assert tell_all(engine, BY_NAME[name], *OTHERS) > 30


def test_second_crash_during_the_recovery_changes_nothing(engine: Engine):
    assert sum(_struck_twice(engine, BY_NAME["drop not carried out"])) > 20


def _struck_twice(engine: Engine, story: Story) -> Iterator[int]:
    plain = RefundHistory(story.behaviours, expected=story.ends)
    for first in checked(engine, plain, story.name)[::3]:
        once = checked(engine, replace(plain, plan=at({first.number: CRASH})), f"{story.name}, crash at {first}")
        for second in once[first.number + 1 :]:
            plan = at({first.number: CRASH, second.number: CRASH})
            checked(engine, replace(plain, plan=plan), f"{story.name}, crash at {first} and at {second}")
            yield 1


def test_refund_without_a_checksum_is_carried_out_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    late = RefundHistory(BY_NAME["lands after the quiet period"].behaviours)
    tell(engine, late)
    breakages.send_no_checksum(monkeypatch)
    with pytest.raises(Violation, match="6000 KRW were refunded"):
        tell(engine, late)


def test_lost_answer_that_is_taken_for_a_refusal_loses_a_refund(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    late = RefundHistory(BY_NAME["lands after the time-out"].behaviours, expected=EITHER)
    tell(engine, late)
    breakages.take_a_lost_answer_for_a_refusal(monkeypatch)
    with pytest.raises(Violation, match="refused, and 3000 KRW were refunded"):
        tell(engine, late)


def test_frozen_request_that_leaves_after_the_quiet_period_refunds_nothing_twice(engine: Engine):
    frozen = first_time(f"cancel: {NOT_SENT}", Fault(Kind.FREEZE, 2400.0))
    tell(engine, RefundHistory((pay(),), frozen))
