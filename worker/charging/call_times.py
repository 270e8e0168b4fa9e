"""How long the calls took whose outcomes are not written back yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from worker.charging.write_back_queue import Answered
from worker.domain.attempt import Attempt
from worker.domain.outcomes import Outcome


class CallTimes:
    """The seconds of each call, by merchant_uid, from its end until it is written back."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seconds: dict[str, float] = {}

    async def measured(self, attempt: Attempt, call: Awaitable[Outcome]) -> Outcome:
        """Wait for a call, and note how long that took, however it ends."""
        started = self._monotonic()
        try:
            return await call
        finally:
            self._seconds[attempt.request.merchant_uid] = self._monotonic() - started

    def of(self, answered: Iterable[Answered]) -> Mapping[str, float]:
        """Return the seconds of these attempts' calls, as far as there was one."""
        uids = (attempt.request.merchant_uid for attempt, _ in answered)
        return {uid: seconds for uid in uids if (seconds := self._seconds.get(uid)) is not None}

    def forget(self, answered: Iterable[Answered]) -> None:
        """Forget what was written back, or never will be."""
        for attempt, _ in answered:
            self._seconds.pop(attempt.request.merchant_uid, None)
