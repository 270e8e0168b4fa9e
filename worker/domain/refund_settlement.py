"""What becomes of a refund after a request or a look-up: settled, looked up later, sent again, or flagged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.declines import DeclineRules, classify
from worker.domain.discrepancy_rules import refunded
from worker.domain.gateway import LookUpFailed, PaymentRecord, Refund, RefundRefused
from worker.domain.outcomes import NO_ANSWER, Answer, DeclineKind
from worker.domain.refunds import MAX_SENDS, RefundStatus, Seen, Sighting, sighting_of
from worker.domain.retry_policy import RetryPolicy, backoff

RefundAnswer = PaymentRecord | RefundRefused | LookUpFailed
"""What a gateway answers to a refund."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRefund:
    """A refund that is neither completed nor refused, as its row has it. `sends` counts its requests so far.

    `deferrals` counts in a row how often a request could not leave; `earlier_sent_at` is when it was sent before the
    last time. `charge_id` is the charge that its payment pays, and None where our records count it for none. Of a
    refund that was decided in a review, only its operator sends another request (`is_retried` is False).
    """

    id: int
    refund: Refund
    merchant_uid: str
    currency: str
    paid: int  # what the payment came to
    status: RefundStatus
    sends: int
    deferrals: int
    sent_at: datetime | None
    earlier_sent_at: datetime | None = None
    is_retried: bool = True
    is_flagged: bool = False  # it waits for an operator
    charge_id: int | None
    change_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSettlement:
    """What is written about a refund. `refunded` is all that PortOne shows as refunded of its payment, if it was asked.

    With `send` it is sent once more, at once. `is_sent` is False where the last request never left.
    """

    status: RefundStatus
    reason: str
    next_try_at: datetime | None = None
    flagged: bool = False
    send: bool = False
    is_sent: bool = True
    refunded: int | None = None
    cancellation_id: str | None = None
    answer: Answer = NO_ANSWER


def settle_answer(
    known: OpenRefund, answer: RefundAnswer, shown: PaymentRecord | None, *, now: datetime, policy: RetryPolicy
) -> RefundSettlement:
    """Return what an answer to a request makes of a refund; `shown` is the payment as PortOne shows it after that.

    What PortOne shows counts more than what it says: a refusal may be the answer to the second of two requests.
    """
    said = NO_ANSWER if isinstance(answer, PaymentRecord) else answer.answer
    seen = Sighting(Seen.NOT_CARRIED_OUT) if shown is None else sighting_of(known.refund, shown)
    if seen.seen is not Seen.NOT_CARRIED_OUT and shown is not None:
        return _by_sighting(seen, shown, said)
    if not isinstance(answer, RefundRefused) or not is_certain(answer, known.refund.pg, policy.rules):
        return _unclear(known, now=now, policy=policy, answer=said)
    if not answer.sent and known.is_retried:
        return RefundSettlement(
            status=known.status,
            reason="PortOne was not reached, so it was not sent",
            next_try_at=now + backoff(policy.not_charged_delay, known.deferrals),
            is_sent=False,
            answer=said,
        )
    if known.sends > 1 and (shown is None or _may_be_under_way(known, now, policy)):
        return _unclear(known, now=now, policy=policy, answer=said)
    reason = "PortOne or the PG refused it" if answer.sent else "PortOne was not reached, so it was not sent"
    return RefundSettlement(status=RefundStatus.REFUSED, reason=reason, is_sent=answer.sent, answer=said)


def settle_look_up(
    known: OpenRefund, finding: PaymentRecord | LookUpFailed | None, *, asked_at: datetime, policy: RetryPolicy
) -> RefundSettlement:
    """Return what a look-up makes of a refund that was sent; None: PortOne shows no such payment.

    "Not carried out" is believed once the quiet period has passed: until then the request may still be on its way.
    """
    if not isinstance(finding, PaymentRecord):
        answer = NO_ANSWER if finding is None else finding.answer
        return _unclear(known, now=asked_at, policy=policy, answer=answer)
    seen = sighting_of(known.refund, finding)
    if seen.seen is not Seen.NOT_CARRIED_OUT:
        return _by_sighting(seen, finding, NO_ANSWER)
    quiet_at = (known.sent_at or asked_at) + policy.quiet_period
    if known.sent_at is not None and asked_at < quiet_at:
        return _unclear(known, now=asked_at, policy=policy, answer=NO_ANSWER, latest=quiet_at)
    if known.sends >= MAX_SENDS or not known.is_retried:
        reason = f"PortOne does not show it after {known.sends} request{'' if known.sends == 1 else 's'}"
        return RefundSettlement(status=RefundStatus.REFUSED, reason=reason, refunded=refunded(finding))
    return RefundSettlement(status=known.status, reason="PortOne does not show it, so it is sent again", send=True)


def settle_unsent(known: OpenRefund) -> RefundSettlement:
    """Return what becomes of a refund whose process ended before the request; of a review, it ends."""
    if known.is_retried:
        return RefundSettlement(status=known.status, reason="it was not sent yet", send=True)
    return RefundSettlement(status=RefundStatus.REFUSED, reason="it was not sent: decide the discrepancy again")


def is_certain(refusal: RefundRefused, pg: str, rules: DeclineRules) -> bool:
    """Return whether a refusal certainly refunded nothing. A time-out behind the PG, or "already", proves nothing."""
    return not refusal.sent or isinstance(classify(rules, pg, None, refusal.answer.message).verdict, DeclineKind)


def _may_be_under_way(known: OpenRefund, now: datetime, policy: RetryPolicy) -> bool:
    """Return whether an earlier request may still be carried out, whatever became of the last one."""
    return known.earlier_sent_at is not None and now < known.earlier_sent_at + policy.quiet_period


def _by_sighting(seen: Sighting, shown: PaymentRecord, answer: Answer) -> RefundSettlement:
    entry = seen.cancellation
    if seen.seen is Seen.CARRIED_OUT:
        return RefundSettlement(
            status=RefundStatus.COMPLETED,
            reason="PortOne shows it",
            refunded=refunded(shown),
            cancellation_id=None if entry is None else entry.cancellation_id,
            answer=answer,
        )
    if seen.seen is Seen.OVERTAKEN:
        return RefundSettlement(
            status=RefundStatus.REFUSED,
            reason=f"another refund came first: PortOne shows {refunded(shown):,} of {shown.amount:,} as refunded",
            refunded=refunded(shown),
            answer=answer,
        )
    reason = "what PortOne shows does not tell whether it was carried out"
    return RefundSettlement(
        status=RefundStatus.UNCLEAR, reason=reason, flagged=True, refunded=refunded(shown), answer=answer
    )


def _unclear(
    known: OpenRefund, *, now: datetime, policy: RetryPolicy, answer: Answer, latest: datetime | None = None
) -> RefundSettlement:
    """Return that it stays unclear, until the next look-up of the schedule; after the last one an operator decides."""
    coming = _next_look(known, now, policy)
    if latest is not None:
        coming = latest if coming is None else min(coming, latest)
    return RefundSettlement(
        status=RefundStatus.UNCLEAR,
        reason="whether it was carried out is not clear" if coming else "the look-ups are used up",
        next_try_at=coming,
        flagged=coming is None,
        answer=answer,
    )


def _next_look(known: OpenRefund, now: datetime, policy: RetryPolicy) -> datetime | None:
    since = known.sent_at or now
    return next((since + delay for delay in policy.lookup_backoff if since + delay > now + _AT_ONCE), None)


_AT_ONCE = timedelta(seconds=1)
"""A look-up that is due by then is the one that was just made."""
