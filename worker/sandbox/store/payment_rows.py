"""Payments in the ledger: each stored as the JSON that PortOne answers, beside the columns that find it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.paging import Page
from worker.sandbox.rules.payments import Payment
from worker.sandbox.store.ledger import Ledger

ADD = """
INSERT INTO payments (number, imp_uid, merchant_uid, customer_uid, status, amount, charged, started_at, paid_at,
                      failed_at, cancelled_at, updated_at, visible_at, document, notice_urls, tax_free, vat_amount,
                      has_webhooks)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
CONCLUDE = """
UPDATE payments SET customer_uid = ?, amount = ?, charged = ?, visible_at = ? WHERE imp_uid = ?
"""
CHANGE = """
UPDATE payments SET status = ?, paid_at = ?, failed_at = ?, cancelled_at = ?, updated_at = ?, document = ?
WHERE imp_uid = ?
"""
REFUND = """
UPDATE payments SET refunded = refunded + ?, tax_free_refunded = tax_free_refunded + ?, vat_refunded = vat_refunded + ?
WHERE imp_uid = ?
"""


@dataclass(frozen=True, slots=True)
class Taxes:
    """The stated tax-free amount and VAT of a payment, or of what is left of it, in KRW; None: not stated."""

    tax_free: int = 0
    vat_amount: int | None = None


def last_number(ledger: Ledger) -> int:
    """Return the number of the newest payment, or 0."""
    return ledger.value("SELECT max(number) FROM payments") or 0


def add(
    ledger: Ledger,
    payment: Payment,
    *,
    number: int,
    charged: int,
    at: int,
    visible_at: float,
    notice_urls: Sequence[str] = (),
    taxes: Taxes = Taxes(),
    has_webhooks: bool = False,
) -> None:
    """Record a payment, how much money it really moved, and where its webhooks go if not to the usual address.

    `has_webhooks` is whether they go anywhere.
    """
    ledger.execute(
        ADD,
        (
            number,
            payment["imp_uid"],
            payment["merchant_uid"],
            payment["customer_uid"] or "",
            payment["status"],
            payment["amount"],
            charged,
            payment["started_at"],
            payment["paid_at"],
            payment["failed_at"],
            payment["cancelled_at"],
            at,
            visible_at,
            as_json(payment),
            as_json(notice_urls) if notice_urls else None,
            taxes.tax_free,
            taxes.vat_amount,
            has_webhooks,
        ),
    )


def conclude(ledger: Ledger, payment: Payment, *, charged: int, at: int, visible_at: float) -> None:
    """Record the outcome of a payment that was `ready`, and how much money it really moved."""
    change(ledger, payment, at=at)
    values = (payment["customer_uid"] or "", payment["amount"], charged, visible_at, payment["imp_uid"])
    ledger.execute(CONCLUDE, values)


def change(ledger: Ledger, payment: Payment, *, at: int) -> None:
    """Record a payment's new state."""
    times = (payment["paid_at"], payment["failed_at"], payment["cancelled_at"], at)
    ledger.execute(CHANGE, (payment["status"], *times, as_json(payment), payment["imp_uid"]))


def refund(ledger: Ledger, payment: Payment, *, at: int, amount: int, taxes: Taxes = Taxes()) -> None:
    """Record a payment's new state and a refund, in KRW."""
    change(ledger, payment, at=at)
    ledger.execute(REFUND, (amount, taxes.tax_free, taxes.vat_amount or 0, payment["imp_uid"]))


def find(ledger: Ledger, imp_uid: str, *, visible_at: float | None = None) -> Payment | None:
    """Return a payment by PortOne's id; with `visible_at` only if look-ups can see it by then."""
    row = ledger.execute("SELECT document, visible_at FROM payments WHERE imp_uid = ?", (imp_uid,)).fetchone()
    return json.loads(row["document"]) if row is not None and _is_visible(row, visible_at) else None


def of_merchant_uid(ledger: Ledger, merchant_uid: str) -> list[Payment]:
    """Return all payments under a merchant_uid, newest first, seen by look-ups or not."""
    sql = "SELECT document FROM payments WHERE merchant_uid = ? ORDER BY number DESC"
    return [json.loads(row["document"]) for row in ledger.execute(sql, (merchant_uid,))]


def statuses(ledger: Ledger, merchant_uid: str) -> set[str]:
    """Return the statuses that PortOne has on record for a merchant_uid."""
    rows = ledger.execute("SELECT status FROM payments WHERE merchant_uid = ?", (merchant_uid,))
    return {row["status"] for row in rows}


def kept(ledger: Ledger, imp_uid: str) -> int:
    """Return how much of the money that really moved was not refunded, in KRW."""
    money: int = ledger.value("SELECT charged - refunded FROM payments WHERE imp_uid = ?", (imp_uid,)) or 0
    return money


def notice_urls(ledger: Ledger, imp_uid: str) -> list[str]:
    """Return the addresses of a payment's webhooks; empty for the merchant's usual address."""
    kept: str | None = ledger.value("SELECT notice_urls FROM payments WHERE imp_uid = ?", (imp_uid,))
    return [] if kept is None else list(json.loads(kept))


def taxes_left(ledger: Ledger, imp_uid: str) -> Taxes:
    """Return what of a payment's stated taxes was not refunded."""
    sql = "SELECT tax_free - tax_free_refunded, vat_amount - vat_refunded FROM payments WHERE imp_uid = ?"
    return Taxes(*ledger.execute(sql, (imp_uid,)).fetchone())


def has_webhooks(ledger: Ledger, imp_uid: str) -> bool:
    """Return whether the merchant had webhooks when a payment was made."""
    return bool(ledger.value("SELECT has_webhooks FROM payments WHERE imp_uid = ?", (imp_uid,)))


def charged_since(ledger: Ledger, customer_uid: str, since: float) -> int:
    """Return how much a billing key really paid since a UNIX second, in KRW."""
    sql = "SELECT sum(charged) FROM payments WHERE customer_uid = ? AND started_at >= ?"
    money: int = ledger.value(sql, (customer_uid, since)) or 0
    return money


def count(ledger: Ledger, where: str, values: Sequence[Any]) -> int:
    """Return how many payments meet a condition."""
    number: int = ledger.value(f"SELECT count(*) FROM payments WHERE {where}", values)  # noqa: S608 (our own conditions)
    return number


def page(ledger: Ledger, where: str, values: Sequence[Any], page: Page) -> list[str]:
    """Return one page of the documents that meet a condition, as JSON texts."""
    sql = f"SELECT document FROM payments WHERE {where} ORDER BY {page.order} LIMIT ? OFFSET ?"  # noqa: S608 (our own conditions)
    rows = ledger.execute(sql, (*values, page.limit, page.offset))
    return [row["document"] for row in rows]


def _is_visible(row: sqlite3.Row, at: float | None) -> bool:
    return at is None or bool(row["visible_at"] <= at)
