"""What must hold after a history with windows: one payment a period, nothing forgotten, nothing stuck, the keys right.

One period may be paid twice, and then an operator is asked: see point 5 of "Why payment windows never pay twice".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import Any

from schedules.periods import due_periods, first_start
from tests.simulation.engine.checks import FOR_A_PERSON, IN_FRONT_OF_A_PERSON, Period, period_of
from tests.simulation.engine.verdict import ROOM, Violation
from tests.simulation.windows.keys import wrong_keys
from tests.simulation.windows.world import WindowWorld
from worker.database.mapping import plan_of
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.merchant_uid import parse
from worker.domain.window_evidence import WINDOW_LIFE
from worker.operations.invariant_results import evaluate
from worker.operations.invariants import INVARIANTS

GIVEN_WITH_THE_SUBSCRIPTION = "key-"
"""Prefix of the customer_uid of a key that a subscription has started with: its customer saw no arrears."""

_MONEY = """
    SELECT p.number, p.merchant_uid, p.imp_uid, p.paid_at, p.charged, p.customer_uid, w.opened_at,
           (SELECT max(d.failed_at) FROM payments d
            WHERE d.merchant_uid = p.merchant_uid AND d.status = 'failed' AND d.customer_uid <> '') AS declined_at
    FROM payments p LEFT JOIN windows w USING (imp_uid) WHERE p.charged > 0 ORDER BY p.paid_at, p.number
"""
_CHARGES = """
    SELECT c.id, c.status, c.period_start, c.period_end, c.next_attempt_at, s.code, s.status AS subscription,
           k.status AS key_status, c.awaits_consent_since IS NOT NULL AS awaits_consent,
           EXISTS (SELECT FROM discrepancies d WHERE d.charge_id = c.id AND d.status = 'open') AS asked
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id LEFT JOIN billing_keys k ON k.id = s.billing_key_id
    ORDER BY c.id
"""
_SUBSCRIPTIONS = """
    SELECT s.code AS subscription, s.anchor_on, p.*
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id WHERE s.next_charge_at IS NOT NULL
"""
_DIFFERENCES = """
    SELECT d.id, d.kind, d.status, d.merchant_uid, d.imp_uid, a.flag_reason,
           c.status = 'void' OR s.status IN ('canceled', 'ended') AS not_owed, s.status = 'pending' AS waits
    FROM discrepancies d LEFT JOIN attempts a ON a.merchant_uid = d.merchant_uid
    LEFT JOIN charges c ON c.id = d.charge_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
    ORDER BY d.id
"""
_UNFINISHED = """
    SELECT 'checkout ' || id || ' is opened' FROM checkouts WHERE status = 'opened'
    UNION ALL SELECT 'webhook ' || id || ' waits' FROM webhooks WHERE next_lookup_at IS NOT NULL
    UNION ALL SELECT 'key ' || id || ' is to be deleted' FROM billing_keys WHERE forget_at <= :now
    UNION ALL SELECT 'sweep ' || id || ' holds charging' FROM sweeps WHERE finished_at IS NULL AND holds_claims
