"""The product, broken on purpose, in ways that a careless change could bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import httpx
import pytest
from sqlalchemy import text

from tests.simulation.engine.worker_process import WorkerProcess
from worker.charging import pump as charging
from worker.charging.limited_claim import Claimed
from worker.charging.pump import Pump
from worker.charging.write_back_queue import Answered
from worker.domain import lookup_evidence
from worker.domain.attempt import Attempt
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.outcomes import Declined, DeclineKind, Outcome, Unknown
from worker.domain.settlement import Settlement, settle
from worker.ledger import write_back
from worker.ledger.claiming import claim
from worker.ledger.queues import Wanted
from worker.portone import transport
from worker.portone.adapter import PortOneGateway
from worker.reconciliation import attempts
from worker.reconciliation.pre_send_check import PreSendCheck

_GUARDS = """WHERE a.merchant_uid = v.merchant_uid AND (
            (a.status IN ('started', 'unknown') AND a.sends = v.sends AND a.started_at = v.started_at)
            OR (v.attempt_status = 'paid' AND a.status IN ('started', 'unknown', 'not_charged')))"""
_CHARGE_GUARDS = (" AND c.status = 'charging'", " AND c.status IN ('due', 'charging', 'past_due', 'uncollectible')")


class EffectBeforeIntent(Pump):
    """Sends first, and commits the attempt together with its outcome."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_hand: set[int] = set()

    def _claim(self, wanted: Mapping[str, Wanted] | None) -> Claimed:
        claimed = [each for each in self._uncommitted(wanted) if each.charge.id not in self._in_hand]
        self._in_hand.update(each.charge.id for each in claimed)
        return Claimed(claimed, wanted or {})

    def _uncommitted(self, wanted: Mapping[str, Wanted] | None) -> list[Attempt]:
        limits, now = self._limits, self._clock()
        with self._sessions() as session:
            return claim(session, now=now, limit=limits.chunk, lease=limits.lease, prefix=limits.prefix, queues=wanted)

    def _write_back(self, batch: list[Answered]) -> None:
        committed = {each.charge.id: each for each in super()._claim(None).attempts}
        super()._write_back(
            [(committed[each.charge.id], outcome) for each, outcome in batch if each.charge.id in committed]
        )


class HastyWorker(WorkerProcess):
    pump = EffectBeforeIntent


def look_at_no_earlier_number(patch: pytest.MonkeyPatch) -> None:
    """Never look up a declined attempt again: that look-up would cover up the other breakages."""

    async def unseen(*_: Any) -> None:
        return None

    patch.setattr(PreSendCheck, "reason_not_to_send", unseen)


def trust_the_newest_record(patch: pytest.MonkeyPatch) -> None:
    """Believe the newest record of a merchant_uid, as PortOne's `find` endpoint would return it alone."""

    async def look_up(gateway: PortOneGateway, merchant_uid: str) -> Found | LookUpFailed:
        records = await gateway._client.find_all(merchant_uid)
        return Found(tuple(records[:1]))

    patch.setattr(PortOneGateway, "look_up", look_up)


def retry_while_unknown(patch: pytest.MonkeyPatch) -> None:
    """Treat "unknown" as a transient decline, after which the next attempt has a merchant_uid of its own."""
    look_at_no_earlier_number(patch)

    def hasty(attempt: Attempt, outcome: Outcome, **named: Any) -> Settlement:
        if isinstance(outcome, Unknown):
            outcome = Declined(DeclineKind.TRANSIENT, outcome.answer)
        return settle(attempt, outcome, **named)

    patch.setattr(charging, "settle", hasty)
    patch.setattr(attempts, "settle", hasty)


def write_back_without_guards(patch: pytest.MonkeyPatch) -> None:
    """Write back every answer, whatever has happened to its attempt meanwhile."""
    look_at_no_earlier_number(patch)
    sql = str(write_back._WRITE_BACK)
    assert _GUARDS in sql
    unguarded = sql.replace(_GUARDS, "WHERE a.merchant_uid = v.merchant_uid")
    for guard in _CHARGE_GUARDS:
        assert guard in unguarded
        unguarded = unguarded.replace(guard, "")
    patch.setattr(write_back, "_WRITE_BACK", text(unguarded))


def call_a_lost_connection_not_sent(patch: pytest.MonkeyPatch) -> None:
    """Treat a broken connection as one that was never made."""
    lost: dict[type[Exception], type[httpx.TransportError]] = dict.fromkeys(
        (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionError), httpx.ConnectError
    )
    table = tuple((theirs, lost.get(theirs, ours)) for theirs, ours in transport.AIOHTTP_ERRORS)
    patch.setattr(transport, "AIOHTTP_ERRORS", table)


def take_vague_words_for_a_decline(patch: pytest.MonkeyPatch) -> None:
    """Treat absence and an unknown rejection as a decline, whatever happened to the send before."""
    as_it_should = lookup_evidence.outcome_of_lookup

    def hasty(attempt: Attempt, finding: Any, **named: Any) -> Outcome:
        return as_it_should(replace(attempt, sends=1), finding, **named)

    patch.setattr(attempts, "outcome_of_lookup", hasty)


def judge_by_when_the_answer_was_read(patch: pytest.MonkeyPatch) -> None:
    """Treat a look-up's "not found" as current, however old it is."""
    as_it_should = lookup_evidence.outcome_of_lookup
    clocks: list[Any] = []
    look_up_and_settle = attempts._look_up_and_settle

    async def remembering(*given: Any) -> Any:
        clocks.append(given[4])
        return await look_up_and_settle(*given)

    def late(attempt: Attempt, finding: Any, **named: Any) -> Outcome:
        return as_it_should(attempt, finding, **{**named, "now": clocks[-1]()})

    patch.setattr(attempts, "_look_up_and_settle", remembering)
    patch.setattr(attempts, "outcome_of_lookup", late)
