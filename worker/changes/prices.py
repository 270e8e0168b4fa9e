"""Another price of a plan: a version with a date. Who has subscribed already keeps theirs until a change moves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from worker.changes import price_queries
from worker.changes.price_queries import PriceVersion
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.domain.changes import start_of
from worker.domain.errors import Refused
from worker.domain.pricing.amounts import Amounts
from worker.subscriptions.plans import plan_row


@dataclass(frozen=True, slots=True)
class NewPrice:
    """The price that a plan is to have, in whole won, and from which day on new subscriptions get it; None: now."""

    amounts: Amounts
    on: date | None = None


def add_price(sessions: Sessions, code: str, new: NewPrice, *, max_amount: int, now: datetime) -> PriceVersion:
    """Add a version of a plan's price. Nothing changes for who has subscribed already.

    Raises Refused for an amount that no charge may have, and InvalidPlan for one that no plan may.
    """
    amounts = new.amounts
    if amounts.amount > max_amount:
        raise Refused(
            f"{amounts.amount:,} KRW is above what the setting AGAIN_MAX_AMOUNT allows for a charge, {max_amount:,}. "
            "Lower the amount, or raise the setting."
        )
    with sessions.begin() as session:
        row = plan_row(session, code)
        plan = replace(plan_of(row), amount=amounts.amount, tax_free=amounts.tax_free, vat_amount=amounts.vat_amount)
        sold_from = now if new.on is None else start_of(new.on, plan.time_zone, now=now)
        version = price_queries.add_price(session, row.id, amounts, sold_from=sold_from, now=now)
    return PriceVersion(
        version=version,
        amount=amounts.amount,
        tax_free=amounts.tax_free,
        vat_amount=amounts.vat_amount,
        sold_from=sold_from,
    )


def prices(sessions: Sessions, code: str) -> list[PriceVersion]:
    """Return every version of a plan's price, the first one first. Raises Refused for an unknown plan."""
    with sessions() as session:
        return list(price_queries.versions(session, plan_row(session, code).id))
