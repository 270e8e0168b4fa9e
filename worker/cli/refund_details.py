"""The refunds of one charge, as `again charge show` has them: ours with their story, and those in PortOne's console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.cli import console, formats
from worker.cli.audit import print_audit
from worker.domain.refunds import RefundStatus

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class ChargeRefunds:
    """What was refunded of a charge: `ours` through Again, and `in_console` won otherwise, told by `there`."""

    ours: Sequence[Mapping[str, Any]]
    in_console: int
    there: Sequence[Mapping[str, Any]]

    def document(self) -> Mapping[str, Any]:
        """Return them as JSON has them."""
        return {
            "refunds": self.ours,
            "refunded_in_console": {"amount": self.in_console, "refunds": self.there},
        }

    def print_them(self, zone: str) -> None:
        """Print them; nothing where nothing was refunded or asked for."""
        if self.ours:
            console.head("Refunds")
        for refund in self.ours:
            _print_refund(refund, zone)
        if self.in_console:
            console.head("Refunded in PortOne's console")
            console.say(f"{formats.money(self.in_console)} in all")
        for entry in self.there if self.in_console else ():
            at = formats.local(entry["at"], zone) or "at a time that PortOne does not show"
            console.say(f"{formats.money(entry['amount'])}, {at}: {entry['reason'] or 'no reason is shown'}")


def refunds_of(session: Session, charge_id: int, refunded: int) -> ChargeRefunds:
    """Return the refunds of a charge of which PortOne shows so much as refunded."""
    from worker.ledger import history
    from worker.refunds import queries

    ours = [
        {**each, "audit": history.audit(session, "refund", each["id"])}
        for each in queries.refunds_of_charge(session, charge_id)
    ]
    counted = queries.refundable_charge(session, charge_id)
    in_console = refunded if counted is None else max(counted.in_console, 0)
    return ChargeRefunds(ours, in_console, queries.refunds_in_console(session, charge_id) if in_console else [])


def _print_refund(refund: Mapping[str, Any], zone: str) -> None:
    sends = "not sent" if not refund["sends"] else f"sent {refund['sends']} times" if refund["sends"] > 1 else "sent"
    parts = [
        *([f"{refund['tax_free']:,} of it free of tax"] if refund["tax_free"] else []),
        *([f"{refund['vat_amount']:,} of it VAT"] if refund["vat_amount"] is not None else []),
    ]
    amount = ", ".join([formats.money(refund["amount"], refund["currency"]), *parts])
    said = " ".join(filter(None, (refund["code"], refund["message"])))
    change = "" if refund["change_id"] is None else f", change {refund['change_id']}"
    console.details(
        {
            f"{refund['id']}": f"{refund['status']} ({refund['status_reason']}), {sends}",
            "  amount": amount,
            "  of": refund["imp_uid"],
            "  asked by": f"{refund['requested_by']}, {formats.local(refund['started_at'], zone)}{change}",
            "  why": refund["reason"],
            "  PortOne said": said or None,
            "  next look": formats.local(refund["next_try_at"], zone) or None,
            "  flagged": _flagged(refund, zone),
        }
    )
    if refund["status"] in (RefundStatus.REFUSED, RefundStatus.UNCLEAR):
        print_audit(refund["audit"], zone)


def _flagged(refund: Mapping[str, Any], zone: str) -> str | None:
    if refund["flagged_at"] is None:
        return None
    since = formats.local(refund["flagged_at"], zone)
    return f"since {since}: look at {refund['imp_uid']} in PortOne's console, then `again charge settle-refund`"
