"""Refunding a payment: all that is left of it, an amount, or what falls to its unused days.

What this kind does in a transaction is to work out the terms; the money goes back through `worker.changes.refunds`,
once the change is committed and, above a limit, approved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import ChangePolicy, Circumstances, OrdinaryKind, Subject
from worker.changes.parameters import spoken
from worker.changes.wording import day_en, day_ko, joined, refuse_parameters, won
from worker.domain.changes import ChangeKind, Moment, WaitsFor
from worker.domain.errors import RefusalCode, Refused
from worker.domain.gateway import Refund as GatewayRefund
from worker.domain.previews import Effect, Sentence
from worker.domain.refund_settlement import RefundSettlement
from worker.domain.refunds import RefundStatus
from worker.ledger import changes, refunds
from worker.ledger.refunds import NewRefund
from worker.pg.catalog import PGS
from worker.pg.refund_limits import final_en, is_final, is_too_old, too_old_en
from worker.refunds import queries
from worker.refunds.references import new_reference
from worker.refunds.terms import RefundableCharge, Wanted, refund_of

_MOST_DIGITS = 15
_SUMS = ("amount", "tax_free", "vat_amount")


class Refund(OrdinaryKind):
    """At once. It waits for PortOne, and from AGAIN_REFUND_REVIEW_AMOUNT on for a second operator before that."""

    kind = ChangeKind.REFUND
    supersedes = False
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> Wanted:
        refuse_parameters(parameters, (*_SUMS, "unused_days"))
        sums = {name: _won(name, parameters.get(name)) for name in _SUMS}
        unused_days = parameters.get("unused_days", False)
        if not isinstance(unused_days, bool):
            raise Refused(f"The unused-days are {unused_days!r:.40} but must be true or false.")
        if unused_days and sums["amount"] is not None:
            raise Refused("A refund is of an amount or of the unused days; give one of them.")
        return Wanted(unused_days=unused_days, **sums)

    def waits_for(self, parameters: Wanted, effect: Effect, policy: ChangePolicy) -> WaitsFor | None:  # noqa: ARG002
        # Counted by payment: what one operator may not refund at once, they may not refund in parts either.
        limit, in_all = policy.refund_review_amount, effect.refunded_before + effect.refunded
        return WaitsFor.APPROVAL if limit is not None and in_all >= limit else WaitsFor.PORTONE

    def apply(self, session: Session, subject: Subject, parameters: Wanted, given: Circumstances) -> Effect:
        if given.change_id is not None:
            raise Refused("A refund is not applied by the tick of changes: PortOne carries it out.")
        _require_alone(session, subject)
        charge = found_charge(session, subject.charge_id or 0)
        refund = refund_of(charge, parameters, reason=given.reason, reference=new_reference(), now=given.at)
        _as_if_carried_out(session, charge, refund, parameters, given)
        sentences = [_what(charge, refund, parameters), *_then(charge, refund, parameters, given)]
        return Effect(
            sentence=joined(sentences),
            refunded=refund.amount,
            refunded_before=charge.ours.amount,  # no other one is open, so this is all there is
            cautions=tuple(_cautions(charge, given)),
        )


def found_charge(session: Session, charge_id: int) -> RefundableCharge:
    """Return the charge that a refund is of. Raises Refused for an unknown one."""
    charge = queries.refundable_charge(session, charge_id)
    if charge is None:
        raise Refused(f"There is no charge {charge_id}. `again charge list` shows those there are.")
    return charge


def _require_alone(session: Session, subject: Subject) -> None:
    """Raise Refused while another refund of the charge waits: of two that were asked for at once, one is agreed to."""
    for each in changes.scheduled(session, subject.id):
        if each.kind is ChangeKind.REFUND and each.charge_id == subject.charge_id:
            raise Refused(
                f"Change {each.id} is a refund of charge {each.charge_id} too, and waits for {each.waits_for}: see "
                f"`again change show {each.id}`, and ask again when it has ended.",
                code=RefusalCode.BUSY,
            )


def new_refund(
    charge: RefundableCharge, refund: GatewayRefund, wanted: Wanted, *, at: datetime, change_id: int | None = None
) -> NewRefund:
    """Return the row of a refund; what is refunded by unused days ends the paid time."""
    return NewRefund(
        refund=refund,
        merchant_uid=charge.merchant_uid,
        currency=charge.currency,
        paid=charge.paid,
        charge_id=charge.id,
        change_id=change_id,
        ends_at=at if wanted.unused_days else None,
    )


def _as_if_carried_out(
    session: Session, charge: RefundableCharge, refund: GatewayRefund, wanted: Wanted, given: Circumstances
) -> None:
    """Leave behind what PortOne's answer will: the preview, which rolls it back, shows what is paid then."""
    new = new_refund(charge, refund, wanted, at=given.at)
    known = refunds.record(session, new, now=given.now, lease=timedelta(0))
    if known is not None:
        done = RefundSettlement(
            status=RefundStatus.COMPLETED, reason="previewed", refunded=charge.refunded + refund.amount
        )
        refunds.settle(session, known, done, now=given.now)


