"""What a change comes to: in a sentence, and to the won. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from worker.domain.changes import ChangeKind


@dataclass(frozen=True, slots=True)
class Sentence:
    """The same sentence for operators and for customers of either language."""

    en: str
    ko: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change does, or would do. Sums are won.

    `charged` is charged at once, or is about to be; `refunded` goes back through the PG; `credited` is used up by the
    next charges; `no_longer_owed` was owed and will not be charged. `needs_consent`: later periods cost more than the
    customer has agreed to. `refunded_before` is what Again has refunded of the same payment until then. `before` and
    `after` are what a whole period costs by a change of price.
    """

    sentence: Sentence
    charged: int = 0
    refunded: int = 0
    refunded_before: int = 0
    credited: int = 0
    no_longer_owed: int = 0
    needs_consent: bool = False
    before: int | None = None
    after: int | None = None
    cautions: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class PreviewedPeriod:
    """A billing period to come, and what it is charged with, in won. `owed` is False for one that is not charged."""

    start: datetime
    end: datetime
    amount: int
    owed: bool = True


@dataclass(frozen=True, slots=True)
class ReplacedChange:
    """A scheduled change of the same kind whose place a later one takes, and who had asked for it.

    A host is not told who, where that was not itself: None.
    """

    id: int
    effective_at: datetime
    requested_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do and when, and what the next periods come to then."""

    kind: ChangeKind
    subscription: str
    charge: int | None
    effective_at: datetime
    at_once: bool
    time_zone: str
    effect: Effect
    paid_until: datetime | None
    periods: tuple[PreviewedPeriod, ...] = field(default=())
    replaces: tuple[ReplacedChange, ...] = ()

    @property
    def moves_money(self) -> bool:
        """Whether money is charged or refunded by the change itself, at its time."""
        return bool(self.effect.charged or self.effect.refunded)

    @property
    def fingerprint(self) -> str:
        """Text that differs when anything differs that was shown, other than the second in which it was asked for."""
        effect = self.effect
        shown = [
            self.kind,
            self.subscription,
            self.charge,
            None if self.at_once else self.effective_at.isoformat(),
            effect.sentence.en,
            [effect.charged, effect.refunded, effect.credited, effect.no_longer_owed],
            [[period.start.isoformat(), period.amount, period.owed] for period in self.periods],
            [each.id for each in self.replaces],
        ]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def kept(preview: Preview) -> Mapping[str, Any]:
    """Return what is kept of a preview with its change."""
    effect = preview.effect
    of_price = {} if effect.after is None else {"before": effect.before, "after": effect.after}
    return {
        **of_price,
        "sentence": asdict(effect.sentence),
        "charged": effect.charged,
        "refunded": effect.refunded,
        "credited": effect.credited,
        "no_longer_owed": effect.no_longer_owed,
        "cautions": [asdict(each) for each in effect.cautions],
        "periods": [asdict(each) for each in preview.periods],
    }
