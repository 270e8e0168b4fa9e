"""Stopping a channel on the evidence of its refusals, in the transaction that writes them back.

Two small tables are all it reads: when each channel was last paid through, and whose refusals have come since. A row
lock on the channel makes write-backs that happen at once see each other's refusals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.channel_evidence import PROVEN_FOR, STOPPED_BY_REFUSALS, Refusal, refusal_of, sentence
from worker.domain.settlement import Settlement
from worker.domain.states import AttemptStatus, Via

FORGOTTEN_AFTER = "90 days"
"""How long it is remembered that a customer's refusal was no fault of the channel."""

_SEEN = text("SELECT pg, paid_at FROM channels WHERE pg = ANY(:pgs)")
_KNOWN = text("""
    INSERT INTO channels (pg) SELECT pg FROM unnest(CAST(:pgs AS text[])) AS pg ORDER BY pg ON CONFLICT (pg) DO NOTHING
""")
_LOCK = text("SELECT FROM channels WHERE pg = ANY(:pgs) ORDER BY pg FOR UPDATE")

# A payment counts from when it was sent: what was refused of the same time or earlier is no evidence any more.
_PAID = text("""
    UPDATE channels c SET paid_at = v.sent_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(pg text, sent_at timestamptz)
    WHERE c.pg = v.pg AND (c.paid_at IS NULL OR c.paid_at < v.sent_at)
""")

# Others were paid: what blamed the configuration was this customer's own, and is not counted again; the rest is over.
_OUTDATED = text(f"""
    DELETE FROM refusals r USING channels c
    WHERE c.pg = ANY(:pgs) AND r.pg = c.pg
      AND (r.kind <> 'config' AND r.sent_at <= c.paid_at
           OR r.sent_at < CAST(:now AS timestamptz) - interval '{FORGOTTEN_AFTER}')
""")  # noqa: S608 - constants only
_EXCUSED = text("""
    UPDATE refusals r SET counts = false FROM channels c
    WHERE c.pg = ANY(:pgs) AND r.pg = c.pg AND r.counts AND r.sent_at <= c.paid_at
""")

# A charge that is refused again as it was before tells nothing new: its first refusal was the news.
_NOTE = text("""
    INSERT INTO refusals AS r (pg, alike, billing_key_id, subscription_id, kind, sent_at, counts)
    SELECT DISTINCT ON (v.pg, v.alike, v.billing_key_id) v.pg, v.alike, v.billing_key_id, v.subscription_id, v.kind,
           v.sent_at, v.sent_at > COALESCE(c.paid_at, '-infinity')
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        pg text, alike text, kind text, billing_key_id bigint, subscription_id bigint, charge_id bigint,
        number smallint, message text, sent_at timestamptz)
    JOIN channels c ON c.pg = v.pg
    WHERE v.kind = 'config' OR v.sent_at > COALESCE(c.paid_at, '-infinity') AND NOT EXISTS (
        SELECT FROM attempts before
        WHERE before.charge_id = v.charge_id AND before.number < v.number AND before.status = 'declined'
          AND before.message IS NOT DISTINCT FROM v.message)
    ON CONFLICT (pg, alike, billing_key_id) DO NOTHING
""")

_COUNT = text("""
    SELECT r.pg, r.alike, count(*) AS customers, max(r.sent_at) AS sent_at, c.paid_at, c.released_at
    FROM refusals r JOIN channels c ON c.pg = r.pg
    WHERE r.pg = ANY(:pgs) AND r.counts
    GROUP BY r.pg, r.alike, c.paid_at, c.released_at
""")

_STOP = text("""
    INSERT INTO stops (scope, reason, stopped_by, stopped_at)
    SELECT v.scope, v.reason, :by, :now FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(scope text, reason text)
    ORDER BY v.scope
    ON CONFLICT (scope) DO NOTHING
    RETURNING scope, reason
""")

# What was sent at the same time or later was paid: the channel works, and the answers only came in another order.
_LIFT = text("""
    DELETE FROM stops s USING channels c
    WHERE s.scope = c.pg AND c.pg = ANY(:pgs) AND s.stopped_by = :by
      AND NOT EXISTS (SELECT FROM refusals r WHERE r.pg = c.pg AND r.counts AND r.sent_at > c.paid_at)
    RETURNING s.scope
""")

# A charge that waits says so itself until it is tried again; a customer who was paid or canceled meanwhile is no news.
_BLAMED = text("""
    SELECT r.pg, s.code, count(*) OVER (PARTITION BY r.pg) AS customers
    FROM refusals r JOIN subscriptions s ON s.id = r.subscription_id
    WHERE r.kind = 'config' AND s.status NOT IN ('canceled', 'ended') AND EXISTS (
        SELECT FROM charges c
        WHERE c.subscription_id = r.subscription_id AND c.status IN ('due', 'past_due')
          AND c.wait_reason = 'configuration')
    ORDER BY r.pg, r.sent_at LIMIT :limit
""")

# By a clock that is right again, nothing lies ahead: it would outweigh what comes for as long as the clock was ahead.
_CLAMP = text("""
    UPDATE channels SET paid_at = LEAST(paid_at, :now), released_at = LEAST(released_at, :now)
    WHERE paid_at > :now OR released_at > :now
""")
_CLAMP_REFUSALS = text("UPDATE refusals SET sent_at = :now WHERE sent_at > :now")

