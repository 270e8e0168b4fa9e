"""What a PG's refunds are known to be like: for how long, in parts, for good. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from worker.pg.catalog import PGS

A_YEAR = timedelta(days=365)

WALLET_MONEY = "point"
"""PortOne's pay_method of a payment from a wallet's own balance (documented)."""


def refund_years(pg: str, pay_method: str) -> tuple[int, str] | None:
    """Return for how many years a PG refunds such a payment, and what it was paid with; None for an unknown PG."""
    facts = PGS.get(pg)
    if facts is None:
        return None
    if pay_method == WALLET_MONEY and facts.refunds.money_years is not None:
        return facts.refunds.money_years, "wallet money"
    return facts.refunds.card_years, "card payments"


def is_too_old(pg: str, pay_method: str, paid_at: datetime | None, *, now: datetime) -> bool:
    """Return whether a PG is expected to refuse the refund of a payment because it was made too long ago."""
    limit = refund_years(pg, pay_method)
    return limit is not None and paid_at is not None and now - paid_at > limit[0] * A_YEAR


def is_final(pg: str) -> bool:
    """Return whether a refund by a PG cannot be undone, as far as is known."""
    return pg in PGS and PGS[pg].refunds.is_final


def takes_parts(pg: str) -> bool:
    """Return whether a PG refunds in parts; what is not known is asked of it."""
    return pg not in PGS or PGS[pg].refunds.in_parts is not False


def final_en(pg: str) -> str:
    return f"With {PGS[pg].name} that cannot be undone."


def too_old_en(pg: str, pay_method: str) -> str:
    """Return that a payment is too old, for a PG that is known. Raises ValueError for another one."""
    limit = refund_years(pg, pay_method)
    if limit is None:
        raise ValueError(f"Nothing is known of the PG {pg!r}.")
    years = "1 year" if limit[0] == 1 else f"{limit[0]} years"
    return f"{PGS[pg].name} refunds {limit[1]} for {years} only, so expect it to be refused."
