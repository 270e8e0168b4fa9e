"""Run ticks, invariants and commands in this process, and print the database time of each as JSON.

    python -m tests.bench.one_process CODE

Settings come from the environment, as in a worker; `CODE` is a subscription that look-ups ask for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from schedules.beat import beat_table
from tests.bench.database_time import median_ms, recorded
from worker import process, tasks
from worker.app import app
from worker.cli.commands import app as again
from worker.ledger import charging_hold
from worker.operations.invariant_results import evaluate
from worker.operations.invariants import INVARIANTS
from worker.runtime import Runtime

ROUNDS = 5

_SILENCE = text("UPDATE database_identity SET seen_at = clock_timestamp() - interval '1 hour'")


def ticks() -> dict[str, float]:
    """Return the database time of each tick of beat's table while nothing is due."""
    return {entry.task: median_ms(app.tasks[entry.task].apply, rounds=ROUNDS) for entry in beat_table()}


def _without_invariants(measured: Mapping[str, float]) -> Mapping[str, float]:
    return {task: ms for task, ms in measured.items() if task != tasks.check_invariants.name}


def invariants(runtime: Runtime) -> dict[str, float]:
    """Return the database time of each invariant by itself."""

    def evaluated(invariant: object) -> Callable[[], object]:
        def evaluation() -> object:
            with runtime.sessions() as session:
                return evaluate(
                    session,
                    now=runtime.clock(),
                    thresholds=runtime.thresholds,
                    invariants=[invariant],  # type: ignore[list-item]
                )

        return evaluation

    return {each.name: median_ms(evaluated(each), rounds=2) for each in INVARIANTS}


def commands(code: str) -> dict[str, float]:
    """Return the database time of commands that list and look up."""
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
    return {f"again {_said(line)}": median_ms(_command(line), rounds=3) for line in lines}


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

    ms = ticks()
    return {
        "round_trip": median_ms(round_trip, rounds=50),
        "ticks": _without_invariants(ms),
        "check_invariants": ms[tasks.check_invariants.name],
        "after_a_silence": after_a_silence(runtime),
        "invariants": invariants(runtime),
        "commands": commands(code),
    }


if __name__ == "__main__":
    result = measured(sys.argv[1])
    print(json.dumps(result))
