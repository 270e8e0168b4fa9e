"""The terms of a refund: how much of a paid charge can go back, and which part of it is tax-free or VAT. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from schedules.periods import BillingPeriod
from schedules.proration import days_of, unused_part
from worker.domain.errors import RefusalCode, Refused
from worker.domain.gateway import Refund
from worker.domain.pricing.amounts import Amounts, part_of
from worker.domain.states import ChargeStatus
from worker.pg.catalog import PGS, states_vat
from worker.pg.refund_limits import takes_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundableCharge:
    """A charge and its payment, as our records have them. Sums are in the charge's currency.

    `period` is what its money pays for. `payments` counts the payments that our records have of it. `refunded` is all
    that PortOne has shown as refunded, and `ours` what refunds through Again account for of it, with their tax parts.
    `open_refund` is one that has no definite outcome yet.
    """

    id: int
    status: ChargeStatus
    charged: Amounts
    currency: str
    period: BillingPeriod
    zone: ZoneInfo
    paid_at: datetime | None
    payments: int
    imp_uid: str
    merchant_uid: str
    pg: str
    pay_method: str
    paid: int  # what the payment came to
    refunded: int
    ours: Amounts
    open_refund: int | None
    credited: int = 0  # for days that its period has lost since
    is_cut: bool = False  # those were credited, or taken off the charge that follows

    @property
    def left(self) -> int:
        """What was paid and not refunded."""
        return self.paid - self.refunded

    @property
    def in_console(self) -> int:
        """What was refunded otherwise than through Again."""
        return self.refunded - self.ours.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much is to be refunded: all that is left, an amount, or what falls to the unused days.

    `tax_free` and `vat_amount` are worked out in proportion, unless they are stated.
    """

    amount: int | None = None
    unused_days: bool = False
    tax_free: int | None = None
    vat_amount: int | None = None


def require_refundable(charge: RefundableCharge) -> None:
    """Raise Refused for a charge of which nothing can be refunded now."""
    if charge.status is not ChargeStatus.PAID:
        raise Refused(
            f"Charge {charge.id} is {charge.status}, so there is no payment of it to refund.", code=RefusalCode.NOT_PAID
        )
    if not charge.payments:
        raise Refused(
            f"Charge {charge.id} has no payment at PortOne (it came to nothing, or was paid elsewhere): refund it "
            "where it was paid."
        )
    if charge.payments > 1:
        raise Refused(
            f"Charge {charge.id} was paid {charge.payments} times: decide with `again review list` which payment is "
            "refunded."
        )
    if charge.open_refund is not None:
        raise Refused(
            f"Refund {charge.open_refund} of charge {charge.id} has no definite outcome yet: it is looked up within "
            f"minutes. See `again charge show {charge.id}`, and ask again when it has ended.",
            code=RefusalCode.BUSY,
        )
    if charge.left <= 0:
        raise Refused(
            f"Charge {charge.id} is refunded already: nothing of {_money(charge, charge.paid)} is left.",
            code=RefusalCode.NOTHING_LEFT,
        )


def amount_of(charge: RefundableCharge, wanted: Wanted, *, now: datetime) -> int:
    """Return how much is refunded: at least 1, at most what is left. Raises Refused."""
    if wanted.unused_days:
        return _by_days(charge, now)
    if wanted.amount is None and charge.is_cut:
        cut_on = f"{charge.period.end.astimezone(charge.zone):%Y-%m-%d}"
        raise Refused(
            f"The period of charge {charge.id} was cut on {cut_on}, and what was paid for its other days was credited "
            "or taken off the next charge. Give the amount that is to be refunded; "
            f"{_money(charge, charge.left)} of the payment are left."
        )
    amount = charge.left if wanted.amount is None else wanted.amount
    if amount < 1:
        raise Refused(f"A refund is at least 1 {charge.currency}, not {amount:,}.")
    if amount > charge.left:
        raise Refused(
            f"{_money(charge, charge.left)} of charge {charge.id} is left to refund, which is less than "
            f"{_money(charge, amount)}; give at most that.",
            code=RefusalCode.NOTHING_LEFT,
        )
    return amount


