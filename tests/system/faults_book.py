"""The subscriptions of a fault run: how their cards behave, what is secret, and how each story must end."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules import stories
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, slow, troubled
from worker.subscriptions.csv_import.service import import_subscriptions
from worker.subscriptions.plans import add_plan

MAX_AMOUNT = 100_000

ODD_PART = 0.6
"""The share of the subscriptions, from the first, whose stories have trouble."""

MARKS = ("kestrel", "매사냥꾼", "010-5550-", "falconry.example", "횃대길", "card-serial")
"""Parts of every customer_uid and of everything about a key's holder; none of them may ever be printed."""


@dataclass(frozen=True, slots=True)
class Share:
    """A number of subscriptions whose cards behave alike, and the status that their charges must have at the end."""

    count: int
    story: tuple[Behaviour, ...]
    ends: str = "paid"
    pg: str = "kakaopay"


def shares(total: int) -> tuple[Share, ...]:
    """Return the stories of a run; all other subscriptions pay at once."""
    odd = (
        Share(40, (troubled(Reply.DROP, charged=True), pay())),
        Share(30, (troubled(Reply.DROP, charged=False), pay()), pg="payco"),
        Share(30, (troubled(Reply.HANG, charged=True), pay()), pg="payco"),
        Share(20, (troubled(Reply.HANG, charged=False), pay())),
        Share(20, (troubled(Reply.CUT, charged=True), pay())),
        Share(20, (troubled(Reply.ERROR, charged=True), pay())),
        Share(20, (troubled(Reply.UNAVAILABLE, charged=False), pay()), pg="payco"),
        Share(20, (slow(2.5),)),  # charged after we gave up on it
        Share(30, (decline("UNDER_CONSTRUCTION", "잠시 후 다시 시도해 주세요"), pay())),  # transient: tried again soon
        Share(20, (decline("LACK_BALANCE", "잔액이 부족합니다"),), ends="past_due"),  # tomorrow's calendar
        Share(10, (decline("CC54", "유효기간 경과"),), ends="past_due", pg="payco"),  # a dead key
    )
    left = total - sum(share.count for share in odd)
    return (*odd, Share(left - left // 2, (pay(),)), Share(left // 2, (pay(),), pg="payco"))


def ends(total: int) -> Counter[str]:
    """Return how many charges must have which status when every story has ended."""
    statuses: Counter[str] = Counter()
    for share in shares(total):
        statuses[share.ends] += share.count
    return statuses


def fill(sessions: Sessions, portone: SandboxAdmin, folder: Path, *, total: int, now: datetime) -> None:
    """Make the keys, with their holders, and import the subscriptions; trouble comes evenly throughout."""
    dealt = list(_dealt(total))
    portone.create_keys(_key(number, share) for number, share in enumerate(dealt))
    plan = {"code": "letter", "name": "아침 편지", "amount": "9900", "cadence": "month", "charge_hour": "0"}
    add_plan(sessions, Plan.parse(plan), max_amount=MAX_AMOUNT, now=now)
    _import(sessions, folder, enumerate(dealt), now)


def fill_more(
    sessions: Sessions, portone: SandboxAdmin, folder: Path, *, after: int, count: int, now: datetime
) -> None:
    """Add subscriptions that pay at once, with the numbers after those there are."""
    more = [(number, Share(count, (pay(),))) for number in range(after, after + count)]
    portone.create_keys(_key(number, share) for number, share in more)
    _import(sessions, folder, more, now)


def _import(sessions: Sessions, folder: Path, dealt: Iterable[tuple[int, Share]], now: datetime) -> None:
    path = folder / "book.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["customer_reference", "plan", "customer_uid", "pg"])
        for number, share in dealt:
            rows.writerow([f"customer-{number:05d}", "letter", _customer_uid(number), share.pg])
    import_subscriptions(sessions, path, max_amount=MAX_AMOUNT, now=now)
    path.unlink()


def mend(portone: SandboxAdmin, *, total: int) -> None:
    """Make every card pay from now on that was to pay in the end: a story that starts now would only take longer."""
    dealt = enumerate(_dealt(total))
    portone.behave(pay(), customer_uids=[_customer_uid(number) for number, share in dealt if share.ends == "paid"])


def _dealt(total: int) -> Iterator[Share]:
    """Return the subscriptions so that trouble comes evenly throughout the first part.

    The rest is charged when the faults are over, and what hangs there would only make the run longer.
    """
    left = {share: share.count for share in shares(total)}
    *odd, _, _ = left
    for number in range(total):
        wanted = {share: left[share] / share.count for share in left if left[share]}
        behind = [share for share in odd if wanted.get(share, 0) > max(0.0, 1 - number / (total * ODD_PART))]
        chosen = max(behind or wanted, key=lambda share: wanted[share])
        left[chosen] -= 1
        yield chosen


def _customer_uid(number: int) -> str:
    return f"kestrel_{number:05d}"


def _key(number: int, share: Share) -> dict[str, object]:
    return {
        "customer_uid": _customer_uid(number),
        "pg": share.pg,
        "behaviours": stories.written(share.story),
        "customer_id": f"card-serial-{number:05d}",
        "customer_name": f"매사냥꾼{number:05d}",
        "customer_tel": f"010-5550-{number:04d}",
        "customer_email": f"keeper{number:05d}@falconry.example",
        "customer_addr": f"서울시 횃대길 {number}",
    }
