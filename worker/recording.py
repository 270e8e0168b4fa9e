"""Writing settlements back, and saying what became of them. A direct answer and a look-up end here alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from worker.database.session import Sessions
from worker.database.settlements import WriteBack, write_back
from worker.lifecycle import AttemptStatus
from worker.settlement import Settlement

log = structlog.get_logger()


def record(sessions: Sessions, settlements: Sequence[Settlement], *, now: datetime) -> WriteBack:
    """Write settlements back in one transaction, each guarded by the state it expects."""
    with sessions.begin() as session:
        result = write_back(session, settlements, now=now)
    for settlement in result.settled:
        if settlement.attempt_status is not AttemptStatus.PAID:
            _say(settlement)
    for settlement in result.late:
        log.info("late answer changed nothing", **_ids(settlement), outcome=settlement.attempt_status.value)
    for settlement in result.contradictions:
        log.error("paid at PortOne, but decided otherwise here: look at it", **_ids(settlement))
    for pg, reason in result.channels.stopped.items():
        log.error("refusals have stopped a channel", pg=pg, reason=reason)
    for pg in result.channels.lifted:
        log.warning("a channel goes on: it was paid through after all", pg=pg)
    return result


def _say(settlement: Settlement) -> None:
    write = log.warning if settlement.flag or settlement.blames_configuration else log.info
    write(
        "attempt settled",
        **_ids(settlement),
        outcome=settlement.attempt_status.value,
        reason=settlement.reason,
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
