"""The product, broken on purpose, in ways that a careless change could bring."""

from __future__ import annotations

from typing import Any

import pytest

from worker.domain import refund_settlement
from worker.domain.gateway import PaymentRecord
from worker.domain.refund_settlement import RefundSettlement
from worker.domain.refunds import RefundStatus
from worker.portone.client import PortOneClient
from worker.refunds import carry_out


def send_no_checksum(patch: pytest.MonkeyPatch) -> None:
    """Let PortOne refund whatever is asked for, as often as it is asked."""
    cancel = PortOneClient.cancel

    async def unchecked(self: PortOneClient, **given: Any) -> PaymentRecord:
        given.pop("checksum")
        return await cancel(self, checksum=None, **given)  # type: ignore[arg-type]

    patch.setattr(PortOneClient, "cancel", unchecked)


def take_a_lost_answer_for_a_refusal(patch: pytest.MonkeyPatch) -> None:
    """Believe PortOne's record right after a request whose answer was lost."""
    settle = refund_settlement.settle_answer

    def hasty(*given: Any, **named: Any) -> RefundSettlement:
        settled = settle(*given, **named)
        if settled.status is RefundStatus.UNCLEAR:
            return RefundSettlement(status=RefundStatus.REFUSED, reason="no answer")
        return settled

    patch.setattr(carry_out, "settle_answer", hasty)
