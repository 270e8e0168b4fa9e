"""What the consent gate will hold of the charges to come, judged before they are opened: by its rules, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from schedules.plans import GateMode
from worker.domain.consent_gate.facts import verdict
from worker.forecast.asked import Asked
from worker.forecast.queries import ComingGroup
from worker.ledger import gate_facts
from worker.ledger.gate_facts import ComingPeriod


def held_by_gate(session: Session, groups: Sequence[ComingGroup], asked: Asked) -> frozenset[int]:
    """Return the subscriptions whose next charge the gate will hold when it is opened, by their ids."""
    at = {
        each: group.due.next_charge_at for group in groups if _may_be_held(group, asked.gate) for each in group.due.ids
    }
    if not at:
        return frozenset()
    coming = [
        ComingPeriod(each, group.due.next_charge_at, group.due.line.amount)
        for group in groups
        for each in group.due.ids
        if each in at
    ]
    found = gate_facts.read_coming(session, coming, asked.gate)
    return frozenset(
        each for each, gated in found.items() if verdict(gated.facts, gated.mode, now=max(at[each], asked.now)).is_held
    )


def without(group: ComingGroup, held: frozenset[int]) -> tuple[ComingGroup | None, Sequence[str]]:
    """Return a group without the subscriptions that are held, if any is left, and the codes of these."""
    pairs = list(zip(group.due.ids, group.codes, strict=True))
    codes = [code for each, code in pairs if each in held]
    if not codes:
        return group, ()
    left = [(each, code) for each, code in pairs if each not in held]
    if not left:
        return None, codes
    due = replace(group.due, ids=[each for each, _ in left])
    return replace(group, due=due, codes=[code for _, code in left]), codes


def is_strict(group: ComingGroup, mode: GateMode) -> bool:
    return (mode if group.due.gate is None else GateMode(group.due.gate)) is GateMode.STRICT


def _may_be_held(group: ComingGroup, mode: GateMode) -> bool:
    before = group.regular_before
    return is_strict(group, mode) and (before is None or group.was_free or group.due.line.amount > before)
