"""What must hold for discrepancies, statement reconciliation and invariants at the end of a history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.simulation.engine.world import World
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.merchant_uid import MerchantUid, parse
from worker.operations.invariant_results import evaluate
from worker.operations.invariants import INVARIANTS

Period = tuple[str, datetime]

_DIFFERENCES = """
    SELECT d.kind, d.status, d.merchant_uid, d.imp_uid, c.status AS charge,
           EXISTS (SELECT FROM attempts a WHERE a.merchant_uid = d.merchant_uid AND a.flagged_at IS NOT NULL) AS flagged
    FROM discrepancies d LEFT JOIN charges c ON c.id = d.charge_id ORDER BY d.id
"""
_LINKED_WRONGLY = """
    SELECT d.id
    FROM discrepancies d JOIN charges c ON c.id = d.charge_id JOIN subscriptions s ON s.id = c.subscription_id
    WHERE substring(d.merchant_uid FROM '[A-Z0-9]{13}') <> s.code
"""
_UNFINISHED = "SELECT id, reason, until FROM sweeps WHERE finished_at IS NULL AND holds_claims"
_LINEAGE = "SELECT identity = current_identity() AS ours FROM database_identity"

FOR_A_PERSON = (
    *(DiscrepancyKind.PAID_TWICE, DiscrepancyKind.NOT_OWED, DiscrepancyKind.UNRESOLVED),
    DiscrepancyKind.NOT_IN_RECORDS,
)
IN_FRONT_OF_A_PERSON = (DiscrepancyStatus.OPEN, DiscrepancyStatus.RESOLVED)


def period_of(merchant_uid: str) -> Period:
    parts = parse(merchant_uid)
    assert isinstance(parts, MerchantUid), f"{merchant_uid} is not ours"
    return parts.subscription_code, parts.period_start


def payments(world: World) -> Mapping[Period, Sequence[Any]]:
    """Return the payments in which money really moved, by the sandbox's ledger, for each billing period."""
    paid: dict[Period, list[Any]] = defaultdict(list)
    for row in world.sandbox.ledger.execute("SELECT merchant_uid, imp_uid, started_at FROM payments WHERE charged > 0"):
        paid[period_of(row["merchant_uid"])].append(row)
    return paid


def shown(world: World) -> set[tuple[str, str]]:
    """Return what an operator is asked about, or has decided: merchant_uids, or imp_uids where one payment is meant."""
    rows = [row for row in world.sql(_DIFFERENCES) if row.status in IN_FRONT_OF_A_PERSON and row.kind in FOR_A_PERSON]
    return {(row.merchant_uid, row.imp_uid) for row in rows}


def problems(world: World) -> Iterator[str]:
    """Return what does not hold."""
    if world.hold_policy is None:
        return
    yield from _unexplained(world)
    yield from (f"sweep {row.id} ({row.reason}) holds charging until {row.until}" for row in world.sql(_UNFINISHED))
    if not world.sql(_LINEAGE)[0].ours:
        yield "nobody has noticed that the database is a copy"
    yield from (f"discrepancy {row.id} is linked to another subscription" for row in world.sql(_LINKED_WRONGLY))
    # How soon an operator decides is not part of the history.
    ours = [each for each in INVARIANTS if each.name != "discrepancy_is_decided_within_a_week"]
    thresholds = replace(world.thresholds, sweep_every=world.statement_policy.every)
    with world.sessions() as session:
        for each in evaluate(session, now=world.database_now(), thresholds=thresholds, invariants=ours):
            yield f"invariant: {each.invariant.name}, {each.invariant.about} {each.examples}"


def _unexplained(world: World) -> Iterator[str]:
    """Return the open discrepancies for which nothing in this history needs an operator's decision."""
    paid = payments(world)
    codes = {row.code for row in world.sql("SELECT code FROM subscriptions")}
    for row in world.sql(_DIFFERENCES):
        period = period_of(row.merchant_uid)
        explained = {
            DiscrepancyKind.UNRESOLVED: row.flagged,
            DiscrepancyKind.PAID_TWICE: len(paid[period]) > 1,
            DiscrepancyKind.NOT_OWED: row.charge == "void" and row.imp_uid in world.corrected,
            DiscrepancyKind.NOT_IN_RECORDS: period[0] not in codes,
        }
        if row.status == DiscrepancyStatus.OPEN and not explained.get(DiscrepancyKind(row.kind), False):
            yield f"open without a reason: {row.kind} of {row.merchant_uid}, {row.imp_uid}"
