"""Every metric: its name, its type, its labels and what it says. docs/metrics.md is made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. A counter's name is without `_total`, which its samples have."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


_GAUGE, _COUNTER = Kind.GAUGE, Kind.COUNTER

STATE: Mapping[str, Family] = {
    "again_info": Family(_GAUGE, "Always 1; the version, and whether real money moves.", ("version", "mode")),
    "again_status_rows": Family(_GAUGE, "The counts of `again status`, by its names of rows.", ("row",)),
    "again_status_oldest_age_seconds": Family(
        _GAUGE, "How old the oldest is of what `again status` counts; 0 where there is none.", ("row",)
    ),
    "again_due_charges": Family(
        _GAUGE, "Charges that have come due, by PG, 10,000 at most; of stopped plans, none.", ("pg",)
    ),
    "again_due_wait_seconds": Family(
        _GAUGE,
        "For how long a charge has waited that nothing keeps from being claimed; 0 where there is none, as while its "
        "PG is stopped.",
        ("pg",),
    ),
    "again_opening_wait_seconds": Family(
        _GAUGE, "For how long a period has started that has no charge yet; 0 where there is none."
    ),
    "again_unknown_attempts": Family(
        _GAUGE, "Attempts whose outcome is unknown, flagged ones included, by how long ago they were sent.", ("age",)
    ),
    "again_stopped": Family(
        _GAUGE, "1 for each scope that the kill switch stops: `all`, a PG, or `plan:CODE`.", ("scope",)
    ),
    "again_stopped_scopes": Family(_GAUGE, "How many scopes are stopped."),
    "again_held_subscriptions": Family(_GAUGE, "Subscriptions that are held until an operator releases them."),
    "again_gate_held_charges": Family(
        _GAUGE,
        "Charges that the consent gate holds, by each rule that they lack something by, 10,000 charges at most.",
        ("rule",),
    ),
    "again_charging_held": Family(
        _GAUGE, "1 while nothing is charged until PortOne's payments are compared with the records."
    ),
    "again_open_discrepancies": Family(_GAUGE, "Discrepancies that an operator has to decide.", ("kind",)),
    "again_violated_invariants": Family(_GAUGE, "Invariants that did not hold at their last check."),
    "again_violated_rows": Family(_GAUGE, "Rows that break an invariant.", ("invariant",)),
    "again_sweep_age_seconds": Family(
        _GAUGE, "Since the last daily comparison with PortOne was completed; absent until there was one."
    ),
    "again_sweep_interval_seconds": Family(_GAUGE, "`AGAIN_SWEEP_EVERY_SECONDS`: how often there is to be one."),
    "again_sweep_failing_age_seconds": Family(
        _GAUGE, "For how long PortOne's list of payments could not be read; 0 while it can."
    ),
    "again_limit_used_ratio": Family(
        _GAUGE, "How much of a day's charge limit is used today in Seoul; 1 is all of it.", ("pg", "limit")
    ),
    "again_part_seen_age_seconds": Family(
        _GAUGE, "Since beat, or a task, was last seen; +Inf if never, though it should have been.", ("part",)
    ),
    "again_part_late_after_seconds": Family(_GAUGE, "From which age on a part counts as down.", ("part",)),
    "again_outbox_rows": Family(_GAUGE, "Changes of state that are no events yet, 10,000 at most."),
    "again_outbox_oldest_age_seconds": Family(_GAUGE, "How old the oldest of them is; the lag of the relay."),
    "again_deliveries_waiting": Family(
        _GAUGE, "Events that a destination has not got yet, 10,000 at most.", ("destination",)
    ),
    "again_delivery_oldest_age_seconds": Family(
        _GAUGE, "How old the oldest event is that a destination has not got yet.", ("destination",)
    ),
    "again_destination_disabled": Family(_GAUGE, "1 for a destination that is disabled.", ("destination",)),
    "again_destination_failing_age_seconds": Family(
        _GAUGE, "For how long a destination has taken nothing; 0 for one that is well.", ("destination",)
    ),
}

TOTALS: Mapping[str, Family] = {
    "again_charges_paid": Family(
        _COUNTER,
        "Charges that were paid, by PG (`elsewhere`: not through PortOne; `nothing`: nothing was to be paid) and by "
        "how many declines came before: what dunning has recovered, step by step.",
        ("pg", "declines"),
    ),
    "again_charges_paid_won": Family(_COUNTER, "Their sum.", ("pg", "declines")),
    "again_attempts_declined": Family(_COUNTER, "Attempts that were declined, by the kind of decline.", ("pg", "kind")),
    "again_attempts_declined_won": Family(_COUNTER, "What these attempts were to collect.", ("pg", "kind")),
    "again_charges_uncollectible": Family(
        _COUNTER, "Charges that were given up, by how many declines came before.", ("declines",)
    ),
    "again_charges_uncollectible_won": Family(_COUNTER, "Their sum.", ("declines",)),
    "again_charges_void": Family(_COUNTER, "Charges that are not owed."),
    "again_charges_void_won": Family(_COUNTER, "Their sum."),
    "again_refunds": Family(_COUNTER, "Times that PortOne has shown more of a payment as refunded than before."),
    "again_refunded_won": Family(_COUNTER, "What was refunded."),
    "again_gate_releases": Family(
        _COUNTER,
        "Charges that the consent gate has held and that are free again, by how: `override` is an operator's decision.",
        ("released_by",),
    ),
    "again_events": Family(_COUNTER, "Events, by type: docs/events.md says what each means.", ("type",)),
}

CALLS: Mapping[str, Family] = {
    "again_call_seconds": Family(
        Kind.HISTOGRAM,
        "How long charge calls to PortOne took, from request to answer, by PG and by what came of them: `paid`, "
        "`declined`, `unknown` or `not_charged`. Its count is how many there were.",
        ("pg", "outcome"),
    ),
}

OWN: Mapping[str, Family] = {
    "again_counts_age_seconds": Family(
        _GAUGE,
        "How old `again_status_rows` are: of what moves (`to_open`, `due`, `in_flight`, `abandoned`, `unknown`, "
        "`failing`, `waiting_for_consent`, `held_by_gate`, `refunding`, `waiting_for_approval`), and of what is "
        "standing.",
        ("kind",),
    ),
    "again_read_seconds": Family(_GAUGE, "How long the last reading of everything else has taken."),
}

FAMILIES: Mapping[str, Family] = {**STATE, **TOTALS, **CALLS, **OWN}


def sample_names() -> frozenset[str]:
    """Return the names of all samples, as queries use them."""
    suffixes = {Kind.GAUGE: ("",), Kind.COUNTER: ("_total",), Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
    return frozenset(name + suffix for name, family in FAMILIES.items() for suffix in suffixes[family.kind])
