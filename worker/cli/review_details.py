"""How `again review` shows discrepancies: our records, PortOne then and now, and what can be decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from worker.cli import console, formats
from worker.cli.audit import print_audit
from worker.cli.charge import print_attempts
from worker.domain.discrepancy_rules import MEANINGS, DiscrepancyStatus, refunded
from worker.domain.gateway import LookUpFailed, PaymentRecord

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from worker.review.case import Case
    from worker.review.queries import DiscrepancyDetails, ListedDiscrepancy


@dataclass(frozen=True, slots=True)
class Details:
    """Our records' side of a discrepancy."""

    discrepancy: DiscrepancyDetails
    attempts: Sequence[Mapping[str, Any]]
    audit: Sequence[Mapping[str, Any]]


def read(session: Session, case: Case) -> Details:
    """Return what our records have about a discrepancy."""
    from worker.ledger import history
    from worker.review import queries as review_queries

    discrepancy = review_queries.find_details(session, case.id)
    assert discrepancy is not None, "discrepancies are never deleted"
    charge_id = discrepancy.charge_id
    attempts = [] if charge_id is None else history.attempts(session, charge_id)
    return Details(discrepancy, attempts, history.audit(session, "discrepancy", case.id))


def document(case: Case, details: Details) -> dict[str, Any]:
    """Return both sides as one JSON document."""
    from worker.review.decisions import preview_decisions

    failed = isinstance(case.finding, LookUpFailed)
    return {
        **_values(details.discrepancy),
        "meaning": MEANINGS[case.kind],
        "attempts": details.attempts,
        "portone_now": {
            "asked_at": case.asked_at,
            "answered": not failed,
            "payments": [_payment(record, case) for record in case.records],
        },
        "decisions": [asdict(preview) for preview in preview_decisions(case)],
        "audit": details.audit,
    }


def _values(row: DiscrepancyDetails) -> dict[str, Any]:
    values = asdict(replace(row, charge=None))
    del values["charge"]
    charge = row.charge
    return values | {
        "charge_status": charge and charge.status,
        "charge_amount": charge and charge.amount,
        "charge_tax_free": charge and charge.tax_free,
        "charge_vat_amount": charge and charge.vat_amount,
        "charge_currency": charge and charge.currency,
        "charge_refunded": row.refunded if charge else None,
        "counted": sorted(charge.counted) if charge else [],
    }


def print_discrepancies(discrepancies: Sequence[ListedDiscrepancy]) -> None:
    """Print discrepancies, one a line."""
    console.table(
        "ID",
        "KIND",
        "SUBSCRIPTION",
        "CUSTOMER",
        "AMOUNT",
        "REFUNDED",
        "FOUND",
        "STATUS",
        rows=[
            (
                str(row.id),
                formats.spaced(row.kind),
                row.subscription or "",
                row.customer_reference or "",
                "" if row.amount is None else formats.money(row.amount, row.currency),
                formats.money(row.refunded, row.currency) if row.refunded else "",
                formats.local_time(row.found_at, row.time_zone),
                row.status,
            )
            for row in discrepancies
        ],
        right=("ID", "AMOUNT", "REFUNDED"),
        whole=("ID", "SUBSCRIPTION", "AMOUNT", "REFUNDED", "FOUND", "STATUS"),
    )


def print_details(case: Case, details: Details) -> None:
    """Print both sides, and what each decision would do."""
    zone = details.discrepancy.time_zone
    _print_discrepancy(case, details.discrepancy)
    print_attempts(details.attempts, zone)
    _print_found(details.discrepancy.evidence.get("portone"))
    console.head("PortOne now")
    _print_now(case, zone)
    if case.status is DiscrepancyStatus.OPEN:
        console.head("What you can decide")
        _print_decisions(case)
    console.head("History")
    print_audit(details.audit, zone)


def _print_discrepancy(case: Case, row: DiscrepancyDetails) -> None:
    at = formats.in_zone(row.time_zone)
    by = f" by {row.decided_by}" if row.decided_by else ""
    console.details(
        {
            "discrepancy": f"{row.id}: {formats.spaced(row.kind)} ({MEANINGS[case.kind]})",
            "status": f"{row.status} since {at(row.status_at)}{by}: {row.status_reason}",
            "found": f"{at(row.found_at)}, last seen {at(row.seen_at)}",
            "subscription": row.subscription,
            "customer": row.customer_reference,
            "charge": _charge(row),
            "merchant_uid": row.merchant_uid,
            "payment": row.imp_uid or None,
        }
    )


def _charge(row: DiscrepancyDetails) -> str | None:
    charge = row.charge
    if charge is None or row.period_start is None:
        return None
    at = formats.in_zone(row.time_zone)
    owed = formats.money(charge.amount, charge.currency)
    refunded_part = f", {formats.money(row.refunded, charge.currency)} refunded" if row.refunded else ""
    return f"{charge.id} ({charge.status}{refunded_part}): {owed} from {at(row.period_start)}"


def _print_found(shown: Any) -> None:
    """Print what PortOne showed when the discrepancy was found, where that was kept."""
    payments = [shown] if isinstance(shown, Mapping) else shown
    if not payments:
        return
    console.head("PortOne, when it was found")
    names = ("imp_uid", "status", "amount", "cancel_amount")
    rows = (tuple(str(each.get(name) or "") for name in names) for each in payments)
    console.table("IMP_UID", "STATUS", "AMOUNT", "REFUNDED", rows=rows, right=("AMOUNT", "REFUNDED"))


def _print_now(case: Case, zone: str) -> None:
    if not case.records:
        failed = isinstance(case.finding, LookUpFailed)
        return console.say(
            "PortOne does not answer." if failed else "PortOne shows no payment under this merchant_uid."
        )
    counted = case.charge.counted if case.charge else frozenset()
    return console.table(
        "IMP_UID",
        "MERCHANT_UID",
        "STATUS",
        "AMOUNT",
        "REFUNDED",
        "PAID",
        "",
        rows=[
            (
                record.imp_uid,
                record.merchant_uid,
                record.status,
                formats.money(record.amount, record.currency),
                formats.money(refunded(record), record.currency),
                formats.local_time(record.paid_at, zone),
                "counts for the period" if record.imp_uid in counted else record.fail_reason or "",
            )
            for record in case.records
        ],
        right=("AMOUNT", "REFUNDED"),
        whole=("IMP_UID", "AMOUNT", "REFUNDED"),
    )


def _print_decisions(case: Case) -> None:
    from worker.review.decisions import preview_decisions

    previews = preview_decisions(case)
    sentences = {
        str(each.decision): each.sentence if each.possible else f"not now: {each.sentence}" for each in previews
    }
    console.details(sentences)
    console.note(f"again review resolve {case.id} DECISION --note WHY")


def _payment(record: PaymentRecord, case: Case) -> dict[str, Any]:
    return {
        "imp_uid": record.imp_uid,
        "merchant_uid": record.merchant_uid,
        "status": record.status,
        "amount": record.amount,
        "refunded": refunded(record),
        "currency": record.currency,
        "paid_at": record.paid_at,
        "fail_reason": record.fail_reason,
        "counts_for_the_period": case.charge is not None and record.imp_uid in case.charge.counted,
    }
