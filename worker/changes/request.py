"""Asking for a change: what it comes to is shown, agreed to, and then done at once or scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.holds import require_no_hold
from worker.changes.kind import ChangePolicy, Kind, Subject
from worker.changes.parameters import require_words
from worker.changes.preview import Trial, preview_of
from worker.changes.progress import apply_due, apply_one, open_started
from worker.changes.registry import KINDS
from worker.changes.replacing import replaced, require_no_later_cancellation, scheduled_like
from worker.changes.subjects import instant, lock_subject, no_earlier, relock
from worker.changes.wording import day_en
from worker.database.engine import Sessions
from worker.domain.changes import LONGEST_KEY, OF_A_CHARGE, ChangeKind, ChangeStatus, When, digest_of
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Preview, kept
from worker.ledger import changes
from worker.ledger.changes import Change, NewChange
from worker.ledger.database_identity import is_held
from worker.subscriptions.locking import OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """What is asked for: of a subscription by its code, or of a charge by its id.

    `parameters` are those of the kind, JSON values only. `when` None is the kind's own default. `fingerprint` is that
    of the preview which was agreed to; None: as it is now. Asked twice under one `idempotency_key`, it is done once.
    `by_host`: a host asks for its customer, who is told no operator's name and makes no one's cancellation later.
    """

    kind: ChangeKind
    subscription: str | None = None
    charge: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: When | None = None
    reason: str
    comment: str | None = None
    idempotency_key: str | None = None
    fingerprint: str | None = None
    by_host: bool = False


@dataclass(frozen=True, slots=True)
class RequestedChange:
    """A change that was asked for, as it stands now, and what it comes to; `repeated`: it was asked for before."""

    change: Change
    preview: Preview | None
    repeated: bool = False


class PreviewChanged(Refused):
    """The world has moved on since the preview that was agreed to: `preview` is what it comes to now."""

    def __init__(self, preview: Preview) -> None:
        super().__init__(
            f"It comes to something else by now: {preview.effect.sentence.en} Nothing was changed.",
            code=RefusalCode.CHANGED,
        )
        self.preview = preview


def preview_change(sessions: Sessions, request: ChangeRequest, *, policy: ChangePolicy, now: datetime) -> Preview:
    """Return what a change comes to. Nothing is written. Raises Refused as `request_change` does."""
    with sessions() as session:
        subject = _locked(session, request)
        preview = _considered(session, request, subject, policy, no_earlier(session, subject, now=now)).preview
        session.rollback()
    return preview


def asked_before(sessions: Sessions, request: ChangeRequest) -> RequestedChange | None:
    """Return the change that was asked for under this request's idempotency key; None for a new one.

    Raises Refused when the key stands for another request.
    """
    if request.idempotency_key is None:
        return None
    with sessions.begin() as session:
        subject = _locked(session, request)
        known = changes.by_key(session, request.idempotency_key)
        return None if known is None else _repeated(known, request, subject)


def request_change(
    sessions: Sessions, request: ChangeRequest, *, policy: ChangePolicy, now: datetime
) -> RequestedChange:
    """Write a change down, and apply it if its time has come and it waits for nothing else.

    Raises Refused for an unknown subject, a state that is wrong for it, parameters that are, a time in the past or
    beyond ten years, a change that contradicts a scheduled one, and an idempotency key that stands for another request;
    PreviewChanged when it does not come to what was agreed to any more. Nothing is changed then.
    """
    with sessions.begin() as session:
        return request_within(session, request, policy=policy, now=now)


def request_within(session: Session, request: ChangeRequest, *, policy: ChangePolicy, now: datetime) -> RequestedChange:
    """Do as `request_change`, in the caller's transaction."""
    require_words(request.reason, request.comment)
    key = request.idempotency_key
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise Refused(f"An idempotency key has 1 to {LONGEST_KEY} characters, not {len(key)}.")
    subject = _locked(session, request)
    # Looked for once the subject is locked: what asked at the same moment has been done by now.
    if key is not None and (known := changes.by_key(session, key)) is not None:
        return _repeated(known, request, subject)
    now = no_earlier(session, subject, now=now)
    considered = _considered(session, request, subject, policy, now)
    preview = considered.preview
    if request.fingerprint not in {None, preview.fingerprint}:
        raise PreviewChanged(preview)
    kind = considered.kind
    waits_for = kind.waits_for(considered.parameters, preview.effect, policy)
    new = NewChange(
        kind=request.kind,
        subscription_id=considered.subject.id,
        charge_id=considered.subject.charge_id,
        parameters=dict(request.parameters),
        effective_at=preview.effective_at,
        reason=request.reason,
        digest=considered.digest,
        preview=kept(preview),
        fingerprint=preview.fingerprint,
        waits_for=waits_for,
        comment=request.comment,
        idempotency_key=key,
    )
    added = changes.add(session, [new], now=now)
    if not added:  # asked for twice at the same moment; the other one was faster
        known = changes.by_key(session, key or "")
        assert known is not None, "its key was taken"
        return _repeated(known, request, subject)
    _supersede(session, considered, added[0], now)
    if considered.held:
        apply_one(session, added[0], policy=policy, now=now)
    else:
        apply_due(session, considered.subject.code, policy=policy, now=now)
    change = changes.found(session, added[0])
    assert change is not None, "it was added just now"
    if change.status is ChangeStatus.FAILED:
        raise Refused(change.status_reason)
    return RequestedChange(change, preview)


