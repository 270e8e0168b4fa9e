"""Metrics and alarms as files: `python -m tests.support.monitoring_files` writes their page, rules and board."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support import grafana_board
from worker.metrics.alarms import ALARMS, Alarm
from worker.metrics.families import CALLS, OWN, STATE, TOTALS, Family, Kind

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
RULES = ROOT / "deploy" / "prometheus" / "again.rules.yml"
BOARD = ROOT / "deploy" / "grafana" / "again.json"
MARK = "<!-- What follows is made of the code: python -m tests.support.monitoring_files -->\n"
HEAD = "# Made of worker/metrics/alarms.py: python -m tests.support.monitoring_files\n"

SECTIONS: Mapping[str, Mapping[str, Family]] = {
    "What is going on": STATE,
    "Running totals": TOTALS,
    "Calls": CALLS,
    "The metrics themselves": OWN,
}


def files() -> Mapping[Path, str]:
    """Return every file as it is to be."""
    return {
        PAGE: PAGE.read_text().partition(MARK)[0] + MARK + "".join(_page()),
        RULES: HEAD + "".join(_rules()),
        BOARD: json.dumps(grafana_board.board(), indent=2, ensure_ascii=False) + "\n",
    }


def _page() -> Iterator[str]:
    for title, families in SECTIONS.items():
        yield f"\n## {title}\n\n| metric | type | labels | what it says |\n|---|---|---|---|\n"
        for name, family in families.items():
            shown = f"{name}_total" if family.kind is Kind.COUNTER else name
            labels = ", ".join(f"`{label}`" for label in family.labels)
            yield f"| `{shown}` | {family.kind} | {labels} | {family.help} |\n"
    yield "\n## Alarms\n\n| alarm | severity | when | what to do |\n|---|---|---|---|\n"
    for alarm in ALARMS:
        yield f"| `{alarm.name}` | {alarm.severity} | {_when(alarm)} | {alarm.remedy} |\n"


def _when(alarm: Alarm) -> str:
    expression = alarm.expression.replace("|", "\\|")
    return f"`{expression}`" + (f" for {_span(alarm)}" if alarm.after else "")


def _span(alarm: Alarm) -> str:
    return f"{alarm.after.total_seconds() / 60:.0f}m"


def _rules() -> Iterator[str]:
    yield "groups:\n  - name: again\n    rules:\n"
    for alarm in ALARMS:
        yield f"      - alert: {alarm.name}\n"
        yield f"        expr: {json.dumps(alarm.expression)}\n"
        if alarm.after:
            yield f"        for: {_span(alarm)}\n"
        yield f"        labels: {{ severity: {alarm.severity} }}\n"
        yield "        annotations:\n"
        yield f"          summary: {json.dumps(alarm.summary)}\n"
        yield f"          remedy: {json.dumps(alarm.remedy)}\n"


def write() -> None:
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def queries(document: Any) -> Iterator[str]:
    """Return every query of a board."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


if __name__ == "__main__":
    write()
