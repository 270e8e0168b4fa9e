"""What a refusal can mean: a decline of some kind, or a text that is no decline because money may have moved."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal

from worker.domain.outcomes import DeclineKind


class _Unsure(Enum):
    DUPLICATE = "duplicate"
    NEEDS_LOOK_UP = "needs_look_up"


Duplicate: Final = _Unsure.DUPLICATE
"""The PG knows the order already, so money may have moved. Never a decline, however long nothing is found."""

NeedsLookUp: Final = _Unsure.NEEDS_LOOK_UP
"""The text leaves it open whether money moved (a time-out behind the PG, a lost line): ask, decide nothing."""

DeclineVerdict = DeclineKind | Literal[_Unsure.DUPLICATE, _Unsure.NEEDS_LOOK_UP]

VERDICTS: Mapping[str, DeclineVerdict] = {
    **{kind.value: kind for kind in DeclineKind},
    "duplicate": Duplicate,
    "look_up": NeedsLookUp,
}
"""What `kind` may be in a pack of ours. In a merchant's rules it is a DeclineKind."""
