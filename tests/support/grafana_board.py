"""The board of deploy/grafana/again.json: money first, then what waits, then the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24
BOTH = "pg, outcome"
WON, NUMBER, SECONDS, SHARE = "currencyKRW", "short", "s", "percentunit"


class Line(NamedTuple):
    query: str
    legend: str = ""


class Panel(NamedTuple):
    title: str
    unit: str
    lines: Sequence[Line]
    kind: str = "timeseries"
    width: int = 8
    above: float | None = None  # from here on it is red


def _day(name: str) -> str:
    return f"sum(increase({name}[24h]))"


def _rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}[5m]))"


def _quantile(share: float) -> str:
    return f"histogram_quantile({share}, sum by (pg, le) (rate(again_call_seconds_bucket[5m])))"


def _rows(*names: str) -> list[Line]:
    return [Line(f'again_status_rows{{row="{name}"}}', name) for name in names]


ROWS: Mapping[str, Sequence[Panel]] = {
    "Money": (
        Panel("Paid, last 24 hours", WON, [Line(_day("again_charges_paid_won_total"))], "stat", 6),
        Panel("Refunded, last 24 hours", WON, [Line(_day("again_refunded_won_total"))], "stat", 6),
        Panel("Given up, last 24 hours", WON, [Line(_day("again_charges_uncollectible_won_total"))], "stat", 6),
        Panel("Alarms", NUMBER, [Line('count(ALERTS{alertstate="firing"}) or vector(0)')], "stat", 6, above=1),
        Panel("Paid per hour", WON, [Line("sum by (pg) (increase(again_charges_paid_won_total[1h]))", "{{pg}}")]),
        Panel(
            "Declined per hour",
            NUMBER,
            [Line("sum by (pg, kind) (increase(again_attempts_declined_total[1h]))", "{{pg}} {{kind}}")],
        ),
        Panel(
            "Paid by declines before, last 7 days",
            NUMBER,
            [Line("sum by (declines) (increase(again_charges_paid_total[7d]))", "after {{declines}}")],
        ),
    ),
    "Calls": (
        Panel("Calls per second", NUMBER, [Line(_rate("again_call_seconds_count", BOTH), "{{pg}} {{outcome}}")]),
        Panel(
            "How long calls take", SECONDS, [Line(_quantile(0.5), "{{pg}} half"), Line(_quantile(0.99), "{{pg}} 99%")]
        ),
        Panel("Used of the day's limits", SHARE, [Line("again_limit_used_ratio", "{{pg}} {{limit}}")], above=0.8),
    ),
    "What waits": (
        Panel(
            "Due, in flight, unknown",
            NUMBER,
            [Line("again_due_charges", "{{pg}} due"), *_rows("in_flight", "abandoned", "unknown")],
        ),
        Panel(
            "Waits for",
            SECONDS,
            [
                Line("again_opening_wait_seconds", "to be opened"),
                Line("again_due_wait_seconds", "{{pg}} to be claimed"),
                Line('again_status_oldest_age_seconds{row="unknown"}', "to be known"),
                Line('again_status_oldest_age_seconds{row="refunding"}', "to be refunded"),
            ],
        ),
        Panel("Dunning", NUMBER, _rows("past_due", "waiting_for_key", "waiting_for_consent", "month_quota")),
        Panel("Needs a decision", NUMBER, _rows("needs_person", "waiting_for_approval"), "stat", above=1),
        Panel("Discrepancies", NUMBER, [Line("again_open_discrepancies", "{{kind}}")], above=1),
        Panel("Stopped, held, violated", NUMBER, [
            Line("again_stopped_scopes", "stopped"), Line("again_charging_held", "charging held"),
            Line("again_held_subscriptions", "held subscriptions"), Line("again_violated_invariants", "violated"),
        ], above=1),
        Panel("Held by the consent gate", NUMBER, [
            Line("again_gate_held_charges", "{{rule}}"),
            Line('increase(again_gate_releases_total{released_by="override"}[1d])', "overrides in a day"),
        ], width=24),
    ),
    "Parts and events": (
        Panel("Last seen", SECONDS, [Line("again_part_seen_age_seconds", "{{part}}")]),
        Panel("Events per second", NUMBER, [Line("topk(8, sum by (type) (rate(again_events_total[5m])))", "{{type}}")]),
        Panel("Not arrived", SECONDS, [
            Line("again_outbox_oldest_age_seconds", "not published"),
            Line("again_delivery_oldest_age_seconds", "{{destination}}"),
        ]),
    ),
}  # fmt: skip


def board() -> Mapping[str, Any]:
    """Return the board as Grafana reads it."""
    panels: list[Mapping[str, Any]] = []
    ids, top = count(1), 0
    for title, row in ROWS.items():
        panels.append(
            {"id": next(ids), "type": "row", "title": title, "gridPos": _place(0, top, COLUMNS, 1), "panels": []}
        )
        left, top = 0, top + 1
        for panel in row:
            height = 4 if panel.width == 6 else 8
            if left + panel.width > COLUMNS:
                left, top = 0, top + 8 if height == 8 and left > 0 and panels[-1]["gridPos"]["h"] == 8 else top + 4
            panels.append(_panel(next(ids), panel, _place(left, top, panel.width, height)))
            left += panel.width
        top += 8
    return {
        "uid": "again",
        "title": "Again",
        "tags": ["again"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "panels": panels,
    }


def _place(left: int, top: int, width: int, height: int) -> Mapping[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> Mapping[str, Any]:
    steps: list[Mapping[str, Any]] = [{"color": "green", "value": None}]
    if panel.above is not None:
        steps.append({"color": "red", "value": panel.above})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": DATASOURCE, "expr": line.query, "legendFormat": line.legend}
            for place, line in enumerate(panel.lines)
        ],
    }
