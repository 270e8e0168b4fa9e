"""The alarms: when what the metrics say is a trouble, and what to do. The rules of Prometheus are made of this.

Their numbers are those of `again status` and `again doctor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from worker.domain import alarm_limits as limits


class Severity(StrEnum):
    PAGE = "page"  # money is not collected, or may be wrong: at any hour
    TICKET = "ticket"  # on the next working day


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One rule of Prometheus: it fires when `expression` has held `after` so long."""

    name: str
    severity: Severity
    expression: str
    after: timedelta
    summary: str
    remedy: str


PAGE, TICKET = Severity.PAGE, Severity.TICKET
AT_ONCE, SOON, LATER = timedelta(0), timedelta(minutes=5), timedelta(hours=1)
WINDOW = f"{int(limits.DECLINE_WINDOW.total_seconds() // 60)}m"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f}"


def _older(row: str, than: timedelta) -> str:
    return f'again_status_oldest_age_seconds{{row="{row}"}} > {_seconds(than)}'


def _calls(window: str, outcome: str = "") -> str:
    wanted = f'outcome="{outcome}"' if outcome else 'outcome=~"paid|declined"'
    return f"sum by (pg) (increase(again_call_seconds_count{{{wanted}}}[{window}]))"


def _share(window: str) -> str:
    return f"({_calls(window, 'declined')} / {_calls(window)})"


# One that had no declined call before has no series of them, and so no share.
_USUAL_SHARE = f"({_share('7d')} or 0 * {_calls('7d')})"