@dataclass(frozen=True, slots=True)
class _Considered:
    """A request that was understood, and what it comes to; `held`: charging is, and what was due before waits."""

    kind: Kind
    subject: Subject
    parameters: Any
    digest: str
    preview: Preview
    held: bool


def _locked(session: Session, request: ChangeRequest) -> Subject:
    if (request.kind in OF_A_CHARGE) == (request.charge is None):
        what = "a charge" if request.kind in OF_A_CHARGE else "a subscription"
        raise Refused(f"This is done to {what}: name it.")
    return lock_subject(session, subscription=request.subscription, charge=request.charge)


def _considered(
    session: Session, request: ChangeRequest, subject: Subject, policy: ChangePolicy, now: datetime
) -> _Considered:
    kind = KINDS[request.kind]
    parameters = kind.read(request.parameters)
    held = is_held(session)
    if not held:
        apply_due(session, subject.code, policy=policy, now=now)
        open_started(session, subject.id, now=now)
    subject = relock(session, subject.code, subject.charge_id)
    when = kind.default if request.when is None else request.when
    effective_at = instant(subject, when, now=now)
    _require_no_contradiction(session, request.kind, subject, effective_at)
    like = scheduled_like(session, kind, subject)
    if request.by_host:
        require_no_later_cancellation(session, like, subject, effective_at)
    replaces = replaced(session, like, for_host=request.by_host)
    with session.begin_nested() as savepoint:
        changes.end(session, [x.id for x in replaces], ChangeStatus.SUPERSEDED, reason="previewed", now=now)
        trial = Trial(
            kind=kind,
            subject=subject,
            parameters=parameters,
            effective_at=effective_at,
            reason=request.reason,
            policy=policy,
        )
        preview = replace(preview_of(session, trial, now=now), replaces=replaces)
        savepoint.rollback()
    if preview.at_once:
        require_no_hold(session, request.kind, moves_money=preview.moves_money)
    return _Considered(kind, subject, parameters, _digest(request, subject), preview, held)


def _digest(request: ChangeRequest, subject: Subject) -> str:
    ids = {"subscription": subject.id, "charge": subject.charge_id}
    return digest_of(request.kind, ids, request.parameters, request.when or KINDS[request.kind].default)


def _repeated(known: Change, request: ChangeRequest, subject: Subject) -> RequestedChange:
    """Return the change that was asked for before. Raises Refused when the key stands for another request."""
    if known.digest != _digest(request, subject):
        raise Refused(
            f"The idempotency key {request.idempotency_key!r} stands for another request, change {known.id}: "
            "use another key for this one."
        )
    return RequestedChange(known, None, repeated=True)


def _supersede(session: Session, considered: _Considered, change_id: int, now: datetime) -> None:
    earlier = [each.id for each in scheduled_like(session, considered.kind, considered.subject) if each.id != change_id]
    changes.end(session, earlier, ChangeStatus.SUPERSEDED, reason=f"by change {change_id}", now=now)


def _require_no_contradiction(session: Session, kind: ChangeKind, subject: Subject, effective_at: datetime) -> None:
    """Raise Refused for a change of a subscription that is over, or is to be canceled by then."""
    if kind in OF_A_CHARGE:
        return
    if subject.subscription.status in OVER:
        raise Refused(
            f"Subscription {subject.code} is {subject.subscription.status}, which is for good; it cannot be changed.",
            code=RefusalCode.OVER,
        )
    if kind is ChangeKind.CANCEL:
        return
    for each in changes.scheduled(session, subject.id):
        if each.kind is ChangeKind.CANCEL and each.effective_at <= effective_at:
            raise Refused(
                f"Subscription {subject.code} is to be canceled on {day_en(each.effective_at, subject.zone)} by change "
                f"{each.id}. Undo that first: `again change undo {each.id}`.",
                code=RefusalCode.CONTRADICTS,
            )
