"""How statements over batches are planned: by the indexes of the rows they name, whatever the statistics say.

Statistics may be those from before 600,000 charges were opened. A claim that was planned by them read 60 million rows.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

OFF = ("enable_sort", "enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
"""What a batch of a few hundred rows never needs. To compile a plan that looks expensive takes longer than its run."""

_OFF = text("SELECT " + ", ".join(f"set_config('{name}', 'off', true)" for name in OFF))


def plan_by_index(session: Session) -> None:
    """Let the statements of this transaction be nested loops over indexes, as far as there are any.

    A partial index is one too: where it is read from end to end because its condition is in the statement, the
    statement has to hide that (`(status IN (...)) IS TRUE`).
    """
    session.execute(_OFF)
