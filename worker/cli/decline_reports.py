"""`again declines unmatched` and `reclassify`: what has been declined, held against the rules as they are now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from worker.cli import console, declines, formats
from worker.cli.declines import Pg
from worker.cli.options import Json, Limit

app = declines.app

KOREA = "Asia/Seoul"

Days = Annotated[int, typer.Option(min=1, max=3660, help="How many days back.")]


@app.command()
def unmatched(days: Days = 30, pg: Pg = None, limit: Limit = 50, *, as_json: Json = False) -> None:
    """List the texts that no rule knew, the most frequent first, and what the rules as they are make of each."""
    from worker.cli.context import command_runtime
    from worker.operations import declines as held

    with command_runtime(as_json=as_json) as runtime:
        since = runtime.clock() - timedelta(days=days)
        found = held.unmatched(runtime.sessions, runtime.policy.rules, since=since, pg=pg)[:limit]
    if as_json:
        console.print_json([asdict(each) for each in found])
        return
    console.table(
        *("PG", "DECLINES", "LOOKED UP", "LAST", "TEXT", "NOW", "CHARGES"),
        right=("DECLINES", "LOOKED UP"),
        rows=[
            (
                each.pg,
                str(each.declines),
                str(each.looked_up),
                formats.local(each.last_at, KOREA),
                each.text,
                f"{each.now}{f' by {each.rule}' if each.rule else ''}",
                ", ".join(map(str, each.charges)),
            )
            for each in found
        ],
    )
    if any(each.rule is None for each in found):
        console.note("A rule of your own may say what they mean: see AGAIN_DECLINE_RULES and `again declines check`.")


@app.command()
def reclassify(days: Days = 30, pg: Pg = None, limit: Limit = 50, *, as_json: Json = False) -> None:
    """List declines that the rules as they are would decide otherwise, what waits on them, and what can be done.

    Nothing is changed: a decline is final, and so is its kind. What it has done is undone by the acts that are named.
    """
    from worker.cli.context import command_runtime
    from worker.operations import declines as held

    with command_runtime(as_json=as_json) as runtime:
        since = runtime.clock() - timedelta(days=days)
        found = held.decided_otherwise(runtime.sessions, runtime.policy.rules, since=since, pg=pg)[:limit]
    if as_json:
        console.print_json([asdict(each) for each in found])
        return
    console.table(
        *("PG", "DECLINES", "LAST", "TEXT", "WAS", "NOW", "WAIT", "GIVEN UP", "DEAD KEYS"),
        right=("DECLINES", "WAIT", "GIVEN UP", "DEAD KEYS"),
        rows=[
            (
                each.pg,
                str(each.declines),
                formats.local(each.last_at, KOREA),
                each.text,
                each.was.value,
                f"{each.now}{f' by {each.rule}' if each.rule else ''}",
                *(str(count) for count in (each.waiting, each.given_up, each.dead_keys)),
            )
            for each in found
        ],
    )
    for act in dict.fromkeys(act for each in found for act in each.acts):
        console.note(act)
