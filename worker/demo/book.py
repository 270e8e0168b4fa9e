"""The demo book: who subscribes to what, and how each card behaves."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schedules.plans import Plan
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules import stories
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, pay, troubled
from worker.subscriptions.csv_import.service import import_subscriptions
from worker.subscriptions.plans import add_plan

PLANS = (
    Plan.parse({"code": "letter", "name": "아침 편지 월간", "amount": "9900", "cadence": "month", "charge_hour": "0"}),
    Plan.parse(
        {"code": "coffee", "name": "원두 정기배송", "amount": "18000", "cadence": "2 weeks", "charge_hour": "0"}
    ),
)


@dataclass(frozen=True, slots=True)
class Temper:
    """How a share of the cards behaves; out of 1,000."""

    share: int
    pg: str
    says: str
    story: tuple[Behaviour, ...]


TEMPERS = (
    Temper(420, "kakaopay", "pays", (pay(),)),
    Temper(360, "payco", "pays", (pay(),)),
    Temper(
        50, "kakaopay", "declines twice: no balance", (decline("LACK_BALANCE", "잔액이 부족합니다", times=2), pay())
    ),
    Temper(30, "payco", "declines softly: limit", (decline("CC61", "한도초과", shape=Shape.MESSAGE),)),
    Temper(20, "kakaopay", "declines hard: key inactive", (decline("-751", "정기결제 비활성화"),)),
    Temper(20, "payco", "declines hard: expired", (decline("CC54", "유효기간 경과", shape=Shape.MESSAGE),)),
    Temper(25, "kakaopay", "is charged, and hangs past the time-out", (troubled(Reply.HANG, charged=True), pay())),
    Temper(10, "payco", "hangs past the time-out, not charged", (troubled(Reply.HANG, charged=False), pay())),
    Temper(25, "payco", "is charged, and the connection drops", (troubled(Reply.DROP, charged=True), pay())),
    Temper(10, "kakaopay", "drops the connection, not charged", (troubled(Reply.DROP, charged=False), pay())),
    Temper(20, "kakaopay", "is charged, and answers 500", (troubled(Reply.ERROR, charged=True), pay())),
    Temper(10, "payco", "answers 503, not charged", (troubled(Reply.UNAVAILABLE, charged=False), pay())),
)


@dataclass(frozen=True, slots=True)
class Card:
    """One subscriber's instrument."""

    number: int
    temper: Temper

    @property
    def customer_uid(self) -> str:
        return f"demo-{self.number:05d}"


def cards(count: int) -> Iterator[Card]:
    """Deal the tempers out evenly, so that trouble comes throughout and not at the end."""
    owed = [0.0] * len(TEMPERS)
    for number in range(count):
        for place, temper in enumerate(TEMPERS):
            owed[place] += temper.share / 1000
        place = max(range(len(TEMPERS)), key=lambda each: owed[each])
        owed[place] -= 1
        yield Card(number, TEMPERS[place])


def fill(runtime: Runtime, portone: SandboxAdmin, folder: Path, *, count: int, now: datetime) -> None:
    """Register the cards at the sandbox, add the plans, and import the subscriptions as a customer would."""
    book = list(cards(count))
    portone.create_keys(
        {"customer_uid": card.customer_uid, "pg": card.temper.pg, "behaviours": stories.written(card.temper.story)}
        for card in book
    )
    for plan in PLANS:
        add_plan(runtime.sessions, plan, max_amount=runtime.settings.max_amount, now=now)
    path = folder / "book.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_reference", "plan", "customer_uid", "pg"])
        for card in book:
            plan = PLANS[card.number % len(PLANS)]
            writer.writerow([f"customer-{card.number:05d}", plan.code, card.customer_uid, card.temper.pg])
    import_subscriptions(runtime.sessions, path, max_amount=runtime.settings.max_amount, now=now)
