"""Writing settlements back: many per transaction, each guarded by the state it expects, and a log line for each.

An answer to a charge and the result of a look-up end here alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.declines import codes_only
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.domain.other_server import STOPPED_BY_OTHER_SERVER, reason_of_stop, was_paid_by_another
from worker.domain.settlement import Settlement
from worker.domain.states import CLAIMABLE_CHARGES, AttemptStatus, ChargeStatus, Via
from worker.ledger import call_totals, channel_stops, consents, discrepancies, end_of_dunning, late_payments, stops
from worker.ledger.channel_stops import ChannelChanges
from worker.ledger.end_of_dunning import SpentCharge
from worker.ledger.late_payments import WriteBackRow, WrittenBack, is_late_payment
from worker.ledger.settlement_values import values_of
from worker.ledger.subscription_status import mark_past_due, settle_subscriptions
from worker.ledger.voiding import void
from worker.ledger.waking import wake_charges

log = structlog.get_logger()

# An answer counts for the send it belongs to. "Paid" counts whenever it comes: money that moved cannot be argued away.
# An attempt that is settled for good stays as it is, but its charge is paid, and is never charged again.
# No id of the settlement's is trusted: a database restored from a backup gives ids, and counts of sends, to other rows
# than a worker still has in its hands. A merchant_uid names one attempt for ever, and `started_at` one send of it.
_WRITE_BACK = text("""
    WITH v AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
            place integer, merchant_uid text, sends smallint, started_at timestamptz, attempt_status text,
            reason text, answered boolean, imp_uid text,
            pg_tid text, http_status smallint, code text, message text, decline_kind text, refusal text, raw jsonb,
            failure text, next_lookup_at timestamptz, flag text, charge_status text, next_attempt_at timestamptz,
            wait_reason text, paid_at timestamptz, declines smallint, first_declined_at timestamptz, deferrals smallint)
    ), settled AS (
        UPDATE attempts a
        SET status = v.attempt_status, status_reason = v.reason, status_at = :now,
            settled_at = CASE WHEN v.attempt_status <> 'unknown' THEN CAST(:now AS timestamptz) END,
            -- One answer, whole: it replaces the one before it, or leaves it as it is. The ids of a payment go together
            -- too, and outlive an answer that names none.
            http_status = CASE WHEN v.answered THEN v.http_status ELSE a.http_status END,
            code = CASE WHEN v.answered THEN v.code ELSE a.code END,
            message = CASE WHEN v.answered THEN v.message ELSE a.message END,
            raw = CASE WHEN v.answered THEN v.raw ELSE a.raw END,
            imp_uid = COALESCE(v.imp_uid, a.imp_uid),
            pg_tid = CASE WHEN v.imp_uid IS NULL THEN a.pg_tid ELSE v.pg_tid END,
            decline_kind = v.decline_kind, refusal = COALESCE(v.refusal, a.refusal),
            failing_since = CASE WHEN v.failure IS NOT NULL THEN COALESCE(a.failing_since, :now) END,
            failure = v.failure, next_lookup_at = v.next_lookup_at, flag_reason = v.flag,
            flagged_at = CASE WHEN v.flag IS NOT NULL THEN CAST(:now AS timestamptz) END
        FROM v
        WHERE a.merchant_uid = v.merchant_uid AND (
            (a.status IN ('started', 'unknown') AND a.sends = v.sends AND a.started_at = v.started_at)
            OR (v.attempt_status = 'paid' AND a.status IN ('started', 'unknown', 'not_charged')))
        RETURNING v.place
    ), written AS (
        UPDATE charges c
        SET status = v.charge_status, status_reason = v.reason, status_at = :now,
            next_attempt_at = v.next_attempt_at, wait_reason = v.wait_reason, paid_at = v.paid_at,
            declines = v.declines, first_declined_at = v.first_declined_at, deferrals = v.deferrals
        FROM v JOIN attempts a ON a.merchant_uid = v.merchant_uid LEFT JOIN settled ON settled.place = v.place
        WHERE c.id = a.charge_id AND (
            (settled.place IS NOT NULL AND v.charge_status <> 'charging' AND c.status = 'charging')
            OR (v.charge_status = 'paid' AND c.status IN ('due', 'charging', 'past_due', 'uncollectible')))
        RETURNING v.place
    )
    SELECT settled.place IS NOT NULL AS settled, written.place IS NOT NULL AS charge_written, before.id AS attempt_id,
           before.charge_id, charge.subscription_id, before.status AS status_before,
           before.imp_uid AS imp_uid_before, before.flagged_at IS NOT NULL AS was_flagged,
           charge.status AS charge_before
    FROM v LEFT JOIN attempts before ON before.merchant_uid = v.merchant_uid
    LEFT JOIN charges charge ON charge.id = before.charge_id
    LEFT JOIN settled ON settled.place = v.place LEFT JOIN written ON written.place = v.place
    ORDER BY v.place
