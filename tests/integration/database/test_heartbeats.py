"""Signs of life: when a part was last seen, and since when there are workers again after none was there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from worker.database import heartbeats
from worker.database.engine import Sessions

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SILENCE = timedelta(minutes=5)


def live(sessions: Sessions, now: datetime) -> datetime | None:
    """Begin a task at a time, and return since when the workers are back."""
    with sessions.begin() as session:
        heartbeats.note_return(session, now=now, silence=SILENCE)
        heartbeats.beat(session, "again.charge", now=now)
        return heartbeats.last_seen(session).get(heartbeats.RETURN)


def test_workers_are_back_when_a_task_begins_after_a_silence(sessions: Sessions):
    assert live(sessions, NOW) == NOW, "the first of all"
    assert live(sessions, NOW + SILENCE / 2) == NOW
    assert live(sessions, NOW + SILENCE) == NOW, "no longer than a task may run"
    later = NOW + 2 * SILENCE + timedelta(seconds=1)
    assert live(sessions, later) == later


def test_return_of_before_the_clock_was_set_back_is_forgotten(sessions: Sessions):
    assert live(sessions, NOW) == NOW
    back = NOW - timedelta(hours=4)
    assert live(sessions, back) == back


def test_database_of_before_this_version_knows_no_return(sessions: Sessions):
    with sessions.begin() as session:
        heartbeats.beat(session, "again.charge", now=NOW)
    assert live(sessions, NOW + SILENCE / 2) is None
