"""Which days of a dunning calendar a decline goes by: those of its own kind, or of every decline."""

from __future__ import annotations

from collections.abc import Mapping

from schedules.dunning import DunningKind
from worker.domain.outcomes import About, DeclineKind

_OF_SOFT: Mapping[About, DunningKind] = {About.BALANCE: DunningKind.BALANCE, About.LIMIT: DunningKind.LIMIT}


def dunning_kind(kind: DeclineKind | None, about: About | None) -> DunningKind | None:
    """Return what a decline was for; None for what no calendar has days of its own for.

    >>> dunning_kind(DeclineKind.SOFT, About.BALANCE), dunning_kind(DeclineKind.UNMATCHED, None)
    (<DunningKind.BALANCE: 'balance'>, <DunningKind.UNMATCHED: 'unmatched'>)
    >>> dunning_kind(DeclineKind.SOFT, About.ISSUER), dunning_kind(DeclineKind.HARD, About.LIMIT)
    (None, None)
    """
    if kind is DeclineKind.UNMATCHED:
        return DunningKind.UNMATCHED
    return _OF_SOFT.get(about) if kind is DeclineKind.SOFT and about is not None else None