""")

_KEYS_DEAD = text("""
    UPDATE billing_keys k SET status = 'dead', status_reason = v.reason, status_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, reason text)
    WHERE k.id = v.id AND k.status = 'active'
    RETURNING k.id
""")

# What was in flight when its subscription was canceled, and did not end paid, is not claimed: it is not owed.
_OF_CANCELED = text("""
    SELECT c.id FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE c.id = ANY(:ids) AND s.status IN ('canceled', 'ended')
""")


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What became of settlements.

    `late` ones met an attempt that was settled already and changed nothing. `contradictions` say that money moved
    where our records have decided otherwise: they are discrepancies, which the sweep or an operator settles.
    """

    settled: tuple[Settlement, ...]
    late: tuple[Settlement, ...]
    contradictions: tuple[Settlement, ...]
    answered: tuple[Settlement, ...] = ()  # those settled whose call was under way until now, each of which is so once
    channels: ChannelChanges = field(default_factory=ChannelChanges)


def write_back(
    sessions: Sessions, settlements: Sequence[Settlement], *, now: datetime, seconds: Mapping[str, float] | None = None
) -> WriteBack:
    """Write settlements back in one transaction, each guarded, and count calls with their `seconds` by merchant_uid."""
    with sessions.begin() as session:
        result = apply_settlements(session, settlements, now=now)
        _stop_beside_another_server(session, result.settled, now)
        if seconds:
            call_totals.add(session, result.answered, seconds)
    for settlement in result.settled:
        _say(settlement)
    for settlement in result.late:
        log.info("late answer changed nothing", **_ids(settlement), outcome=settlement.attempt_status.value)
    for settlement in result.contradictions:
        log.error("paid at PortOne, but decided otherwise here: look at it", **_ids(settlement))
    for pg, reason in result.channels.stopped.items():
        log.error("refusals have stopped a channel", pg=pg, reason=codes_only(reason))
    for pg in result.channels.lifted:
        log.warning("a channel goes on: it was paid through after all", pg=pg)
    return result


def _stop_beside_another_server(session: Session, settled: Sequence[Settlement], now: datetime) -> None:
    """Stop all charging when another server has paid what was sent from here once: both would go on to charge."""
    for each in settled:
        if each.paid_at is not None and was_paid_by_another(each.attempt, each.attempt_status, each.paid_at):
            reason = reason_of_stop(each.attempt.request.merchant_uid, each.paid_at)
            stops.stop(session, scope=stops.EVERYTHING, reason=reason, stopped_by=STOPPED_BY_OTHER_SERVER, now=now)
            log.error("charging is stopped until an operator starts it", reason=reason)
            return


def _say(settlement: Settlement) -> None:
    write = log.warning if settlement.flag or settlement.blames_configuration else log.info
    write(
        "attempt settled",
        **_ids(settlement),
        pg=settlement.attempt.request.pg,
        outcome=settlement.attempt_status.value,
        **({"kind": settlement.decline_kind.value} if settlement.decline_kind else {}),
        **({"code": settlement.answer.code} if settlement.answer.code else {}),
        reason=codes_only(settlement.reason),
        charge=settlement.charge_status.value,
        **({"needs_human": settlement.flag} if settlement.flag else {}),
    )


def _ids(settlement: Settlement) -> dict[str, object]:
    attempt = settlement.attempt
    return {
        "charge_id": attempt.charge.id,
        "attempt": attempt.number,
        "merchant_uid": attempt.request.merchant_uid,
    }


