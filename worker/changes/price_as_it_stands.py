"""A change of price that is still to come, as it stands: by the quantity that its subscription will have then.

What was asked for is never rewritten. What is shown, agreed to and written down of it is worked out here, and is what
is charged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from worker.changes import price_queries
from worker.changes.wording import day_en, day_ko, won
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.domain.previews import Sentence
from worker.domain.pricing.amounts import times
from worker.ledger import changes
from worker.ledger.changes import Change
from worker.ledger.terms import own_terms
from worker.subscriptions.terms_queries import standing


def as_it_stands(session: Session, change: Change) -> Change:
    """Return a change with the sentence, the amounts and the fingerprint that it has by now.

    Those of a change of price follow the quantity, and its day the next period. Any other change is what was shown.
    """
    if change.kind is not ChangeKind.CHANGE_PRICE or change.status is not ChangeStatus.SCHEDULED:
        return change
    terms = own_terms(session, change.subscription_id)
    now_standing = standing(session, change.subscription_id)
    prices = {each.version: each.amounts for each in price_queries.versions(session, now_standing.terms.plan_id)}
    if (new := prices.get(change.parameters["version"])) is None:
        return change
    quantity = _quantity(session, change, terms.quantity)
    before, after = (times(unit, quantity).amount for unit in (terms.unit, new))
    at = first_day(change.effective_at, now_standing.terms.next_charge_at)
    sentence = price_sentence(change.code, at, terms.plan.time_zone, before, after)
    shown = {**change.preview, "sentence": asdict(sentence), "before": before, "after": after}
    return replace(change, preview=shown, fingerprint=_fingerprint(change, shown))


def first_day(effective_at: datetime, next_charge_at: datetime | None) -> datetime:
    """Return from when on a price is charged: from the first period that has no charge yet when it takes effect."""
    return effective_at if next_charge_at is None else max(effective_at, next_charge_at)


def price_sentence(code: str, at: datetime, zone: ZoneInfo, before: int, after: int) -> Sentence:
    """Return what a change of price says, of a subscription by its code."""
    return Sentence(
        f"From {day_en(at, zone)} on, a period of subscription {code} costs {won(after)} instead of {won(before)}.",
        f"{day_ko(at, zone)}부터 요금이 {before:,}원에서 {after:,}원으로 변경됩니다.",
    )


def _quantity(session: Session, change: Change, quantity: int) -> int:
    """Return the quantity at the time of a change, by what is planned until then."""
    for each in changes.scheduled(session, change.subscription_id):
        is_first = (each.effective_at, each.id) < (change.effective_at, change.id)
        if each.kind is ChangeKind.CHANGE_PLAN and each.waits_for is None and is_first:
            quantity = each.parameters.get("quantity") or quantity
    return quantity


def _fingerprint(change: Change, shown: Mapping[str, Any]) -> str:
    """Return the change's own fingerprint, or another one where another amount than was asked for is shown."""
    amounts = [shown["before"], shown["after"]]
    if amounts == [change.preview.get("before"), change.preview.get("after")]:
        return change.fingerprint
    return hashlib.sha256(json.dumps([change.fingerprint, amounts]).encode()).hexdigest()[:16]
