"""Writing settlements back, and saying what became of them. A direct answer and a look-up end here alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from worker.database.engine import Sessions
from worker.domain.declines import codes_only
from worker.domain.other_server import BY, reason_of_stop, was_paid_by_another
from worker.domain.settlement import Settlement
from worker.domain.states import AttemptStatus
from worker.ledger import stops
from worker.ledger.write_back import WriteBack, write_back

log = structlog.get_logger()


def record(sessions: Sessions, settlements: Sequence[Settlement], *, now: datetime) -> WriteBack:
    """Write settlements back in one transaction, each guarded by the state it expects."""
    with sessions.begin() as session:
        result = write_back(session, settlements, now=now)
        _stop_beside_another_server(session, result.settled, now)
    for settlement in result.settled:
        if settlement.attempt_status is not AttemptStatus.PAID:
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
    """Stop all charging when somebody else has paid what was sent from here once: both would go on to charge."""
    for each in settled:
        if each.paid_at is not None and was_paid_by_another(each.attempt, each.attempt_status, each.paid_at):
            reason = reason_of_stop(each.attempt.request.merchant_uid, each.paid_at)
            stops.stop(session, scope=stops.EVERYTHING, reason=reason, stopped_by=BY, now=now)
            log.error("charging is stopped until a person starts it", reason=reason)
            return


def _say(settlement: Settlement) -> None:
    write = log.warning if settlement.flag or settlement.blames_configuration else log.info
    write(
        "attempt settled",
        **_ids(settlement),
        outcome=settlement.attempt_status.value,
        reason=codes_only(settlement.reason),
        charge=settlement.charge_status.value,
        **({"needs_human": settlement.flag} if settlement.flag else {}),
    )


def _ids(settlement: Settlement) -> dict[str, object]:
    attempt = settlement.attempt
    return {
        "charge_id": attempt.charge_id,
        "attempt": attempt.number,
        "merchant_uid": attempt.request.merchant_uid,
    }
