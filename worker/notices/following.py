"""What a customer is told once it has happened, made when it is sent: in the morning it may be different already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from schedules.notices import NoticeKind
from worker.database.engine import Sessions
from worker.domain.notices.content import About, content_of
from worker.domain.outcomes import DeclineKind
from worker.ledger import notices
from worker.ledger.notices import WaitingNotice
from worker.notices import following_queries
from worker.notices.following_queries import FollowedFact
from worker.notices.policy import NoticePolicy

BATCH = 100
"""Notices that are locked and sent in one transaction."""

_UNPAID = frozenset({"due", "charging", "past_due", "uncollectible"})


def send_kept(sessions: Sessions, *, policy: NoticePolicy, now: datetime) -> tuple[int, int]:
    """Send notices that were kept and are due, up to BATCH; return how many were due, and how many were sent.

    What has nothing to say any more, such as of a decline that was paid in the night, is dropped.
    """
    with sessions.begin() as session:
        due = notices.due(session, now=now, limit=BATCH)
        facts = {each.id: each for each in following_queries.facts(session, [each.id for each in due])}
        contents = {
            each.id: content for each in due if (content := _content(each, facts.get(each.id), policy)) is not None
        }
        notices.send(session, contents, now=now)
        notices.drop(session, [each.id for each in due if each.id not in contents])
    return len(due), len(contents)


def _content(notice: WaitingNotice, fact: FollowedFact | None, policy: NoticePolicy) -> Mapping[str, Any] | None:
    """Return what a kept notice says; None where it has nothing to say."""
    if fact is None or (notice.kind is NoticeKind.DECLINED and fact.charge_status not in _UNPAID):
        return None
    told: Mapping[NoticeKind, Mapping[str, Any]] = {
        NoticeKind.DECLINED: _declined(fact, policy) if notice.kind is NoticeKind.DECLINED else {},
        NoticeKind.PAID: {"receipt": _address(fact.receipt_url)},
        NoticeKind.REFUNDED: {"refunded": _charge(fact).get("refunded")},
        NoticeKind.CANCELED: {"until": _until(fact)},
    }
    about = About(
        kind=notice.kind,
        subscription=fact.code,
        plan=fact.name,
        zone=ZoneInfo(fact.time_zone),
        amount=_charge(fact).get("amount"),
        date=fact.at,
        **told[notice.kind],
    )
    return content_of(about, source=notice.source, texts=policy.texts)


def _charge(fact: FollowedFact) -> Mapping[str, Any]:
    found: Mapping[str, Any] = fact.data.get("charge") or {}
    return found


def _declined(fact: FollowedFact, policy: NoticePolicy) -> Mapping[str, Any]:
    return {
        "decline": DeclineKind(fact.data["decline"]),
        "next_try": fact.next_attempt_at,
        "link": policy.link(fact.code),
    }


def _until(fact: FollowedFact) -> datetime | None:
    """Return until when the customer has what was paid, if that is not over."""
    until = fact.data["subscription"]["access_until"]
    at = None if until is None else datetime.fromisoformat(until)
    return at if at is not None and at > fact.at else None


def _address(receipt: str | None) -> str | None:
    return receipt if receipt is not None and receipt.startswith("https://") else None
