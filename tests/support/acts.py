"""Acts on subscriptions at once, as an operator asks for them: for tests that are about something else."""

from __future__ import annotations

from datetime import datetime

from worker.changes.kind import ChangePolicy
from worker.changes.request import ChangeRequest, RequestedChange, request_change
from worker.database.engine import Sessions
from worker.domain.changes import ChangeKind, Moment

POLICY = ChangePolicy(max_amount=1_000_000)


def cancel(sessions: Sessions, code: str, *, reason: str, now: datetime) -> RequestedChange:
    """Cancel a subscription now."""
    return _now(sessions, ChangeKind.CANCEL, code, reason, now)


def pause(sessions: Sessions, code: str, *, reason: str, now: datetime) -> RequestedChange:
    """Pause a subscription now, until it is resumed."""
    return _now(sessions, ChangeKind.PAUSE, code, reason, now)


def resume(sessions: Sessions, code: str, *, reason: str, now: datetime) -> RequestedChange:
    """Resume a paused subscription now."""
    return _now(sessions, ChangeKind.RESUME, code, reason, now)


def _now(sessions: Sessions, kind: ChangeKind, code: str, reason: str, now: datetime) -> RequestedChange:
    request = ChangeRequest(kind=kind, subscription=code, when=Moment.NOW, reason=reason)
    return request_change(sessions, request, policy=POLICY, now=now)


def no_longer_owed(requested: RequestedChange) -> int:
    """Return what a change has made void, in won."""
    assert requested.preview is not None
    return requested.preview.effect.no_longer_owed