_RELEASE = text("UPDATE channels SET released_at = :now WHERE pg = :pg")
_RELEASED = text("UPDATE refusals SET counts = false WHERE pg = :pg AND counts")


@dataclass(frozen=True, slots=True)
class BlamedSubscription:
    """A subscription whose charges wait because its refusals blame the configuration."""

    pg: str
    code: str
    customers: int  # how many there are of its PG


@dataclass(frozen=True, slots=True)
class ChannelChanges:
    """What settlements have done to channels: `stopped` with the reason of each, and `lifted`."""

    stopped: Mapping[str, str] = field(default_factory=dict)
    lifted: Sequence[str] = ()


def note(session: Session, settled: Sequence[Settlement], *, now: datetime) -> ChannelChanges:
    """Take settlements as evidence for or against their channels: stop those that are at fault, lift what was none.

    The last thing before the commit: other write-backs through these channels wait for it.
    """
    refusals = {(each.pg, each.alike, each.billing_key_id): each for each in map(refusal_of, settled) if each}
    paid = _news(session, _paid_at(settled, now))
    pgs = sorted({*paid, *(pg for pg, _, _ in refusals)})
    if not pgs:
        return ChannelChanges()
    session.execute(_KNOWN, {"pgs": pgs})
    session.execute(_LOCK, {"pgs": pgs})
    session.execute(_PAID, {"rows": as_rows({"pg": pg, "sent_at": at} for pg, at in paid.items())})
    session.execute(_OUTDATED, {"pgs": pgs, "now": now})
    session.execute(_EXCUSED, {"pgs": pgs})
    lifted = session.scalars(_LIFT, {"pgs": sorted(paid), "by": STOPPED_BY_REFUSALS}).all()
    return ChannelChanges(_weigh(session, list(refusals.values()), now) if refusals else {}, lifted)


def _news(session: Session, paid: dict[str, datetime]) -> dict[str, datetime]:
    """Leave out what the table has already: most payments of a busy channel were claimed together."""
    known = {row.pg: row.paid_at for row in session.execute(_SEEN, {"pgs": sorted(paid)})} if paid else {}
    return {pg: at for pg, at in paid.items() if known.get(pg) is None or known[pg] < at}


def _weigh(session: Session, refusals: Sequence[Refusal], now: datetime) -> Mapping[str, str]:
    """Note refusals, and stop the channels of which there are enough; returns those stopped, and why."""
    session.execute(_NOTE, {"rows": as_rows(_row(each, now) for each in refusals)})
    by_words = {(each.pg, each.alike): each for each in refusals}
    reasons: dict[str, str] = {}
    for row in session.execute(_COUNT, {"pgs": sorted({each.pg for each in refusals})}):
        refusal = by_words.get((row.pg, row.alike))
        if refusal is None:
            continue
        shown = max((at for at in (row.paid_at, row.released_at) if at is not None), default=None)
        unproven = refusal.kind.value == "config" and (shown is None or shown < now - PROVEN_FOR)
        if row.customers >= (1 if unproven else refusal.enough):
            reasons[row.pg] = sentence(refusal, customers=row.customers)
    rows = as_rows({"scope": pg, "reason": reason} for pg, reason in reasons.items())
    return {
        row.scope: row.reason for row in session.execute(_STOP, {"rows": rows, "by": STOPPED_BY_REFUSALS, "now": now})
    }


def blamed(session: Session, *, limit: int = 20) -> Sequence[BlamedSubscription]:
    """List subscriptions whose charges wait because their refusals blame the configuration, which stops no channel.

    `customers` of each row is how many there are of its PG.
    """
    return [BlamedSubscription(**row._mapping) for row in session.execute(_BLAMED, {"limit": limit})]  # noqa: SLF001 - public


def release(session: Session, pg: str, *, now: datetime) -> None:
    """Record that an operator has released a channel: the refusals that had stopped it do not stop it again."""
    session.execute(_RELEASE, {"pg": pg, "now": now})
    session.execute(_RELEASED, {"pg": pg})


def clamp_future_evidence(session: Session, *, now: datetime) -> None:
    """Set evidence that was written while the clock was ahead to `now`."""
    session.execute(_CLAMP, {"now": now})
    session.execute(_CLAMP_REFUSALS, {"now": now})


def lock(session: Session, pg: str) -> None:
    """Lock a channel before its stop is released, as a write-back does, or the two may block each other."""
    session.execute(_LOCK, {"pgs": [pg]})


def _paid_at(settled: Sequence[Settlement], now: datetime) -> dict[str, datetime]:
    """Return by PG when the latest send that was paid was claimed: no later than now, whatever a clock has said since.

    Payment windows prove nothing of `again`.
    """
    found: dict[str, datetime] = {}
    for settlement in settled:
        attempt = settlement.attempt
        if settlement.attempt_status is AttemptStatus.PAID and attempt.via is Via.AGAIN:
            pg, sent_at = attempt.request.pg, min(attempt.started_at, now)
            found[pg] = max(found.get(pg, sent_at), sent_at)
    return found


def _row(refusal: Refusal, now: datetime) -> dict[str, object]:
    names = ("pg", "alike", "kind", "billing_key_id", "subscription_id", "charge_id", "number", "message")
    return {name: getattr(refusal, name) for name in names} | {"sent_at": min(refusal.sent_at, now)}
