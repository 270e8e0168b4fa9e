"""The catalogue as a page: `python -m tests.support.events_page` writes docs/events.md and its schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from schedules.notices import NoticeKind
from worker.domain.changes import ChangeKind
from worker.domain.consent_gate.release import GateRelease, lacking
from worker.domain.consent_gate.rules import RuleCode
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.domain.events.catalogue import CATALOGUE, Entry, schemas
from worker.domain.events.facts import Fact, NewEvent, event_of
from worker.domain.events.types import EventType
from worker.domain.merchant_uid import derive
from worker.domain.notices.content import About, content_of
from worker.domain.outcomes import DeclineKind
from worker.domain.refunds import RefundStatus
from worker.domain.states import ChargeStatus, SubscriptionStatus

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "events.md"
SCHEMAS = DOCS / "events.schema.json"
MARK = "<!-- What follows is made of the code: python -m tests.support.events_page -->\n"

RECEIPT = "https://receipt.example.com/T1234567890123456789"
CODE = "7ZK3M9QX2VB4C"
STARTS, ENDS = datetime(2026, 11, 21, 1, tzinfo=UTC), datetime(2026, 12, 21, 1, tzinfo=UTC)
AT = datetime(2026, 11, 21, 1, 0, 12, tzinfo=UTC)


def page() -> str:
    """Return docs/events.md as it is to be: what stands before the mark as it is written, the rest by the catalogue."""
    return PAGE.read_text().partition(MARK)[0] + MARK + "".join(_catalogue())


def schema_file() -> str:
    """Return docs/events.schema.json as it is to be."""
    return json.dumps(schemas(), indent=2, ensure_ascii=False) + "\n"


def example(kind: EventType) -> NewEvent:
    """Return an event of a type as it could be."""
    return event_of(
        Fact(
            type=kind,
            at=AT,
            key="",
            subscription_id=1,
            subscription=CODE,
            period_start=STARTS,
            known=_known(kind),
        )
    )


def envelope(event: NewEvent) -> Mapping[str, Any]:
    """Return an event as it is delivered."""
    return {
        "type": event.type.value,
        "timestamp": event.at.isoformat().replace("+00:00", "Z"),
        "version": event.version,
        "data": event.data,
    }


_SAID = About(
    kind=NoticeKind.RENEWAL, subscription=CODE, plan="Gold", zone=ZoneInfo("Asia/Seoul"), amount=9900, date=ENDS
)
_LACKED = (RuleCode.CONSENT_TO_PAID, RuleCode.NOTICE_OF_PAID)
_NOTICE = {**content_of(_SAID), "notice": 77, "about": ENDS, "correction": 0}


def _known(kind: EventType) -> Mapping[str, Any]:
    subject, _, verb = kind.partition(".")
    charge_status = {
        EventType.CHARGE_DECLINED: ChargeStatus.PAST_DUE,
        EventType.CHARGE_UNRESOLVED: ChargeStatus.CHARGING,
        EventType.CHARGE_UNCOLLECTIBLE: ChargeStatus.UNCOLLECTIBLE,
        EventType.CHARGE_REOPENED: ChargeStatus.PAST_DUE,
        EventType.CHARGE_HELD: ChargeStatus.DUE,
        EventType.CHARGE_RELEASED: ChargeStatus.DUE,
        EventType.CHARGE_VOIDED: ChargeStatus.VOID,
    }.get(kind, ChargeStatus.PAID)
    statuses = {
        "change": verb,
        "refund": RefundStatus.UNCLEAR if verb == "unresolved" else verb,
        "discrepancy": "open" if verb == "opened" else "resolved",
    }
    kinds = {"change": ChangeKind.CHANGE_PLAN, "discrepancy": DiscrepancyKind.PAID_TWICE, "notice": NoticeKind.RENEWAL}
    merchant_uid = derive("again", CODE, STARTS, 1)
    return {
        "subscription": _subscription(kind),
        "charge": _charge(charge_status, refunded=9900 if kind is EventType.CHARGE_REFUNDED else 0),
        "attempt": {
            "merchant_uid": merchant_uid,
            "number": 1,
            "pg": "kakaopay",
            "imp_uid": "imp_000000000001",
            "receipt_url": RECEIPT if kind is EventType.CHARGE_PAID else None,
        },
        "lacks": [asdict(each) for each in lacking(_LACKED, STARTS, ZoneInfo("Asia/Seoul"))],
        "released_by": GateRelease.CONSENT,
        "decline": DeclineKind.SOFT,
        "code": "-780",
        "billing_key": 12,
        "change": 31,
        "refund": 4,
        "discrepancy": 2,
        "kind": kinds.get(subject),
        "status": statuses.get(subject),
        "effective_at": ENDS,
        "charge_id": 501,
        **_NOTICE,
        "amount": 9900,
        "currency": "KRW",
        "merchant_uid": merchant_uid,
        "pg": "kakaopay",
        "plan": "gold",
        "name": "items_add_up_to_their_charge",
        "rows": 1,
        "destination": "shop",
        "alert": 3,
        "check": "stops",
        "finding": "payco since 2026-03-02 09:00 KST: a drill",
        "remedy": "once the cause is fixed: `again start payco`",
        "opened_at": AT,
    }


def _subscription(kind: EventType) -> Mapping[str, Any]:
    status = {
        EventType.SUBSCRIPTION_PAST_DUE: SubscriptionStatus.PAST_DUE,
        EventType.CHARGE_DECLINED: SubscriptionStatus.PAST_DUE,
        EventType.SUBSCRIPTION_PAUSED: SubscriptionStatus.PAUSED,
        EventType.SUBSCRIPTION_CANCELED: SubscriptionStatus.CANCELED,
        EventType.SUBSCRIPTION_ENDED: SubscriptionStatus.ENDED,
    }.get(kind, SubscriptionStatus.ACTIVE)
    over = status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED, SubscriptionStatus.PAUSED}
    return {
        "code": CODE,
        "plan": "monthly",
        "quantity": 1,
        "status": status,
        "paid_until": ENDS,
        "access_until": ENDS,
        "next_charge_at": None if over else ENDS,
    }


def _charge(status: ChargeStatus, *, refunded: int) -> Mapping[str, Any]:
    again = datetime(2026, 11, 22, 1, tzinfo=UTC) if status is ChargeStatus.PAST_DUE else None
    return {
        "id": 501,
        "period_start": STARTS,
        "period_end": ENDS,
        "amount": 9900,
        "tax_free": 0,
        "vat_amount": 900,
        "currency": "KRW",
        "status": status,
        "refunded": refunded,
        "next_attempt_at": again,
    }


def _catalogue() -> Iterator[str]:
    yield "\n| type | when |\n|---|---|\n"
    for kind, entry in CATALOGUE.items():
        anchor = kind.value.replace(".", "")
        yield f"| [`{kind.value}`](#{anchor}) | {entry.when} |\n"
    for kind, entry in CATALOGUE.items():
        yield from _section(kind, entry)


def _section(kind: EventType, entry: Entry) -> Iterator[str]:
    yield f"\n### {kind.value}\n\n{entry.when} Version {entry.version}.\n\n"
    if fields := ", ".join(f"`{name}`" for name in entry.data.model_fields):
        yield f"Its data: {fields}.\n\n"
    document = json.dumps(envelope(example(kind)), indent=2, ensure_ascii=False)
    yield f"```json\n{document}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMAS.write_text(schema_file())
