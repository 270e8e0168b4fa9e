"""Taking back a discount or a one-off item before it has changed another charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, Subject
from worker.domain.errors import Refused
from worker.domain.identifiers import read_id
from worker.domain.previews import Effect, Sentence
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.ledger import adjustments

_NAMES = {AdjustmentKind.DISCOUNT: ("discount", "할인"), AdjustmentKind.ONE_OFF: ("item", "항목")}


def read_removal(parameters: Mapping[str, Any]) -> int:
    """Return the id of what is to be removed, as `again subscription show` lists it. Raises Refused."""
    given = parameters["remove"]
    found = read_id(given) if isinstance(given, str) else given
    if type(found) is not int or not 0 < found < 2**63:
        raise Refused(
            f"{given!r:.40} is no id of what could be removed; `again subscription show` lists what is still to come."
        )
    return found


def remove(
    session: Session, subject: Subject, kind: AdjustmentKind, adjustment_id: int, given: Circumstances
) -> Effect:
    """Remove an open adjustment of a kind from a subscription. Raises Refused for another's and one that is over."""
    open_ = adjustments.open_of(session, [subject.id]).get(subject.id, ())
    found = next((each for each in open_ if each.id == adjustment_id and each.kind is kind), None)
    english, korean = _NAMES[kind]
    if found is None or not adjustments.remove(session, adjustment_id, now=given.now):
        raise Refused(
            f"Subscription {subject.code} has no {english} {adjustment_id} that is still to come; what was charged "
            f"stays. `again subscription show {subject.code}` lists those there are."
        )
    return Effect(
        sentence=Sentence(
            f"The {english} {found.description!r} changes no further charge.",
            f"{korean} '{found.description}'은(는) 다음 결제부터 적용되지 않습니다.",
        )
    )
