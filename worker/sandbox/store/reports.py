"""What really happened, by the ledger: the reference of every test. Read-only."""

from __future__ import annotations

from typing import Any

from worker.sandbox.store.ledger import Ledger

AGAIN = "POST /subscribe/payments/again"

TOTALS = """
SELECT status, count(*) AS payments, sum(amount) AS amount, sum(charged) AS charged, sum(refunded) AS refunded
FROM payments GROUP BY status ORDER BY status
"""
RESULTS = "SELECT result, count(*) AS number FROM requests WHERE endpoint = ? GROUP BY result"
CHARGES = "SELECT merchant_uid, count(*) AS number FROM payments WHERE charged > 0 GROUP BY merchant_uid"
PAYMENTS = """
SELECT imp_uid, merchant_uid, customer_uid, status, amount, charged, refunded, started_at, paid_at, failed_at,
       cancelled_at, tax_free, vat_amount, tax_free_refunded, vat_refunded
FROM payments WHERE number > ? AND (? IS NULL OR merchant_uid = ?) AND (? IS NULL OR customer_uid = ?)
  AND (NOT ? OR charged > 0)
ORDER BY number LIMIT ?
"""
REQUESTS = """
SELECT number, received_at, endpoint, merchant_uid, customer_uid, result FROM requests
WHERE number > ? AND (? IS NULL OR merchant_uid = ?) AND (? IS NULL OR endpoint = ?) ORDER BY number LIMIT ?
"""


def summary(ledger: Ledger) -> dict[str, Any]:
    """Count and add up everything. A charge is money that moved, even when PortOne has it as failed or cancelled it."""
    totals = {row["status"]: {name: row[name] for name in row.keys()[1:]} for row in ledger.execute(TOTALS)}
    results = {row["result"] or "unanswered": row["number"] for row in ledger.execute(RESULTS, (AGAIN,))}
    charged = ledger.value("SELECT coalesce(sum(charged), 0) FROM payments")
    refunded = ledger.value("SELECT coalesce(sum(refunded), 0) FROM payments")
    return {
        "payments": totals,
        "charges": ledger.value("SELECT count(*) FROM payments WHERE charged > 0"),
        "charged_krw": charged,
        "refunded_krw": refunded,
        "kept_krw": charged - refunded,
        "again_requests": sum(results.values()),
        "again_results": results,
        "charged_twice": charged_twice(ledger),
    }


def charges_by_merchant_uid(ledger: Ledger) -> dict[str, int]:
    """Return how often each merchant_uid was really charged."""
    return {row["merchant_uid"]: row["number"] for row in ledger.execute(CHARGES)}


def charged_twice(ledger: Ledger) -> dict[str, int]:
    """Return the merchant_uids that were really charged more than once."""
    rows = ledger.execute(f"{CHARGES} HAVING count(*) > 1 ORDER BY merchant_uid")
    return {row["merchant_uid"]: row["number"] for row in rows}


def payments(
    ledger: Ledger,
    *,
    after: int = 0,
    merchant_uid: str | None = None,
    customer_uid: str | None = None,
    charged_only: bool = False,
    limit: int = -1,
) -> list[dict[str, Any]]:
    """Return the payments, oldest first; `after` is the number of the last imp_uid seen. A negative limit is none."""
    narrowed = (merchant_uid, merchant_uid, customer_uid, customer_uid, charged_only)
    return [dict(row) for row in ledger.execute(PAYMENTS, (after, *narrowed, limit))]


def requests(
    ledger: Ledger,
    *,
    after: int = 0,
    merchant_uid: str | None = None,
    endpoint: str | None = None,
    limit: int = -1,
) -> list[dict[str, Any]]:
    """Return every request that arrived, oldest first; `result` is null while it is not answered."""
    narrowed = (merchant_uid, merchant_uid, endpoint, endpoint)
    return [dict(row) for row in ledger.execute(REQUESTS, (after, *narrowed, limit))]
