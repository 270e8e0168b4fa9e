"""The write-back queue of one process: outcomes leave it once each, written back or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from tests.support.attempts import attempt, request
from worker.charging.call_times import CallTimes
from worker.charging.write_back_queue import Answered, WriteBackQueue
from worker.domain.clock import elapsed_seconds
from worker.domain.outcomes import Outcome, Unknown, UnknownReason

ATTEMPTS = [attempt(id=number, request=request(merchant_uid=f"again{number}")) for number in (1, 2, 3)]

WriteBack = Callable[[CallTimes, list[Answered]], None]


async def answer() -> Outcome:
    return Unknown(UnknownReason.TIMEOUT)


def made_and_written(write_back: WriteBack) -> tuple[int, int]:
    """Make calls, and let their outcomes leave; returns how many were lost, and of how many the times are kept."""

    async def make() -> tuple[int, int]:
        times = CallTimes(elapsed_seconds)
        queue = WriteBackQueue(
            lambda batch: write_back(times, batch),
            times.forget,
            patience=timedelta(0),
            monotonic=elapsed_seconds,
        )
        queue.awaited = len(ATTEMPTS)
        answered = [(each, await times.measured(each, answer())) for each in ATTEMPTS]
        assert len(times.of(answered)) == len(ATTEMPTS)
        for known, outcome in answered:
            queue.add(known, outcome)
        writing = asyncio.create_task(queue.write_all_back())
        await queue.drained()
        writing.cancel()
        return queue.lost, len(times.of(answered))

    return asyncio.run(make())


def test_times_of_calls_are_there_for_the_write_back_and_not_kept_after_it():
    known: list[int] = []
    assert made_and_written(lambda times, batch: known.append(len(times.of(batch)))) == (0, 0)
    assert known == [3]


def test_times_of_lost_answers_are_not_kept():
    def fail(_: CallTimes, batch: list[Answered]) -> None:
        raise ValueError(f"{len(batch)} cannot be written")

    assert made_and_written(fail) == (3, 0)


def test_answer_that_cannot_be_written_loses_no_other():
    def fail_with_the_second(_: CallTimes, batch: list[Answered]) -> None:
        if any(known.id == 2 for known, _ in batch):
            raise ValueError("a rule of the tables")

    assert made_and_written(fail_with_the_second) == (1, 0)
