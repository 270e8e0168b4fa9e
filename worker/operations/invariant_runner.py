"""Looking for what breaks an invariant: one statement each, which sees whole transactions only and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.operations.invariant_queries import QUERIES
from worker.operations.invariants import INVARIANTS, Invariant, Patience

MOST = 1000
"""Counting ends here: a thousand broken rows say as much as a million, and looking must stay cheap."""

EXAMPLES = 5

# Planned as if every row of it was wanted: with a limit PostgreSQL hopes to find enough soon, and there are none.
_FOUND = """
    WITH found AS MATERIALIZED ({query})
    SELECT count(*) AS found, coalesce((array_agg(id ORDER BY id) FILTER (WHERE id IS NOT NULL))[1:{examples}],
                                       '{{}}') AS examples
    FROM (SELECT id FROM found LIMIT {most}) broken
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold: of how many rows (MOST stands for that many or more), and ids of some."""

    invariant: Invariant
    count: int
    examples: tuple[int, ...]


def broken(
    session: Session, *, now: datetime, patience: Patience, invariants: Iterable[Invariant] = INVARIANTS
) -> list[Broken]:
    """Look at each invariant, and give those that do not hold."""
    parameters = _parameters(now, patience)
    found = []
    for invariant in invariants:
        query = text(_FOUND.format(query=QUERIES[invariant.name], most=MOST, examples=EXAMPLES))
        row = session.execute(query, parameters).one()
        if row.found:
            found.append(Broken(invariant, row.found, tuple(row.examples)))
    return found


def _parameters(now: datetime, patience: Patience) -> Mapping[str, Any]:
    """Give what the queries compare with: mostly the instants before which something should have been done."""
    since = ("opening", "claiming", "lease", "look_up", "difference", "sweep", "hold", "recent", "derived")
    return {
        "now": now,
        **{name: now - getattr(patience, name) for name in since},
        "ladder": now - patience.ladder,
        "clocks": patience.clocks,
        "missed": now - 2 * patience.sweep_every,
        "under_way": now - patience.sweep_every,
    }
