"""The plans of a sequence, what a billing key may do, and how a subscription may stand when it begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.simulation.changes.acts_audit import HARD
from tests.simulation.changes.audit import Price
from tests.simulation.changes.office import Office
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, troubled

Story = tuple[Behaviour, ...]

PLANS: dict[str, dict[str, str]] = {
    "monthly": {"amount": "9900"},
    "gold": {
        "amount": "33000",
        "tax_free": "11000",
        "vat_amount": "2000",
        "dunning": "1, 3 at 9-21; balance 1, 2; no holidays; tries 9 a month",
    },
    "weekly": {"amount": "2500", "cadence": "week", "dunning": "2"},
    "yearly": {"amount": "99000", "cadence": "year", "dunning_end": "cancel"},
    "new-york": {"amount": "7700", "time_zone": "America/New_York", "charge_hour": "3", "dunning_end": "pause"},
    "trial": {"amount": "5500", "trial_days": "14"},
    "gated": {"amount": "6600", "trial_days": "7", "gate": "strict"},
}
LATER_PRICES = (("monthly", 2, 8800), ("monthly", 3, 12_900), ("gold", 2, 35_000), ("weekly", 2, 2900))
"""Later versions of prices, which are sold to new subscriptions in times that no sequence reaches."""

PRICES = {
    **{(code, 1): Price(int(terms["amount"]), int(terms.get("tax_free", "0"))) for code, terms in PLANS.items()},
    **{(code, version): Price(amount) for code, version, amount in LATER_PRICES},
}
_SOLD_FROM = datetime(2090, 1, 1, tzinfo=UTC)
_ADD = """
    INSERT INTO plan_prices (plan_id, version, amount, tax_free, vat_amount, sold_from, created_at)
    SELECT id, :version, :amount, 0, NULL, :sold_from, :now FROM plans WHERE code = :code
"""

PAYS: Story = (pay(),)
DECLINED: Story = (decline(), pay())
SPENT: Story = (decline(times=9), pay())
DEAD: Story = (decline("-751", HARD), pay())
LOST: Story = (troubled(Reply.DROP, charged=True), pay())
NOT_CHARGED: Story = (troubled(Reply.DROP, charged=False), pay())
STORIES = (PAYS, DECLINED, SPENT, DEAD, LOST, NOT_CHARGED)


@dataclass(frozen=True)
class Beginning:
    """What the first charge meets, how many days go by before anything is done, and how the charge stands then."""

    name: str
    story: Story
    days: float
    state: str


BEGINNINGS = (
    Beginning("declined", DECLINED, 0.0, "past_due"),
    Beginning("dunning for days", SPENT, 2.0, "past_due"),
    Beginning("calendar spent", SPENT, 8.0, "uncollectible"),
    Beginning("dead key", DEAD, 0.0, "behind a dead key"),
    Beginning("paid late", DECLINED, 2.0, "paid late"),
    Beginning("answer lost", LOST, 0.0, "without an answer"),
    Beginning("request lost", NOT_CHARGED, 0.0, "without an answer"),
    Beginning("paid", PAYS, 0.0, "paid"),
)


def offer(office: Office) -> None:
    """Make the plans, and the later versions of their prices."""
    now = office.world.now()
    for code, terms in PLANS.items():
        office.world.book.plan(code, now=now, **terms)
    for code, version, amount in LATER_PRICES:
        office.world.change(_ADD, code=code, version=version, amount=amount, sold_from=_SOLD_FROM, now=now)
