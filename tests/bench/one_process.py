"""Run ticks and commands in this process, and print the database time of each as JSON.

    python -m tests.bench.one_process CODE

Settings come from the environment, as in a worker; `CODE` is a subscription that look-ups ask for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from sqlalchemy import text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from schedules.beat import beat_table
from tests.bench.database_time import median_ms, recorded, rounds_of
from worker import process, tasks
from worker.app import app
from worker.cli.commands import app as again
from worker.ledger import charging_hold
from worker.runtime import Runtime

ROUNDS = 5
CHECK = "again.check_invariants"

_SILENCE = text("UPDATE database_identity SET seen_at = clock_timestamp() - interval '1 hour'")


def ticks() -> dict[str, float]:
    """Return the database time of each tick of beat's table, but of the check, while nothing is due."""
    names = [entry.task for entry in beat_table() if entry.task != CHECK]
    return {name: median_ms(app.tasks[name].apply, rounds=ROUNDS) for name in names}


def check_of_invariants() -> dict[str, float]:
    """Return the database time of the tick that checks the invariants, in all and of its slowest statement."""
    measured = rounds_of(app.tasks[CHECK].apply, rounds=ROUNDS)
    return {
        "ms": median(time.ms for time in measured),
        "slowest_ms": median(time.slowest_ms for time in measured),
        "statements": median(len(time.each_ms) for time in measured),
    }


def commands(code: str) -> dict[str, dict[str, float]]:
    """Return the database time of commands that list and look up: of the slowest statement, and of all of them.

    A command opens a connection, whose server process plans with empty caches: that is part of every statement.
    """
    customer, charge = f"customer-{int(code)}", str(int(code))
    lines: Sequence[Sequence[str]] = (
        ("status",),
        ("subscription", "list"),
        ("subscription", "list", "--customer", customer),
        ("subscription", "list", "--status", "active"),
        ("subscription", "list", "--status", "past_due"),
        ("subscription", "show", code),
        ("charge", "list"),
        ("charge", "list", "--status", "due"),
        ("charge", "list", "--subscription", code),
        ("charge", "show", charge),
        ("review", "list"),
        ("audit",),
    )
    measured = {f"again {_said(line)}": rounds_of(_command(line), rounds=3) for line in lines}
    return {
        "slowest": {name: median(time.slowest_ms for time in times) for name, times in measured.items()},
        "whole": {name: median(time.ms for time in times) for name, times in measured.items()},
    }


def _said(line: Sequence[str]) -> str:
    return " ".join("CODE" if word.isdigit() or word.startswith("customer-") else word for word in line)


def _command(line: Sequence[str]) -> Callable[[], object]:
    def invoked() -> object:
        result = CliRunner().invoke(again, list(line))
        if result.exit_code != 0:
            raise SystemExit(f"again {' '.join(line)} ended with {result.exit_code}: {result.output}")
        return result

    return invoked


def after_a_silence(runtime: Runtime) -> float:
    """Return the database time of the pump's first tick after a silence, which holds charging; released afterwards."""
    with Session(runtime.engine) as session, session.begin():
        session.execute(_SILENCE)
    with recorded() as time:
        tasks.charge.apply()
    with runtime.sessions.begin() as session:
        charging_hold.release(session, by="bench", reason="the benchmark goes on", now=runtime.clock())
    return time.ms


def measured(code: str) -> Mapping[str, object]:
    """Return everything that is measured, in milliseconds."""
    runtime = process.current().runtime
    runtime.sync_clock()

    def round_trip() -> None:
        with runtime.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    look_ups = commands(code)
    return {
        "round_trip": median_ms(round_trip, rounds=50),
        "ticks": ticks(),
        "invariants": check_of_invariants(),
        "after_a_silence": after_a_silence(runtime),
        "commands": look_ups["slowest"],
        "whole_commands": look_ups["whole"],
    }


if __name__ == "__main__":
    result = measured(sys.argv[1])
    print(json.dumps(result))
