"""From what was read to samples: pure, so that each number can be held against what `again status` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf
from typing import NamedTuple

from worker.domain.charge_limits import ChargeLimits
from worker.domain.events.types import EventType
from worker.ledger.call_totals import BOUNDS, CallTotal
from worker.ledger.event_totals import EventTotal
from worker.metrics.readings import Readings


class Sample(NamedTuple):
    """One value of a metric, with the values of its labels in their order."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the settings say that the readings are held against. `early` are the parts that run within minutes."""

    version: str
    limits: ChargeLimits
    sweep_every: timedelta
    late_after: Mapping[str, timedelta]
    early: frozenset[str]


def samples(readings: Readings, expected: Expected) -> Iterator[Sample]:
    """Return every sample but the histogram's."""
    yield Sample("again_info", (expected.version, readings.mode), 1)
    yield from _status(readings)
    yield from _troubles(readings, expected)
    yield from _limits(readings, expected.limits)
    yield from _parts(readings, expected)
    yield from _relay(readings)
    for total in readings.events:
        yield from _event_total(total)
    for kind, at in readings.counted_at.items():
        yield Sample("again_counts_age_seconds", (kind,), _age(at, readings.now))


def buckets(total: CallTotal) -> list[tuple[str, float]]:
    """Return the buckets of a histogram: by upper bound, how many calls took no longer."""
    bounds = [*map(str, BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(total.calls)), strict=True))


def _age(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max((now - at).total_seconds(), 0.0)


def _status(readings: Readings) -> Iterator[Sample]:
    for row, found in sorted(readings.counts.items()):
        yield Sample("again_status_rows", (row,), found.count)
        yield Sample("again_status_oldest_age_seconds", (row,), _age(found.oldest_at, readings.now))
    for queue in readings.queues:
        yield Sample("again_due_charges", (queue.pg,), queue.due)
        yield Sample("again_due_wait_seconds", (queue.pg,), queue.waited(readings.now).total_seconds())
    yield Sample("again_opening_wait_seconds", (), _age(readings.opening_waits_since, readings.now))
    for age, count in readings.unknown.items():
        yield Sample("again_unknown_attempts", (age,), count)


def _troubles(readings: Readings, expected: Expected) -> Iterator[Sample]:
    now = readings.now
    for stop in readings.stopped:
        yield Sample("again_stopped", (stop.scope,), 1)
    yield Sample("again_stopped_scopes", (), len(readings.stopped))
    yield Sample("again_held_subscriptions", (), readings.held)
    for rule, count in readings.held_by_gate.items():
        yield Sample("again_gate_held_charges", (rule,), count)
    yield Sample("again_charging_held", (), float(readings.holding is not None))
    for kind, count in sorted(readings.discrepancies.items()):
        yield Sample("again_open_discrepancies", (kind,), count)
    yield Sample("again_violated_invariants", (), len(readings.violations))
    for violation in readings.violations:
        yield Sample("again_violated_rows", (violation.name,), violation.count)
    if readings.daily is not None:
        yield Sample("again_sweep_age_seconds", (), _age(readings.daily.finished_at, now))
    yield Sample("again_sweep_interval_seconds", (), expected.sweep_every.total_seconds())
    failing = None if readings.failing is None else readings.failing.failing_since
    yield Sample("again_sweep_failing_age_seconds", (), _age(failing, now))


def _limits(readings: Readings, limits: ChargeLimits) -> Iterator[Sample]:
    for used in readings.used:
        yield Sample("again_limit_used_ratio", (used.pg, "day_charges"), used.charges / limits.day_charges)
        yield Sample("again_limit_used_ratio", (used.pg, "day_sum"), used.amount / limits.day_sum)


def _parts(readings: Readings, expected: Expected) -> Iterator[Sample]:
    for part, late_after in expected.late_after.items():
        seen_at = readings.seen.get(part)
        if seen_at is not None or part in expected.early:
            age = inf if seen_at is None else _age(seen_at, readings.now)
            yield Sample("again_part_seen_age_seconds", (part,), age)
        yield Sample("again_part_late_after_seconds", (part,), late_after.total_seconds())


def _relay(readings: Readings) -> Iterator[Sample]:
    lag, now = readings.relay, readings.now
    yield Sample("again_outbox_rows", (), lag.unpublished)
    yield Sample("again_outbox_oldest_age_seconds", (), lag.behind(now).total_seconds())
    for each in lag.destinations:
        label = (each.name,)
        yield Sample("again_deliveries_waiting", label, each.waiting)
        yield Sample("again_delivery_oldest_age_seconds", label, _age(each.oldest_at, now))
        yield Sample("again_destination_disabled", label, float(each.is_disabled))
        yield Sample("again_destination_failing_age_seconds", label, _age(each.failing_since, now))


def _event_total(total: EventTotal) -> Iterator[Sample]:
    """Return a total among all events, and as what its type is about."""
    kind, pg, what = total.label
    yield Sample("again_events", (kind,), total.events)
    names: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
        EventType.CHARGE_PAID: ("again_charges_paid", "again_charges_paid_won", (pg, what)),
        EventType.CHARGE_DECLINED: ("again_attempts_declined", "again_attempts_declined_won", (pg, what)),
        EventType.CHARGE_UNCOLLECTIBLE: ("again_charges_uncollectible", "again_charges_uncollectible_won", (what,)),
        EventType.CHARGE_VOIDED: ("again_charges_void", "again_charges_void_won", ()),
        EventType.CHARGE_REFUNDED: ("again_refunds", "again_refunded_won", ()),
    }
    if kind == EventType.CHARGE_RELEASED:
        yield Sample("again_gate_releases", (what,), total.events)
    if kind in names:
        count, amount, labels = names[kind]
        yield Sample(count, labels, total.events)
        yield Sample(amount, labels, total.amount)
