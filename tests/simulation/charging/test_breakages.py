"""The simulation finds defects: the same histories pass, and fail once the product is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from tests.simulation.charging import breakages
from tests.simulation.charging.one_period import History, tell
from tests.simulation.engine.faults import ANSWERED, NOT_SENT, Fault, Kind, at, first_time, nothing
from tests.simulation.engine.stories import RULES
from tests.simulation.engine.verdict import Violation
from tests.simulation.engine.worker_process import WorkerProcess
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, misrecorded, pay, slow, troubled
from worker.sandbox.switches import Repeat

Break = Callable[[pytest.MonkeyPatch], None]

DROPPED = (troubled(Reply.DROP, charged=True), pay())
SETTLED_ANEW = Fault(Kind.FREEZE, 1980.0)  # while another worker finds nothing, waits the quiet period out, sends again


def crashes_of(worker_class: type[WorkerProcess]) -> Iterator[History]:
    for number in range(14):
        plan = at({number: Fault(Kind.CRASH)})
        yield History((pay(),), RULES[0], plan, worker_class=worker_class)


def tell_all_of(engine: Engine, histories: Iterator[History]) -> None:
    for history in histories:
        tell(engine, history)


def answered_late() -> History:
    """A decline without a record, read half an hour later: by then the same merchant_uid is under way again."""
    story = (decline(shape=Shape.MESSAGE, recorded=False), *DROPPED)
    return History(story, RULES[0], first_time(f"again: {ANSWERED}", SETTLED_ANEW))


def declined_late() -> History:
    """The first request leaves half an hour late and is declined, after the second one was paid and its answer lost.

    Its token lives so long only because the other worker asked in its last minute; the first one's clock is behind.
    """
    story = (DROPPED[0], decline(), pay())
    return History(story, RULES[0], first_time(f"again: {NOT_SENT}", SETTLED_ANEW), behind=(25.0, 0.0))


def corrected() -> History:
    return History((misrecorded(), pay()), RULES[0], nothing, corrected_after=5 * 3600.0)


def refused_vaguely() -> History:
    """The first send is charged and shown after two days; the second is rejected with an unknown text."""
    story = (Behaviour(reply=Reply.ERROR, hidden_seconds=86_400.0), pay())
    return History(story, {"repeated_paid": Repeat.REFUSE_VAGUELY}, nothing)


def looked_up_late() -> History:
    plan = first_time(f"findAll: {ANSWERED}", Fault(Kind.FREEZE, 1560.0))
    return History((slow(600.0), pay()), RULES[0], plan, alone=True)


@pytest.mark.parametrize(
    ("history", "broken"),
    [
        (lambda: History(DROPPED, RULES[0], nothing), breakages.call_a_lost_connection_not_sent),
        (lambda: History(DROPPED, RULES[0], nothing), breakages.retry_while_unknown),
        (declined_late, breakages.trust_the_newest_record),
        (answered_late, breakages.write_back_without_guards),
        (looked_up_late, breakages.judge_by_when_the_answer_was_read),
        (corrected, breakages.look_at_no_earlier_number),
        (refused_vaguely, breakages.take_vague_words_for_a_decline),
    ],
    ids=lambda value: value.__name__,
)
def test_broken_product_charges_twice_where_the_product_does_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, history: Callable[[], History], broken: Break
):
    tell(engine, history())
    broken(monkeypatch)
    with pytest.raises(Violation, match="paid 2 times"):
        tell(engine, history())


def test_attempt_committed_after_its_call_is_caught_by_a_crash_between(engine: Engine):
    tell_all_of(engine, crashes_of(WorkerProcess))
    with pytest.raises(Violation, match="paid 2 times"):
        tell_all_of(engine, crashes_of(breakages.HastyWorker))
