"""A year of a mixed book: twelve subscriptions, every kind of change, and the money agrees to the won."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from tests.scenarios.changes.test_refunds import Operator
from tests.scenarios.conftest import World
from worker.domain.changes import ChangeKind, Moment
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, troubled
from worker.subscriptions.key_change import change_key

BEGIN = date(2026, 1, 5)
DAYS = 365
LOW, CLOSED = decline("LACK_BALANCE", "잔액이 부족합니다"), decline("-751", "정기결제 비활성화")

PLANS = {
    "monthly": {"amount": "9900"},
    "gold": {"amount": "33000", "tax_free": "11000", "vat_amount": "2000"},
    "weekly": {"amount": "2500", "cadence": "week"},
    "quarterly": {"amount": "29000", "cadence": "3 months"},
    "yearly": {"amount": "99000", "cadence": "year"},
    "new-york": {"amount": "7700", "time_zone": "America/New_York", "charge_hour": "3"},
    "trial": {"amount": "5500", "trial_days": "14"},
}
BOOK: dict[str, tuple[str, tuple[Behaviour, ...]]] = {
    "loyal": ("monthly", (pay(),)),
    "upgraded": ("monthly", (pay(),)),
    "downgraded": ("gold", (pay(),)),
    "paused": ("weekly", (pay(),)),
    "canceled": ("monthly", (pay(),)),
    "poor": ("monthly", (pay(times=2), LOW, LOW, LOW, pay())),
    "closed": ("gold", (pay(times=3), CLOSED)),
    "refunded": ("quarterly", (pay(),)),
    "discounted": ("new-york", (pay(),)),
    "yearly": ("yearly", (pay(),)),
    "trial": ("trial", (pay(),)),
    "unlucky": (
        "weekly",
        (pay(times=4), troubled(Reply.DROP, charged=True), troubled(Reply.RESET, charged=False), pay()),
    ),
}


class Year:
    """The book, and what is done to it on which day of the year."""

    def __init__(self, world: World) -> None:
        self.world, self.operator = world, Operator(world)
        self.codes: dict[str, str] = {}
        self.days: dict[int, Callable[[], object]] = {
            20: lambda: self.change("upgraded", ChangeKind.CHANGE_PLAN, Moment.NOW, plan="gold"),
            35: lambda: self.change("discounted", ChangeKind.DISCOUNT, percent=33, periods=3),
            40: lambda: self.change("downgraded", ChangeKind.CHANGE_PLAN, Moment.NOW, plan="monthly", quantity=2),
            52: lambda: self.change("downgraded", ChangeKind.CHANGE_PLAN, Moment.NOW, quantity=1),
            60: lambda: self.change("paused", ChangeKind.PAUSE, until="2026-05-02"),
            75: lambda: self.operator.refund(self.newest("refunded"), unused_days=True),
            90: lambda: self.change("loyal", ChangeKind.CREDIT, amount=15_000),
            100: lambda: self.change("yearly", ChangeKind.CHANGE_PLAN, Moment.NOW, plan="gold", renewal="restart"),
            110: lambda: self.operator.refund(self.newest("loyal"), amount=1234),
            130: self.replace_closed_key,
            140: lambda: self.change("canceled", ChangeKind.CANCEL),
            150: lambda: self.change("loyal", ChangeKind.ONE_OFF, amount=5000, name="설치비"),
            170: lambda: self.change("loyal", ChangeKind.MOVE_RENEWAL, on=f"{BEGIN + timedelta(days=190)}"),
            200: lambda: self.change("upgraded", ChangeKind.CHANGE_PLAN, quantity=3),
            230: lambda: self.change("trial", ChangeKind.DISCOUNT, percent=100, periods=2),
            260: lambda: self.change("discounted", ChangeKind.DISCOUNT, amount=7650),  # leaves less than the PG takes
        }

    def subscribe(self) -> None:
        for code, terms in PLANS.items():
            self.world.plan(code, **terms)
        for name, (plan, story) in BOOK.items():
            trial = timedelta(days=int(PLANS[plan].get("trial_days", "0")))
            self.codes[name] = self.world.subscribe(*story, plan=plan, starts_on=BEGIN + trial)

    def live(self) -> None:
        for day in range(DAYS):
            if self.has_work():
                self.world.tick()
            if (due := self.days.get(day)) is not None:
                due()
                self.world.tick()
            self.world.wait(days=1)
        self.world.live(days=2, step=timedelta(hours=6))

    def has_work(self) -> bool:
        """Return whether a tick would find anything: on most days of a year none does."""
        return bool(self.world.sql(_WORK, now=self.world.now))

    def change(self, name: str, kind: ChangeKind, when: Moment | None = None, /, **parameters: object) -> None:
        self.world.change(kind, self.codes[name], when, **parameters)

    def newest(self, name: str) -> int:
        return self.world.charges(self.codes[name])[-1].id

    def replace_closed_key(self) -> None:
        """The customer whose contract was closed at the PG registers another key, which pays what is owed."""
        assert "past_due" in {each.status for each in self.world.charges(self.codes["closed"])}
        other = self.world.subscribe(pay(), plan="yearly", starts_on=date(2028, 1, 1))
        key = str(self.world.subscription(other).billing_key_id)
        change_key(
            self.world.runtime.sessions,
            self.codes["closed"],
            key,
            reason="another card",
            allow_duplicates=True,
            max_amount=10**6,
            now=self.world.now,
        )


_WORK = """
    SELECT FROM subscriptions WHERE next_charge_at <= :now
    UNION ALL SELECT FROM charges WHERE next_attempt_at <= :now
    UNION ALL SELECT FROM attempts WHERE status IN ('started', 'unknown')
    UNION ALL SELECT FROM changes WHERE status = 'scheduled' AND effective_at <= :now
    LIMIT 1
"""


def test_year_of_a_mixed_book_agrees_with_portones_ledger_to_the_won(world: World):
    year = Year(world)
    year.subscribe()
    year.live()
    world.sweep()
    assert world.discrepancies() == []
    assert {row.status for row in world.sql("SELECT DISTINCT status FROM changes")} == {"applied"}
    assert set(world.statuses()) == {"paid"}
    world.assert_books_agree()
    world.assert_money_agrees()
