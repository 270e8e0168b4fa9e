"""Finishing a checkout by what PortOne shows, and by nothing else; as often as anyone asks, with one end.

A browser's callback, a redirect, a webhook and the periodic look all come here. What they say is where to look.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session

from worker.checkout_links import checkout_row
from worker.clock import Clock
from worker.database import checkouts, differences, windows
from worker.database.differences import Noted
from worker.database.session import Sessions
from worker.database.settlements import write_back
from worker.differences import SENTENCES, DifferenceKind, DifferenceStatus
from worker.evidence import answer_of, conclude
from worker.gateway import Found, Gateway, LookUpFailed, NoSuchKey, StoredKey
from worker.lifecycle import OPEN_ATTEMPTS, AttemptStatus, CheckoutStatus, Via
from worker.outcomes import Outcome, Paid, Unknown, UnknownReason
from worker.refusals import Refused
from worker.registration import Expected, Failed, Proved, Verdict, Waiting, Wrong, belongs, judge_key, judge_payment
from worker.settlement import Policy, settle
from worker.taking_over import take_over

LONGEST_IMP_UID = 100

log = structlog.get_logger()


class Progress(StrEnum):
    DONE = "done"
    WAITING = "waiting"  # nothing is known yet; ask again in a while
    DECLINED = "declined"  # nothing was paid; the customer may try again while the link lasts
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Completion:
    """How far a checkout has come; `said` is a sentence, of the PG's when the customer was declined."""

    progress: Progress
    said: str = ""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What PortOne showed, and when it was asked."""

    asked_at: datetime
    payments: Found | LookUpFailed
    key: StoredKey | NoSuchKey | LookUpFailed | None


async def complete(
    sessions: Sessions, gateway: Gateway, code: str, *, imp_uid: str | None, clock: Clock, policy: Policy
) -> Completion:
    """Ask PortOne what became of a checkout and carry it out. Raises Refused for what was not asked for.

    `imp_uid` is what a browser says; without one, everything under the window's merchant_uid is looked at all the same.
    """
    row = await asyncio.to_thread(_found, sessions, code)
    if row.merchant_uid is None:
        raise Refused("No payment window was opened with this link yet.")
    if row.status == CheckoutStatus.DONE:
        return Completion(Progress.DONE)
    expected = _expected(row)
    if imp_uid:
        await _require_ours(gateway, expected, imp_uid)
    shown = await _ask(gateway, expected, clock)
    judged = judge_payment(expected, shown.payments)
    completion, verdict = await asyncio.to_thread(_carry_out, sessions, row, expected, shown, judged, clock, policy)
    if isinstance(verdict, Wrong):
        log.warning("a checkout was not completed", checkout=row.id, reason=verdict.sentence)
        raise Refused(verdict.sentence)
    return completion


def _found(sessions: Sessions, code: str) -> Row[Any]:
    with sessions() as session:
        return checkout_row(session, code)


def _expected(row: Row[Any]) -> Expected:
    return Expected(
        merchant_uid=row.merchant_uid,
        pg=row.chosen_pg,
        opened_pgs=frozenset(row.opened_pgs),
        charged=0 if row.charge_id is None else row.amount,
        shown=row.amount,
        currency="KRW",
        customer_uid=row.customer_uid,
    )


async def _require_ours(gateway: Gateway, expected: Expected, imp_uid: str) -> None:
    """Refuse another's payment. One that PortOne does not show yet is no proof of anything: the look-up decides."""
    if len(imp_uid) > LONGEST_IMP_UID or not imp_uid.isascii() or not imp_uid.isprintable():
        raise Refused("That is no payment's id.")
    named = await gateway.payment(imp_uid)
    if isinstance(named, Found) and not belongs(expected, named):
        raise Refused("That payment belongs to another order; nothing was changed.")


async def _ask(gateway: Gateway, expected: Expected, clock: Clock) -> _Shown:
    asked_at = clock()
    payments = await gateway.look_up(expected.merchant_uid)
    key = None if expected.customer_uid is None else await gateway.billing_key(expected.customer_uid)
    return _Shown(asked_at, payments, key)