def _by_days(charge: RefundableCharge, now: datetime) -> int:
    """Return what falls to the unused days of what was paid, as far as it is left; today is one of them."""
    days = days_of(charge.period, charge.zone, at=now)
    amount = min(unused_part(max(charge.paid - charge.credited, 0), days), charge.left)
    if amount < 1:
        ends_on = f"{charge.period.end.astimezone(charge.zone):%Y-%m-%d}"
        raise Refused(
            f"The period of charge {charge.id} ended on {ends_on}: no day of it is unused. Give an amount.",
            code=RefusalCode.NOTHING_LEFT,
        )
    return amount


def refund_of(charge: RefundableCharge, wanted: Wanted, *, reason: str, reference: str, now: datetime) -> Refund:
    """Return the refund that is wanted, with the checksum of our records. Raises Refused when it cannot be."""
    require_refundable(charge)
    amount = amount_of(charge, wanted, now=now)
    if amount < charge.left and not takes_parts(charge.pg):
        raise Refused(f"{PGS[charge.pg].name} refunds nothing in parts: refund all of it, or pay it back otherwise.")
    part = _taxes(charge, wanted, amount)
    return Refund(
        imp_uid=charge.imp_uid,
        amount=amount,
        checksum=charge.left,
        tax_free=part.tax_free,
        vat_amount=part.vat_amount,
        pg=charge.pg,
        reason=reason,
        reference=reference,
    )


def _taxes(charge: RefundableCharge, wanted: Wanted, amount: int) -> Amounts:
    """Return the parts of a refund; what is left without it has valid parts too."""
    rest = _rest(charge)
    part, kept = part_of(rest, amount), rest.amount - amount
    tax_free = part.tax_free if wanted.tax_free is None else wanted.tax_free
    _require_within("tax-free part", tax_free, least=rest.tax_free - kept, most=min(amount, rest.tax_free), of=amount)
    vat_amount = part.vat_amount if wanted.vat_amount is None else wanted.vat_amount
    if wanted.vat_amount is not None and rest.vat_amount is None:
        raise Refused(f"{charge.pg or 'An unknown PG'} works out the VAT itself; leave it out.")
    if vat_amount is not None and rest.vat_amount is not None:
        kept_taxed, taxed = kept - (rest.tax_free - tax_free), amount - tax_free
        _require_within(
            "VAT", vat_amount, least=rest.vat_amount - kept_taxed, most=min(taxed, rest.vat_amount), of=taxed
        )
    return Amounts(amount, tax_free, vat_amount)


def _require_within(name: str, stated: int, *, least: int, most: int, of: int) -> None:
    if not max(least, 0) <= stated <= most:
        raise Refused(f"The {name} is {stated:,}; it can be {max(least, 0):,} to {most:,} of {of:,}.")


def _rest(charge: RefundableCharge) -> Amounts:
    """Return what is left, with its tax parts. Those of refunds in the console are taken in proportion."""
    whole = charge.charged if states_vat(charge.pg) else Amounts(charge.charged.amount, charge.charged.tax_free)
    if whole.amount != charge.paid:  # an operator accepted a payment of another amount
        whole = part_of(whole, charge.paid) if charge.paid < whole.amount else Amounts(charge.paid, whole.tax_free)
    taken = Amounts(charge.ours.amount, charge.ours.tax_free, charge.ours.vat_amount)
    if whole.vat_amount is None:
        taken = Amounts(taken.amount, taken.tax_free)
    elif taken.vat_amount is None:
        taken = Amounts(taken.amount, taken.tax_free, 0)
    known = whole + -taken
    return known + -part_of(known, max(known.amount - charge.left, 0))


def _money(charge: RefundableCharge, amount: int) -> str:
    return f"{amount:,} {charge.currency}"
