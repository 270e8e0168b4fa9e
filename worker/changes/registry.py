"""Every kind of change, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from worker.changes.kind import Kind
from worker.changes.kinds.cancel import Cancel
from worker.changes.kinds.change_plan import ChangePlan
from worker.changes.kinds.change_price import ChangePrice
from worker.changes.kinds.collect import Collect
from worker.changes.kinds.credit import Credit
from worker.changes.kinds.discount import Discount
from worker.changes.kinds.end_dunning import EndDunning
from worker.changes.kinds.move_renewal import MoveRenewal
from worker.changes.kinds.one_off import OneOff
from worker.changes.kinds.override_gate import OverrideGate
from worker.changes.kinds.paid_elsewhere import PaidElsewhere
from worker.changes.kinds.pause import Pause
from worker.changes.kinds.postpone import Postpone
from worker.changes.kinds.refund import Refund
from worker.changes.kinds.resume import Resume
from worker.changes.kinds.trial import ChangeTrial
from worker.changes.kinds.void import Void
from worker.changes.kinds.write_off import WriteOff
from worker.domain.changes import ChangeKind

_OF_SUBSCRIPTIONS: tuple[Kind, ...] = (
    *(Cancel(), Pause(), Resume(), ChangePrice(), ChangePlan(), MoveRenewal(), ChangeTrial()),
    *(Discount(), Credit(), OneOff()),
    EndDunning(),
)
_OF_CHARGES: tuple[Kind, ...] = (Collect(), Postpone(), Void(), WriteOff(), PaidElsewhere(), Refund(), OverrideGate())

KINDS: Mapping[ChangeKind, Kind] = {each.kind: each for each in (*_OF_SUBSCRIPTIONS, *_OF_CHARGES)}
"""What there is to do each kind of change with."""