def _carry_out(
    sessions: Sessions,
    row: Row[Any],
    expected: Expected,
    shown: _Shown,
    verdict: Verdict,
    clock: Clock,
    policy: Policy,
) -> tuple[Completion, Verdict]:
    """Write everything down in one transaction: a crash leaves all of it to whoever asks next, or none."""
    with sessions.begin() as session:
        now = clock()
        locked = checkouts.locked(session, row.code)
        if locked is None or locked.status == CheckoutStatus.DONE:
            return Completion(Progress.DONE), Waiting("")
        if locked.merchant_uid != row.merchant_uid:
            return Completion(Progress.WAITING, "Another window was opened meanwhile."), Waiting("")
        if row.charge_id is not None:
            verdict = _settle(session, expected, shown, verdict, now, policy)
        elif isinstance(verdict, Wrong) and verdict.moved:
            _note(session, verdict, now)
        if isinstance(verdict, Proved):
            return _finish(session, locked, expected, shown, verdict, now), verdict
        if isinstance(verdict, Failed) and verdict.said:
            checkouts.say(session, row.id, verdict.said)
    return _progress(locked, verdict), verdict


def _progress(row: Row[Any], verdict: Verdict) -> Completion:
    if row.status == CheckoutStatus.EXPIRED:
        return Completion(Progress.EXPIRED, "This link has expired; ask for a new one.")
    if isinstance(verdict, Failed):
        return Completion(Progress.DECLINED, verdict.said)
    return Completion(Progress.WAITING, verdict.reason if isinstance(verdict, Waiting) else "")


def _settle(
    session: Session, expected: Expected, shown: _Shown, verdict: Verdict, now: datetime, policy: Policy
) -> Verdict:
    """Settle the window's attempt: paid by a payment that fits it, and left to a person by one that does not.

    What is only unclear stays with the look-ups of reconciliation. An order that we have sent ourselves since, when its
    windows were over, is theirs too: it was paid through a key's PG, and says nothing about what a window was to do.
    """
    known = windows.attempt_of(session, expected.merchant_uid)
    if known is None:
        return verdict
    attempt, status = known
    if attempt.via is Via.AGAIN:
        by_hand = expected.customer_uid is None and status is AttemptStatus.PAID
        return Proved() if by_hand else Waiting("It was charged in another way meanwhile.")
    if status is AttemptStatus.PAID:
        return verdict
    outcome: Outcome = conclude(attempt, shown.payments, now=shown.asked_at, quiet_period=policy.quiet_period)
    if isinstance(verdict, Wrong) and verdict.record is not None and verdict.moved:
        outcome = Unknown(UnknownReason.OTHER_PAYMENT, answer_of(verdict.record), needs_human=True)
    decided = isinstance(outcome, Paid) or (isinstance(outcome, Unknown) and outcome.needs_human)
    if decided and (isinstance(outcome, Paid) or status in OPEN_ATTEMPTS):
        result = write_back(session, [settle(attempt, outcome, now=now, policy=policy)], now=now)
        if result.contradictions:
            log.error("paid in a window, but decided otherwise here", merchant_uid=expected.merchant_uid)
    return verdict


def _finish(
    session: Session, row: Row[Any], expected: Expected, shown: _Shown, verdict: Proved, now: datetime
) -> Completion:
    """Carry a proved checkout out: the key first of all, if there is one."""
    label = ""
    if shown.key is not None:
        key = judge_key(expected, shown.key)
        if isinstance(key, Wrong):
            log.error("a checkout's key is another one", checkout=row.id, reason=key.sentence)
            raise Refused(key.sentence)
        if not isinstance(key, Proved):
            if row.charge_id is not None:
                log.error("paid in a window, but PortOne shows no billing key: ask for a new one", checkout=row.id)
            return Completion(Progress.WAITING, key.reason if isinstance(key, Waiting) else "")
        label = key.card or ""
    taken = take_over(session, row, label=label, now=now)
    imp_uid = None if verdict.record is None else verdict.record.imp_uid
    if checkouts.done(session, row.id, reason=taken.said, imp_uid=imp_uid, forget_key_id=taken.forget_key_id, now=now):
        log.info("checkout done", checkout=row.id, purpose=row.purpose, said=taken.said)
    return Completion(Progress.DONE, taken.said)


def _note(session: Session, verdict: Wrong, now: datetime) -> None:
    """Ask a person about money that moved where only a key was to be registered."""
    assert verdict.record is not None
    noted = Noted(
        kind=DifferenceKind.OTHER_AMOUNT,
        status=DifferenceStatus.OPEN,
        said=SENTENCES[DifferenceKind.OTHER_AMOUNT],
        merchant_uid=verdict.record.merchant_uid,
        imp_uid=verdict.record.imp_uid,
        evidence={"portone": verdict.record.raw, "books": {"checkout": "a key was to be registered, for nothing"}},
    )
    differences.note(session, [noted], now=now)
