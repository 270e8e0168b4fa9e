"""Agreeing to a change that waits for its customer's consent: written down, and then it takes effect in its time."""

from __future__ import annotations

from datetime import datetime

from worker.changes.kind import ChangePolicy
from worker.changes.price_as_it_stands import as_it_stands
from worker.changes.progress import apply_due
from worker.changes.subjects import lock_subject
from worker.changes.undo import known
from worker.database.engine import Sessions
from worker.domain.changes import ChangeStatus, WaitsFor
from worker.domain.errors import RefusalCode, Refused
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import ConsentSource
from worker.ledger import changes, consents
from worker.ledger.changes import Change
from worker.ledger.database_identity import is_held
from worker.subscriptions.locking import lock_running, open_missed_periods


def agree_to_change(
    sessions: Sessions,
    change_id: int,
    *,
    wording: str,
    source: ConsentSource,
    policy: ChangePolicy,
    now: datetime,
    fingerprint: str | None = None,
    terms: ShownTerms | None = None,
) -> Change:
    """Write down that the customer has agreed to a change, and return it as it stands then.

    `wording` names the text that was agreed to, and `terms` are that text as it was shown. `fingerprint` is that of the
    change as it was shown. A change whose time has passed takes effect from the next period on: what has started is
    opened first, at the old price.

    Raises Refused when it waits for no consent, when it is another one than was shown, and for one whose time has
    passed while a period that has started cannot be opened.
    """
    with sessions.begin() as session:
        change = known(session, change_id)
        lock_subject(session, subscription=change.code, charge=None)
        if not is_held(session):
            apply_due(session, change.code, policy=policy, now=now)
        change = as_it_stands(session, known(session, change_id))
        if change.status is not ChangeStatus.SCHEDULED or change.waits_for is not WaitsFor.CONSENT:
            raise Refused(
                f"Change {change_id} is {change.status} and waits for no consent; `again change list --status "
                "scheduled` shows those that do.",
                code=RefusalCode.TOO_LATE,
            )
        if fingerprint not in {None, change.fingerprint}:
            raise Refused(
                f"Change {change_id} is another one than was shown. Show it to the customer again.",
                code=RefusalCode.CHANGED,
            )
        if change.effective_at <= now:
            open_missed_periods(session, lock_running(session, change.code, "changed"), now)
        consent = consents.to_change(
            session,
            change.subscription_id,
            amount=change.preview["after"],
            effective_at=max(change.effective_at, now),
            source=source,
            wording=wording,
            terms=terms,
            now=now,
        )
        changes.go_on(session, change_id, expected=WaitsFor.CONSENT, then=None, consent_id=consent.id, now=now)
        if not is_held(session):
            apply_due(session, change.code, policy=policy, now=now)
        return known(session, change_id)