ALARMS = (
    Alarm(
        name="AgainMetricsDown",
        severity=PAGE,
        expression='up{job="again"} == 0 or absent(up{job="again"})',
        after=SOON,
        summary="Nothing is known of Again: its metrics are not read.",
        remedy="Is `again metrics serve` running, and does the database answer? `again doctor database`",
    ),
    Alarm(
        name="AgainPartSilent",
        severity=PAGE,
        expression="again_part_seen_age_seconds > on (part) again_part_late_after_seconds",
        after=timedelta(minutes=1),
        summary="{{ $labels.part }} has not been seen for {{ $value | humanizeDuration }}.",
        remedy="`again doctor broker beat worker tasks`, then the log of beat or of the workers",
    ),
    Alarm(
        name="AgainStopped",
        severity=PAGE,
        expression="again_stopped == 1",
        after=AT_ONCE,
        summary="Charging is stopped: {{ $labels.scope }}.",
        remedy="`again doctor stops` says why; `again start` once the cause is gone",
    ),
    Alarm(
        name="AgainChargingHeld",
        severity=PAGE,
        expression="again_charging_held == 1",
        after=LATER,
        summary="Nothing is charged until PortOne's payments are compared with the records.",
        remedy="`again doctor sweeps` says what it waits for",
    ),
    Alarm(
        name="AgainInvariantViolated",
        severity=PAGE,
        expression="again_violated_rows > 0",
        after=AT_ONCE,
        summary="{{ $labels.invariant }} does not hold for {{ $value }} rows.",
        remedy="`again doctor invariants` says what it means and what to do first",
    ),
    Alarm(
        name="AgainDiscrepancyOpen",
        severity=TICKET,
        expression="again_open_discrepancies > 0",
        after=AT_ONCE,
        summary="PortOne and the records differ: {{ $value }} of kind {{ $labels.kind }} to be decided.",
        remedy="`again review list`",
    ),
    Alarm(
        name="AgainDueLate",
        severity=PAGE,
        expression=f"again_due_wait_seconds > {_seconds(limits.DUE_LATE)}",
        after=SOON,
        summary="{{ $labels.pg }}: a charge has waited for {{ $value | humanizeDuration }} to be claimed: a backlog.",
        remedy="`again doctor worker portone`; if all is well there, more workers",
    ),
    Alarm(
        name="AgainNothingCharged",
        severity=PAGE,
        expression="again_due_wait_seconds > 60 "
        "unless on (pg) (sum by (pg) (increase(again_call_seconds_count[15m])) > 0)",
        after=timedelta(minutes=10),
        summary="{{ $labels.pg }}: charges are due, and no call was answered in a quarter of an hour.",
        remedy="`again status`, then `again doctor beat worker portone`",
    ),
    Alarm(
        name="AgainOpeningLate",
        severity=PAGE,
        expression=f"again_opening_wait_seconds > {_seconds(limits.OPENING_LATE)}",
        after=SOON,
        summary="A period started {{ $value | humanizeDuration }} ago and has no charge yet.",
        remedy="`again doctor beat worker tasks`: does again.open_charges run?",
    ),
    Alarm(
        name="AgainUnknownLate",
        severity=PAGE,
        expression=_older("unknown", limits.UNKNOWN_LATE),
        after=AT_ONCE,
        summary="Whether an attempt was paid is not known since {{ $value | humanizeDuration }}.",
        remedy="`again doctor portone look-ups`; nothing is charged twice meanwhile",
    ),
    Alarm(
        name="AgainLookUpsFail",
        severity=TICKET,
        expression='again_status_rows{row="failing"} > 0',
        after=timedelta(minutes=30),
        summary="PortOne does not answer look-ups of {{ $value }} attempts.",
        remedy="`again doctor portone look-ups`",
    ),
    Alarm(
        name="AgainRefundLate",
        severity=TICKET,
        expression=_older("refunding", limits.REFUND_LATE),
        after=AT_ONCE,
        summary="A refund has been under way for {{ $value | humanizeDuration }}.",
        remedy="`again change list --status scheduled`, and `again doctor tasks`: does again.refunds run?",
    ),
    Alarm(
        name="AgainSweepLate",
        severity=TICKET,
        expression=f"again_sweep_age_seconds > {limits.SWEEP_LATE} * again_sweep_interval_seconds",
        after=AT_ONCE,
        summary="PortOne's payments were last compared with the records {{ $value | humanizeDuration }} ago.",
        remedy="`again doctor sweeps`",
    ),
    Alarm(
        name="AgainSweepFails",
        severity=TICKET,
        expression=f"again_sweep_failing_age_seconds > {_seconds(LATER)}",
        after=AT_ONCE,
        summary="PortOne's list of payments cannot be read for {{ $value | humanizeDuration }}.",
        remedy="`again doctor portone sweeps`",
    ),
    Alarm(
        name="AgainDeclinesJumped",
        severity=PAGE,
        expression=f"{_share(WINDOW)} - {_USUAL_SHARE} > {limits.DECLINES_JUMPED} "
        f"and {_calls(WINDOW)} >= {limits.DECLINES_TO_JUDGE}",
        after=SOON,
        summary="{{ $labels.pg }} declines {{ $value | humanizePercentage }} more of its calls than in the last week.",
        remedy="`again charge list`: which codes? `again stop PG` if the PG is at fault",
    ),
    Alarm(
        name="AgainLimitNear",
        severity=TICKET,
        expression=f"again_limit_used_ratio >= {limits.LIMIT_USED}",
        after=AT_ONCE,
        summary="{{ $labels.pg }} has used {{ $value | humanizePercentage }} of {{ $labels.limit }} today.",
        remedy="if that is right, raise AGAIN_MAX_DAY_CHARGES or AGAIN_MAX_DAY_SUM and restart the workers",
    ),
    Alarm(
        name="AgainRelayStuck",
        severity=PAGE,
        expression=f"again_outbox_oldest_age_seconds > {_seconds(limits.RELAY_LATE)}",
        after=AT_ONCE,
        summary="Changes of state have not been published for {{ $value | humanizeDuration }}.",
        remedy="`again doctor relay worker`: does again.relay run?",
    ),
    Alarm(
        name="AgainDestinationDisabled",
        severity=PAGE,
        expression="again_destination_disabled == 1",
        after=AT_ONCE,
        summary="{{ $labels.destination }} is disabled and gets no events.",
        remedy="`again doctor destinations` says since when, why, and how to send what it has missed",
    ),
    Alarm(
        name="AgainDeliveryLate",
        severity=TICKET,
        expression=f"again_delivery_oldest_age_seconds > {_seconds(limits.DELIVERY_LATE)} "
        "unless on (destination) again_destination_disabled == 1",
        after=AT_ONCE,
        summary="{{ $labels.destination }} has not got an event of {{ $value | humanizeDuration }} ago.",
        remedy="`again doctor destinations`, then the endpoint's own log",
    ),
)
