"""One pump run's way through the queues of the PGs: from each claim it goes on behind the last charge it took.

What lies behind was taken, or is blocked: to look at it again for each claim would make a long queue slower and slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from worker.domain.attempt import Attempt
from worker.ledger.queues import HEAD, Place, Wanted

LOOK_AGAIN_SECONDS = 2.0
"""After which an exhausted queue is looked at again, and the names of all queues are read again."""

FROM_THE_HEAD_SECONDS = 5.0
"""After which a queue is walked from its head again: charges behind the last place may have become claimable."""


class QueueWalk:
    """Where a run stands in each queue."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._queues: Sequence[str] = ()
        self._read_at = self._headed_at = float("-inf")
        self._places: dict[str, Place] = {}
        self._exhausted: dict[str, float] = {}
        self._waits_until: dict[str, float] = {}

    @property
    def needs_names(self) -> bool:
        """Whether the names of the queues have to be read, with the next claim."""
        return self._monotonic() - self._read_at >= LOOK_AGAIN_SECONDS

    def learn(self, queues: Sequence[str]) -> None:
        """Take the names of the queues in which charges wait."""
        self._queues, self._read_at = queues, self._monotonic()

    def wanted(self, room: Callable[[str], int], *, most: int) -> Mapping[str, Wanted]:
        """Return what to claim from each queue that is not exhausted, as far as there is room, and `most` of one."""
        now = self._monotonic()
        if now - self._headed_at >= FROM_THE_HEAD_SECONDS:
            self._places.clear()
            self._headed_at = now
        rooms = {queue: room(queue) for queue in self._queues if not self._is_passed_over(queue, now)}
        return {
            queue: Wanted(min(free, most), self._places.get(queue, HEAD)) for queue, free in rooms.items() if free > 0
        }

    def note(self, wanted: Mapping[str, Wanted], claimed: Iterable[Attempt]) -> None:
        """Go on behind what was claimed; a queue that had less than was wanted of it is exhausted for a while."""
        now = self._monotonic()
        taken: dict[str, list[Place]] = {queue: [] for queue in wanted}
        for attempt in claimed:
            # One that stood in the queue of another PG says nothing about the place in its own.
            if attempt.charge.due_at is not None and attempt.request.pg in taken:
                taken[attempt.request.pg].append((attempt.charge.due_at, attempt.charge.id))
        for queue, places in taken.items():
            self._places[queue] = max(places, default=HEAD)
            if len(places) < wanted[queue].limit:
                self._exhausted[queue] = now
                del self._places[queue]

    def wait(self, waits: Mapping[str, float]) -> None:
        """Pass over each of these queues for so many seconds: its PG has had the calls of just now."""
        now = self._monotonic()
        self._waits_until.update({queue: now + seconds for queue, seconds in waits.items()})

    @property
    def seconds_to_wait(self) -> float:
        """How long the first of the queues that wait for their pace still does; 0 when none waits."""
        now = self._monotonic()
        left = (until - now for queue, until in self._waits_until.items() if not self._is_exhausted(queue, now))
        return min((seconds for seconds in left if seconds > 0), default=0.0)

    @property
    def is_exhausted(self) -> bool:
        """Whether no queue has anything more to claim, for a while."""
        now = self._monotonic()
        return all(self._is_exhausted(queue, now) for queue in self._queues)

    def look_again(self) -> None:
        """Take no queue for exhausted any more: outcomes were written, and the next charges may be claimable."""
        self._exhausted.clear()

    def _is_passed_over(self, queue: str, now: float) -> bool:
        return self._is_exhausted(queue, now) or now < self._waits_until.get(queue, 0.0)

    def _is_exhausted(self, queue: str, now: float) -> bool:
        return now - self._exhausted.get(queue, float("-inf")) < LOOK_AGAIN_SECONDS
