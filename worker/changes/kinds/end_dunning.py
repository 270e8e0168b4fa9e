"""The end of dunning: what the plan says of a subscription that was not paid, and of what is unpaid.

It is asked for by a worker, when a dunning calendar is spent or a billing key dies: worker/ledger/end_of_dunning.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from schedules.end_of_dunning import DunningEnd, GivenUpAs
from worker.changes.kind import Circumstances, Kind, NotYet, OrdinaryKind, Subject
from worker.changes.kinds.cancel import Cancel
from worker.changes.kinds.pause import Pause
from worker.changes.wording import refuse_parameters, won
from worker.domain.changes import ChangeKind, ChangeStatus, Moment
from worker.domain.end_of_dunning import ENDS, GIVEN_UP, DunningFailure
from worker.domain.errors import Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.states import ChargeStatus
from worker.ledger import changes, charges, end_of_dunning
from worker.ledger.giving_up import give_up
from worker.ledger.voiding import void


@dataclass(frozen=True, slots=True)
class DunningEndTerms:
    """Why dunning has failed: which charge's calendar is spent, or which key is dead."""

    failure: DunningFailure
    charge_id: int | None
    billing_key_id: int | None


class EndDunning(OrdinaryKind):
    """The subscription is canceled or paused, and what is unpaid given up, if it is unpaid still when the time comes.

    What may be paid at that moment, by a call or in a payment window, is waited for.
    """

    kind = ChangeKind.END_DUNNING
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> DunningEndTerms:
        refuse_parameters(parameters, ("failure", "charge", "billing_key"))
        if parameters.get("failure") not in list(DunningFailure):  # a host may pass what cannot be hashed
            raise Refused(f"Dunning ends because of {' or '.join(DunningFailure)}: say which as `failure`.")
        failure = DunningFailure(parameters["failure"])
        return DunningEndTerms(failure, parameters.get("charge"), parameters.get("billing_key"))

    def apply(self, session: Session, subject: Subject, parameters: DunningEndTerms, given: Circumstances) -> Effect:  # noqa: ARG002
        if given.change_id is None:
            raise Refused("A worker ends dunning when it has failed; cancel or pause the subscription instead.")
        if (not_needed := _not_needed(session, subject, given)) is not None:
            return Effect(sentence=not_needed)
        if end_of_dunning.is_being_paid(session, subject.id):
            raise NotYet
        unpaid = _give_up_all(session, subject, given)
        kind: Kind = Cancel() if subject.plan.dunning_end is DunningEnd.CANCEL else Pause()
        ended = kind.apply(session, subject, kind.read({}), given)
        return Effect(sentence=_sentence(subject, given, unpaid), no_longer_owed=unpaid, cautions=ended.cautions)


def _not_needed(session: Session, subject: Subject, given: Circumstances) -> Sentence | None:
    """Return why dunning does not end, and undo the change; None when it does end."""
    assert given.change_id is not None, "a preview of it is refused"
    if not end_of_dunning.still_failed(session, given.change_id):
        reason = "what was unpaid is settled, or it has another billing key"
        end_of_dunning.undo_settled(session, [subject.id], reason=reason, now=given.now)
    elif subject.plan.dunning_end is DunningEnd.LEAVE:
        reason = "its plan leaves subscriptions as they are by now"
        changes.end(session, [given.change_id], ChangeStatus.UNDONE, reason=reason, now=given.now)
    else:
        return None
    return Sentence(f"Subscription {subject.code} goes on: {reason}.", "구독이 그대로 유지됩니다.")


def _give_up_all(session: Session, subject: Subject, given: Circumstances) -> int:
    """Let go what is unpaid, and what was given up since the last payment; return what it comes to, in won."""
    earlier = end_of_dunning.given_up_since_paid(session, subject.id)
    if earlier is None:
        raise NotYet  # a payment window is being opened for one of them
    owed, as_planned = charges.waiting_sum(session, subject.id), subject.plan.dunning_end_charges
    reason = f"dunning has ended: {given.reason}"
    give_up(session, charges.waiting_charges(session, subject.id), as_planned, reason=reason, now=given.now)
    if as_planned is GivenUpAs.VOID:
        expecting = {ChargeStatus.UNCOLLECTIBLE}
        void(session, [each.id for each in earlier], expecting=expecting, reason=reason, now=given.now)
    return owed + sum(each.amount for each in earlier)


def _sentence(subject: Subject, given: Circumstances, unpaid: int) -> Sentence:
    end, given_up = ENDS[subject.plan.dunning_end], GIVEN_UP[subject.plan.dunning_end_charges]
    return Sentence(
        f"Subscription {subject.code} {end.en}: {given.reason}. What is unpaid, {won(unpaid)}, {given_up.en}.",
        f"요금이 결제되지 않아 {end.ko}. 미납 요금 {unpaid:,}원은 {given_up.ko}.",
    )