def _won(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        value = int(value)  # of a bulk run's file
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**12:
        raise Refused(f"The {spoken(name)} is {value!r:.40} but must be a whole number of won.")
    return value


def _what(charge: RefundableCharge, refund: GatewayRefund, wanted: Wanted) -> Sentence:
    pg = PGS[charge.pg].name if charge.pg in PGS else charge.pg or "an unknown PG"
    paid = f", paid {day_en(charge.paid_at, charge.zone)}" if charge.paid_at else ""
    days = " for its unused days" if wanted.unused_days else ""
    free = f", {refund.tax_free:,} of it free of tax" if refund.tax_free else ""
    vat = "" if refund.vat_amount is None else f", {refund.vat_amount:,} of it VAT"
    before = f" {won(charge.refunded)} were refunded before." if charge.refunded else ""
    earlier = f" 앞서 {charge.refunded:,}원이 환불되었습니다." if charge.refunded else ""
    share = "남은 기간만큼 " if wanted.unused_days else ""
    return Sentence(
        f"{won(refund.amount)} of the {won(charge.paid)} of charge {charge.id} ({refund.imp_uid}, {pg}{paid}) are "
        f"refunded{days}{free}{vat}.{before}",
        f"결제하신 {charge.paid:,}원 중 {refund.amount:,}원이 {share}환불됩니다.{earlier}",
    )


def _then(charge: RefundableCharge, refund: GatewayRefund, wanted: Wanted, given: Circumstances) -> Iterator[Sentence]:
    """Return what is left, and what becomes of the paid time."""
    left, zone = charge.left - refund.amount, charge.zone
    if not left:
        yield Sentence(
            "Nothing of it is kept, so its period is not paid then.", "해당 기간은 결제되지 않은 것으로 처리됩니다."
        )
    elif wanted.unused_days:
        yield Sentence(
            f"{won(left)} are kept, and what was paid ends on {day_en(given.at, zone)}.",
            f"이용하신 기간의 요금 {left:,}원은 환불되지 않으며, {day_ko(given.at, zone)}까지 이용하실 수 있습니다.",
        )
    else:
        yield Sentence(
            f"{won(left)} are kept, and its period stays paid.",
            f"나머지 {left:,}원은 환불되지 않으며, 이용 기간은 그대로 유지됩니다.",
        )


def _cautions(charge: RefundableCharge, given: Circumstances) -> Iterator[Sentence]:
    if is_final(charge.pg):
        yield Sentence(final_en(charge.pg), "환불한 뒤에는 취소할 수 없습니다.")
    if is_too_old(charge.pg, charge.pay_method, charge.paid_at, now=given.at):
        yield Sentence(too_old_en(charge.pg, charge.pay_method), "결제한 지 오래되어 환불이 거절될 수 있습니다.")
    if charge.in_console:
        yield Sentence(
            f"{won(charge.in_console)} of it were refunded in PortOne's console.",
            f"포트원 콘솔에서 {charge.in_console:,}원이 이미 환불되었습니다.",
        )
