"""Refund policy: which payment may be refunded, how much of it, and what the operator is told before. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import assert_never

from worker.domain.discrepancy_rules import DiscrepancyKind, refunded
from worker.domain.errors import Refused
from worker.domain.gateway import LookUpFailed, PaymentRecord, Refund
from worker.pg.catalog import states_vat
from worker.pg.refund_limits import final_en, is_final, is_too_old, too_old_en
from worker.review.case import Case, Decision, DecisionRequest, money
from worker.review.step import Caution, Step

_MONEY_MOVED = frozenset({"paid", "cancelled"})


def refund_step(case: Case, request: DecisionRequest) -> Step:
    """Return what a refund would do now; its checksum is what PortOne shows as not yet refunded.

    For a payment that is refunded already it only resolves the discrepancy, so a refund may be repeated. Raises
    Refused.
    """
    if isinstance(case.finding, LookUpFailed):
        raise Refused("PortOne does not answer, so what is left to refund is not known. Try again later.")
    record = _payment(case, request.imp_uid)
    if record.odd is not None:
        raise Refused(f"PortOne shows {record.odd} of {record.imp_uid}: refund it in PortOne's console, then accept.")
    left = record.amount - refunded(record)
    if left <= 0:
        sentence = f"PortOne shows {record.imp_uid} as refunded ({money(record.amount, record.currency)})."
        return Step(decision=Decision.REFUND, sentence=sentence, payment=record)
    if request.imp_uid is None and not _leaves_one(case, record):
        raise Refused(
            f"Refunding {record.imp_uid} would leave nothing for the period: PortOne shows no other payment of it that "
            "was kept. To refund it anyway, name it with --imp-uid."
        )
    tax_free = _tax_free(case, request, record, left)
    refund = Refund(
        imp_uid=record.imp_uid,
        amount=left,
        checksum=left,
        tax_free=tax_free,
        vat_amount=_vat_amount(case, request, record, left - tax_free),
        pg=_pg(record),
        reason=request.note,
    )
    cautions = frozenset(_cautions(case, record))
    return Step(
        decision=Decision.REFUND,
        sentence=_sentence(record, refund, cautions),
        moves_money=True,
        payment=record,
        refund=refund,
        cautions=cautions,
    )


def _payment(case: Case, imp_uid: str | None) -> PaymentRecord:
    """Return the payment to refund. The one that our records count for the period has to be named."""
    refundable = [record for record in case.records if record.status in _MONEY_MOVED]
    if not refundable:
        raise Refused("PortOne shows no payment that could be refunded.")
    if imp_uid is None and case.kind is DiscrepancyKind.UNRESOLVED:
        raise Refused(f"Name the payment to refund with --imp-uid: {_listed(refundable)}.")
    wanted = case.imp_uid if imp_uid is None else imp_uid
    record = next((each for each in refundable if each.imp_uid == wanted), None)
    if record is None:
        raise Refused(f"PortOne shows no such payment ({wanted or 'none'!s:.60}) here, but {_listed(refundable)}.")
    if imp_uid is None and _is_counted(case, record):
        raise Refused(
            f"{wanted} is the payment that our records count for the period. To refund it, name it with --imp-uid: "
            f"{_listed(refundable)}."
        )
    return record


def _tax_free(case: Case, request: DecisionRequest, record: PaymentRecord, left: int) -> int:
    """Return how much of a refund is free of tax. Some PGs require it, and a wrong one makes a wrong tax document."""
    charge = case.charge
    if request.tax_free is not None:
        is_as_owed = charge is not None and charge.amount == record.amount
        most = min(left, charge.tax_free) if charge is not None and is_as_owed else left
        if not 0 <= request.tax_free <= most:
            raise Refused(f"--tax-free is {request.tax_free:,}; it can be 0 to {most:,} of the {left:,} refunded.")
        return request.tax_free
    if charge is not None and (charge.tax_free == 0 or left == record.amount == charge.amount):
        return charge.tax_free
    raise Refused(f"State with --tax-free how much of {money(left, record.currency)} is free of tax; 0 for none of it.")


def _vat_amount(case: Case, request: DecisionRequest, record: PaymentRecord, taxed: int) -> int | None:
    """Return how much of the taxed part is VAT, if that was stated with the payment; None if the PG works it out."""
    charge = case.charge
    if request.vat_amount is not None:
        if not states_vat(_pg(record)):
            raise Refused(f"{_pg(record) or 'An unknown PG'} works out the VAT itself; leave out --vat-amount.")
        most = taxed if charge is None or charge.vat_amount is None else min(taxed, charge.vat_amount)
        if not 0 <= request.vat_amount <= most:
            raise Refused(f"--vat-amount is {request.vat_amount:,}; it can be 0 to {most:,}, which is what was paid.")
        return request.vat_amount
    if charge is None or charge.vat_amount is None or not states_vat(_pg(record)):
        return None
    if taxed == charge.amount - charge.tax_free and record.amount == charge.amount:
        return charge.vat_amount
    raise Refused(
        f"{money(charge.vat_amount, record.currency)} of VAT was stated with the payment. State with --vat-amount how "
        f"much of the taxed {money(taxed, record.currency)} is VAT; 0 for none of it."
    )


def _pg(record: PaymentRecord) -> str:
    return str(record.raw.get("pg_provider") or "")


def _pay_method(record: PaymentRecord) -> str:
    return str(record.raw.get("pay_method") or "")


def _cautions(case: Case, record: PaymentRecord) -> Iterator[Caution]:
    if _is_counted(case, record):
        yield Caution.COUNTED
    if not _leaves_one(case, record):
        yield Caution.NOTHING_LEFT
    if is_final(_pg(record)):
        yield Caution.FINAL
    if is_too_old(_pg(record), _pay_method(record), record.paid_at, now=case.asked_at):
        yield Caution.TOO_OLD


def _sentence(record: PaymentRecord, refund: Refund, cautions: Collection[Caution]) -> str:
    pg, left = refund.pg or "an unknown PG", refund.checksum
    paid = f", paid {record.paid_at:%Y-%m-%d %H:%M} UTC" if record.paid_at else ""
    rest = "" if left == record.amount else f" (the rest of {money(record.amount, record.currency)})"
    free = f", {refund.tax_free:,} of it free of tax" if refund.tax_free else ""
    vat = "" if refund.vat_amount is None else f", {refund.vat_amount:,} of it VAT"
    sentences = [f"{money(left, record.currency)}{rest} of {record.imp_uid} ({pg}{paid}) is refunded{free}{vat}."]
    return " ".join([*sentences, *(_caution_text(each, record) for each in Caution if each in cautions)])


def _caution_text(caution: Caution, record: PaymentRecord) -> str:
    match caution:
        case Caution.COUNTED:
            return "It is the payment that our records count for the period."
        case Caution.NOTHING_LEFT:
            return "Nothing is left for the period then."
        case Caution.FINAL:
            return final_en(_pg(record))
        case Caution.TOO_OLD:
            return too_old_en(_pg(record), _pay_method(record))
        case _:
            assert_never(caution)


def _leaves_one(case: Case, record: PaymentRecord) -> bool:
    """Return whether a period that was paid twice stays paid: the other payment may have been refunded already."""
    if case.kind is not DiscrepancyKind.PAID_TWICE or (case.charge is not None and case.charge.paid_elsewhere):
        return True
    others = (each for each in case.records if each.imp_uid != record.imp_uid)
    return any(each.status in _MONEY_MOVED and refunded(each) < each.amount for each in others)


def _is_counted(case: Case, record: PaymentRecord) -> bool:
    return case.charge is not None and record.imp_uid in case.charge.counted


def _listed(records: list[PaymentRecord]) -> str:
    return ", ".join(f"{each.imp_uid} ({each.status}, {money(each.amount, each.currency)})" for each in records)