"""


class WindowVerdict:
    """One world, looked at when all is quiet."""

    def __init__(self, world: WindowWorld) -> None:
        self._world = world
        self._charges = world.sql(_CHARGES)
        self._discrepancies = world.sql(_DIFFERENCES)
        self._paid: dict[Period, list[Any]] = {}
        for row in world.sandbox.ledger.execute(_MONEY):
            self._paid.setdefault(period_of(row["merchant_uid"]), []).append(row)

    def problems(self) -> Iterator[str]:
        yield from self._paid_twice()
        yield from self._beyond_consent()
        yield from self._books_and_ledger()
        yield from self._forgotten()
        yield from self._stuck()
        yield from self._unexplained()
        yield from wrong_keys(self._world)
        yield from self._invariants()
        yield from (row[0] for row in self._world.sql(_UNFINISHED, now=self._world.now()))
        yield from (f"{each.name}: {trouble}" for each in self._world.workers for trouble in each.loop.troubles)

    def twice(self) -> Sequence[Period]:
        """List the periods that were paid more than once, which only ancient windows may have done."""
        return [period for period, paid in self._paid.items() if len(paid) > 1]

    def _paid_twice(self) -> Iterator[str]:
        for code, start in self.twice():
            paid = self._paid[code, start]
            said = f"paid {len(paid)} times: {code} for the period of {start} by {[_told(row) for row in paid]}"
            if sum(not self._is_ancient(row, paid) for row in paid) > 1:
                yield said
            elif sum(self._shows(row, DiscrepancyKind.PAID_TWICE) for row in paid) < len(paid) - 1:
                yield f"{said}, and nobody is told"
        for one, other in combinations(self._charges, 2):
            if one.code == other.code and _overlap(one, other):
                yield from self._both_paid(one, other)

    def _both_paid(self, *charges: Any) -> Iterator[str]:
        paid = [self._paid.get((charge.code, charge.period_start), []) for charge in charges]
        if all(paid) and not any(self._shows(row) for rows in paid for row in rows):
            yield f"paid for the same days: {[charge.id for charge in charges]} of {charges[0].code}"

    def _is_ancient(self, row: Any, paid: Sequence[Any]) -> bool:
        """Return whether a payment is the documented residue: in an old window, after a decline, and after the next."""
        agreed_at, number = self._world.agreed.get(row["merchant_uid"]), _number(row)
        if row["opened_at"] is None or agreed_at is None or row["declined_at"] is None:
            return False
        paid_at = row["paid_at"] - self._world.instant(0).timestamp()
        later = [each for each in paid if _number(each) > number and each["paid_at"] <= row["paid_at"]]
        return paid_at - agreed_at >= WINDOW_LIFE.total_seconds() and bool(later)

    def _beyond_consent(self) -> Iterator[str]:
        """Hold what each new key was charged with for started periods against what a page or a command had said."""
        by_key: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
        for (code, start), rows in self._paid.items():
            for row in rows:
                if row["opened_at"] is None and not row["customer_uid"].startswith(GIVEN_WITH_THE_SUBSCRIPTION):
                    by_key.setdefault((code, row["customer_uid"]), []).append((start, row["charged"]))
        for (code, _), charged in by_key.items():
            said = [(at, amount) for promised, at, amount in self._world.promises if promised == code]
            sums = [(sum(won for start, won in charged if start <= at), amount) for at, amount in said]
            if all(won > amount for won, amount in sums):
                yield f"beyond consent: {code} was charged {[won for won, _ in sums]}, and {said} was agreed to"

    def _books_and_ledger(self) -> Iterator[str]:
        here = {(row.code, row.period_start) for row in self._charges if row.status == "paid"}
        for code, start in sorted(here - self._paid.keys()):
            yield f"paid here and not there: {code} for the period of {start}"
        for period in sorted(self._paid.keys() - here):
            if not all(self._shows(row) for row in self._paid[period]):
                yield f"paid there and not here: {period[0]} for the period of {period[1]}"

    def _shows(self, row: Any, *kinds: DiscrepancyKind) -> bool:
        """Return whether an operator is asked about a payment, or about its merchant_uid."""
        return any(
            each.kind in (kinds or FOR_A_PERSON)
            and each.status in IN_FRONT_OF_A_PERSON
            and (each.merchant_uid, each.imp_uid) in {(row["merchant_uid"], row["imp_uid"]), (row["merchant_uid"], "")}
            for each in self._discrepancies
        )

    def _forgotten(self) -> Iterator[str]:
        world = self._world
        for row in world.sql(_SUBSCRIPTIONS):
            have = {charge.period_start: charge.status for charge in self._charges if charge.code == row.subscription}
            plan = plan_of(row)
            opening = due_periods(
                plan, row.anchor_on, next_charge_at=first_start(plan, row.anchor_on), now=world.now() - ROOM, cap=1000
            )
            due = {period.start for period in (*opening.open, *opening.void)}
            forgotten = {start for start in due - have.keys() if not self._was_paused(row.subscription, start)}
            invented = {start for start in have.keys() - due if have[start] != "void" and start < world.now() - ROOM}
            if forgotten or invented:
                yield f"{row.subscription}: forgotten {sorted(forgotten)}, invented {sorted(invented)}"

    def _was_paused(self, code: str, start: Any) -> bool:
        pauses = [(since, until) for paused, since, until in self._world.pauses if paused == code]
        return any(since < start and (until is None or start <= until) for since, until in pauses)

    def _stuck(self) -> Iterator[str]:
        for row in self._charges:
            over = row.status in ("paid", "uncollectible", "void")
            # A dead key, and a subscription that rests, are visible; so is the calendar's next day.
            waits = row.key_status != "active" or row.subscription in ("pending", "paused")
            waits = waits or row.awaits_consent
            waits = waits or (row.next_attempt_at is not None and row.next_attempt_at > self._world.now())
            if not (over or row.asked or (row.status in ("due", "past_due") and waits)):
                yield f"stuck: charge {row.id} of {row.code} is {row.status}, next attempt {row.next_attempt_at}"
            if row.status == "paid" and row.subscription == "pending" and not row.asked:
                yield f"paid for nothing: {row.code} has paid charge {row.id}, and waits for a key"

    def _unexplained(self) -> Iterator[str]:
        """Look for discrepancies that ask an operator about nothing that has happened."""
        codes = {row.code for row in self._world.sql("SELECT code FROM subscriptions")}
        for row in self._discrepancies:
            parts = parse(row.merchant_uid)
            paid = self._paid.get(period_of(row.merchant_uid), []) if parts else []
            ours = [each for each in paid if each["merchant_uid"] == row.merchant_uid]
            explained = {
                # Where PortOne takes no merchant_uid again, it tells nothing of a window that was left either.
                DiscrepancyKind.UNRESOLVED: str(row.flag_reason).startswith("still duplicate"),
                DiscrepancyKind.PAID_TWICE: len(paid) > 1,
                DiscrepancyKind.NOT_BEGUN: row.waits and bool(ours),
                DiscrepancyKind.NOT_OWED: row.not_owed and bool(ours),
                DiscrepancyKind.NOT_IN_RECORDS: parts is not None
                and (parts.subscription_code not in codes or bool(ours)),
            }
            if row.status == DiscrepancyStatus.OPEN and not explained.get(DiscrepancyKind(row.kind), False):
                yield f"open without a reason: {row.kind} of {row.merchant_uid}, {row.imp_uid or row.flag_reason}"

    def _invariants(self) -> Iterator[str]:
        world = self._world
        ours = [each for each in INVARIANTS if each.name != "discrepancy_is_decided_within_a_week"]
        thresholds = replace(world.thresholds, sweep_every=world.statement_policy.every)
        with world.sessions() as session:
            for each in evaluate(session, now=world.now(), thresholds=thresholds, invariants=ours):
                yield f"invariant: {each.invariant.name}, {each.invariant.about} {each.examples}"


def judge_windows(world: WindowWorld) -> int:
    """Raise Violation with everything that does not hold; returns how many periods the residue has paid twice."""
    verdict = WindowVerdict(world)
    if problems := list(verdict.problems()):
        raise Violation("\n".join([*problems, *world.struck, *dict.fromkeys(world.failed_ticks)]))
    return len(verdict.twice())


def _overlap(one: Any, other: Any) -> bool:
    return bool(one.period_start < other.period_end and other.period_start < one.period_end)


def _number(row: Any) -> int:
    parts = parse(row["merchant_uid"])
    assert parts is not None
    return parts.number


def _told(row: Any) -> str:
    return f"{row['merchant_uid'][-3:]} {'in a window' if row['opened_at'] else 'by us'}"
