"""What a change says of a charge that it opens and that the consent gate holds."""

from __future__ import annotations

from sqlalchemy.orm import Session

from worker.domain.consent_gate.rules import BY_CODE
from worker.domain.previews import Sentence
from worker.ledger import consent_gate


def gate_cautions(session: Session, charge_id: int) -> tuple[Sentence, ...]:
    """Return that a charge is not made before what it lacks is there; nothing for one that is not held."""
    lacks = [BY_CODE[code].lacks for code in consent_gate.lacks(session, charge_id)]
    if not lacks:
        return ()
    return (
        Sentence(
            f"The consent gate holds the charge until this is there: {' and '.join(each.en for each in lacks)}.",
            f"다음이 갖추어질 때까지 결제가 보류됩니다: {', '.join(each.ko for each in lacks)}.",
        ),
    )