def apply_settlements(session: Session, settlements: Sequence[Settlement], *, now: datetime) -> WriteBack:
    """Apply settlements to attempts, charges, subscriptions and billing keys; the caller commits."""
    plan_by_index(session)
    rows = as_rows({"place": place, **values_of(settlement)} for place, settlement in enumerate(settlements))
    changed = [WriteBackRow(**row._mapping) for row in session.execute(_WRITE_BACK, {"rows": rows, "now": now})]  # noqa: SLF001 - public
    decided = late_payments.reread_late_payments(session, list(zip(settlements, changed, strict=True)))
    result = WriteBack(
        settled=tuple(settlement for settlement, row in decided if row.settled),
        late=tuple(settlement for settlement, row in decided if not row.settled),
        contradictions=tuple(settlement for settlement, row in decided if is_late_payment(settlement, row)),
        answered=tuple(s for s, row in decided if row.settled and row.status_before == AttemptStatus.STARTED),
    )
    written = [(settlement, row) for settlement, row in decided if row.charge_written]
    _follow_up(session, result.settled, written, now)
    _note_discrepancies(session, decided, now)
    return replace(result, channels=channel_stops.note(session, result.settled, now=now))


def _note_discrepancies(session: Session, decided: Sequence[WrittenBack], now: datetime) -> None:
    """Record what needs a decision, and close what needed one and is settled now."""
    flagged = [discrepancies.of_unresolved_attempt(s.attempt, s.flag) for s, row in decided if row.settled and s.flag]
    late = [late_payments.discrepancy_of(s, row) for s, row in decided if is_late_payment(s, row)]
    discrepancies.record(session, [*flagged, *late], now=now)
    unflagged = [s for s, row in decided if row.settled and row.was_flagged and not s.flag]
    if merchant_uids := [s.attempt.request.merchant_uid for s in unflagged]:
        kinds = [DiscrepancyKind.UNRESOLVED]
        discrepancies.close(session, merchant_uids, kinds, reason="its outcome became clear", now=now)


def _follow_up(session: Session, settled: Sequence[Settlement], written: Sequence[WrittenBack], now: datetime) -> None:
    """Carry on to subscriptions and keys what became of attempts (`settled`) and of charges (`written`)."""
    declined = [s for s in settled if s.attempt_status is AttemptStatus.DECLINED]
    if paid := _subscriptions(row for s, row in written if s.charge_status is ChargeStatus.PAID):
        settle_subscriptions(session, paid, reason="paid", now=now)
    if dunned := _subscriptions(row for s, row in written if s.declines > s.attempt.retry.declines):
        mark_past_due(session, dunned, now=now)
    if waiting := [s.attempt.charge.id for s in settled if s.charge_status in CLAIMABLE_CHARGES]:
        _void_of_canceled(session, waiting, now)
        consents.give_up_returned(session, waiting, now=now)
    if dead := [{"id": s.attempt.charge.billing_key_id, "reason": s.reason} for s in declined if s.kills_key]:
        lost = session.scalars(_KEYS_DEAD, {"rows": as_rows(dead), "now": now}).all()
        end_of_dunning.lost_keys(session, lost, now=now)
    if refused := [s.attempt.charge.subscription_id for s in declined if s.kills_key]:
        # The key may have been replaced while its last call was in flight.
        wake_charges(session, refused, now)
    if left := [
        s.attempt.charge.subscription_id for s in settled if s.attempt.via is Via.WINDOW and not s.next_attempt_at
    ]:
        # Or while a payment window was open.
        wake_charges(session, left, now)
    _follow_up_of_dunning(session, written, now)


def _follow_up_of_dunning(session: Session, written: Sequence[WrittenBack], now: datetime) -> None:
    """Schedule the end of dunning where a calendar is spent, and undo it where something unpaid was paid."""
    if spent := [
        SpentCharge(row.subscription_id, row.charge_id, s.attempt.charge.billing_key_id)
        for s, row in written
        if s.charge_status is ChargeStatus.UNCOLLECTIBLE and row.subscription_id is not None and row.charge_id
    ]:
        end_of_dunning.spent(session, spent, now=now)
    if settled := _subscriptions(
        row
        for s, row in written
        if s.charge_status is ChargeStatus.PAID and (s.attempt.retry.declines or s.attempt.via is Via.WINDOW)
    ):
        end_of_dunning.undo_settled(session, settled, reason="it was paid", now=now)


def _void_of_canceled(session: Session, charge_ids: Sequence[int], now: datetime) -> None:
    canceled = session.scalars(_OF_CANCELED, {"ids": sorted(charge_ids)}).all()
    void(session, canceled, reason="its subscription is over", now=now)


def _subscriptions(rows: Iterable[WriteBackRow]) -> list[int]:
    return sorted(row.subscription_id for row in rows if row.subscription_id is not None)
