"""A cancellation that refunds: what it adds to the cancellation, in the same transaction.

The refund is a change of its own. It is written with the cancellation, so that neither is there without the other, and
the money goes back through `worker.changes.refunds` once both are committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.current_period import current_charge
from worker.changes.kind import Circumstances, Subject
from worker.changes.kinds.refund import Refund
from worker.changes.wording import day_en
from worker.domain.changes import ChangeKind, Moment, WaitsFor, digest_of
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.ledger import changes
from worker.ledger.changes import NewChange


class RefundOnCancel(StrEnum):
    """What of the current period's payment a cancellation refunds."""

    UNUSED_DAYS = "unused-days"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class _Terms:
    """The refund that belongs to a cancellation: of which charge, how much, and what it waits for."""

    charge_id: int
    parameters: Mapping[str, Any]
    effect: Effect
    waits_for: WaitsFor | None


def read_refund(value: object) -> RefundOnCancel | None:
    """Return what is to be refunded; None for nothing. Raises Refused for another word."""
    if value is None or value == "none":
        return None
    if not isinstance(value, str) or value not in set(RefundOnCancel):
        raise Refused(f"The refund is {value!r:.40}; it is unused-days, all or none.")
    return RefundOnCancel(value)


def refund_too(session: Session, subject: Subject, wanted: RefundOnCancel, given: Circumstances) -> Effect:
    """Refund the current period's payment with a cancellation, and return what comes back.

    A preview leaves behind what PortOne's answer will. Otherwise the change is added that carries it out. Raises
    Refused for a cancellation that is planned ahead, for a period that is not paid, and as a refund does.
    """
    if not given.at_once:
        raise Refused(
            f"A cancellation that refunds is made at once, not on {day_en(given.at, subject.zone)}: give --at now, or "
            "leave the refund out and ask for it with `again charge refund` then.",
            code=RefusalCode.WRONG_DATE,
        )
    charge = current_charge(session, subject, given.at)
    if charge is None:
        raise Refused(
            f"No period of subscription {subject.code} is paid now: cancel it without a refund.",
            code=RefusalCode.NOT_PAID,
        )
    tried = session.begin_nested()
    terms = _terms(session, replace(subject, charge_id=charge.id), wanted, given)
    if given.change_id is None:
        tried.commit()
    else:
        tried.rollback()
        _add(session, subject, terms, given, given.change_id)
    if terms.waits_for is WaitsFor.APPROVAL:
        return replace(terms.effect, cautions=(*terms.effect.cautions, _APPROVAL))
    return terms.effect


_APPROVAL = Sentence(
    "The refund waits until another operator approves it; the subscription is canceled at once.",
    "환불은 담당자의 승인 후에 진행되며, 구독은 바로 해지됩니다.",
)


def _terms(session: Session, subject: Subject, wanted: RefundOnCancel, given: Circumstances) -> _Terms:
    refund = Refund()
    parameters = {"unused_days": True} if wanted is RefundOnCancel.UNUSED_DAYS else {}
    read = refund.read(parameters)
    effect = refund.apply(session, subject, read, replace(given, change_id=None))
    assert subject.charge_id is not None, "it is of the current charge"
    return _Terms(subject.charge_id, parameters, effect, refund.waits_for(read, effect, given.policy))


def _add(session: Session, subject: Subject, terms: _Terms, given: Circumstances, cancellation_id: int) -> None:
    """Write the refund down as a change of the operator who has canceled, and who therefore cannot approve it."""
    cancellation = changes.found(session, cancellation_id)
    assert cancellation is not None, "it is being applied"
    ids = {"subscription": subject.id, "charge": terms.charge_id}
    effect = terms.effect
    new = NewChange(
        kind=ChangeKind.REFUND,
        subscription_id=subject.id,
        charge_id=terms.charge_id,
        parameters=terms.parameters,
        effective_at=given.at,
        reason=given.reason,
        digest=digest_of(ChangeKind.REFUND, ids, terms.parameters, Moment.NOW),
        preview={
            "sentence": asdict(effect.sentence),
            "charged": 0,
            "refunded": effect.refunded,
            "credited": 0,
            "no_longer_owed": 0,
            "cautions": [asdict(each) for each in effect.cautions],
            "periods": [],
            "cancellation": cancellation_id,
        },
        fingerprint=cancellation.fingerprint,
        waits_for=terms.waits_for,
        comment=cancellation.comment,
        requested_by=cancellation.requested_by,
    )
    changes.add(session, [new], now=given.now)
