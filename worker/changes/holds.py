"""Changes while charging is held: our records may have forgotten payments, and what was asked for since a backup."""

from __future__ import annotations

from sqlalchemy.orm import Session

from worker.domain.changes import ChangeKind
from worker.domain.errors import RefusalCode, Refused
from worker.ledger.database_identity import is_held

LESSENS = frozenset(
    {
        ChangeKind.CANCEL,
        ChangeKind.PAUSE,
        ChangeKind.POSTPONE,
        ChangeKind.VOID,
        ChangeKind.WRITE_OFF,
        ChangeKind.PAID_ELSEWHERE,
    }
)
"""The kinds after which less is charged: they are done at once, and at the time of the hold too."""


def require_no_hold(session: Session, kind: ChangeKind, *, moves_money: bool) -> None:
    """Raise Refused for what would charge or refund more on records that are in doubt."""
    if (kind not in LESSENS or moves_money) and is_held(session):
        raise Refused(
            "Charging is held until PortOne's payments were compared with our records, and nothing is done that "
            "charges more or refunds: try again once `again status` shows no hold, or give a later date.",
            code=RefusalCode.BUSY,
        )
