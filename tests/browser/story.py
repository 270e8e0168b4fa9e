"""What browser tests begin with, and what they look at in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.checkout import Shop
from worker.sandbox.rules.behaviours import Behaviour, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page

DECLINED = Behaviour(verdict=Verdict.DECLINED, code="0002", text="한도초과")
LOST = Behaviour(verdict=Verdict.DECLINED, code="0026", text="분실·도난 카드")


def overdue(shop: Shop, why: Behaviour = DECLINED, *, cadence: str = "month") -> tuple[str, int]:
    """A subscription whose card was declined; its code, and the charge that is owed."""
    shop.book.plan("monthly", now=shop.now, cadence=cadence)
    subscribed = shop.book.subscribe(now=shop.now)
    shop.sandbox.admin.create_key(subscribed.customer_uid, why)
    shop.tick()
    charge, status = shop.sql("SELECT id, status FROM charges")[0]
    assert status == "past_due"
    return subscribed.code, charge


def subscription(shop: Shop) -> tuple[str, str | None]:
    """The one subscription's status, and that of its newest key."""
    ((status, key_status),) = shop.sql("""
        SELECT s.status, k.status FROM subscriptions s LEFT JOIN billing_keys k ON k.id = s.billing_key_id""")
    return status, key_status


def charged_in_two_months(shop: Shop) -> int:
    """Let two periods pass, and count what the sandbox's ledger says was paid for them."""
    for _ in range(2):
        shop.tick()
        shop.wait(days=31)
    shop.tick()
    return len(shop.paid_on_the_ledger())


def ask_for_another_amount(page: Page) -> None:
    """Do what any customer can do with the developer tools: call PortOne's script with 100 won."""
    page.evaluate("""() => {
        const honest = window.IMP.request_pay;
        window.IMP.request_pay = (param, callback) => honest({ ...param, amount: 100 }, callback);
    }""")
