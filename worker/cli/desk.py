"""Where a command asks PortOne for refunds: one connection for each thing that is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from worker.changes.refunds import RefundDesk
    from worker.changes.request import ChangeRequest, RequestedChange
    from worker.runtime import Runtime

T = TypeVar("T")


def with_desk(runtime: Runtime, action: Callable[[RefundDesk], Awaitable[T]]) -> T:
    """Run an action with a connection to PortOne."""

    async def act() -> T:
        gateway = runtime.gateway()
        try:
            return await action(runtime.refund_desk(gateway))
        finally:
            await gateway.aclose()

    return asyncio.run(act())


def cancel_and_refund(runtime: Runtime, request: ChangeRequest) -> Callable[[ChangeRequest], RequestedChange]:
    """Ask PortOne what is left of the current payment, and return what cancels and refunds as it is agreed to then."""
    from worker.changes import cancelling

    with_desk(runtime, lambda desk: cancelling.notice_current(desk, request.subscription or ""))
    return lambda agreed: with_desk(runtime, lambda desk: cancelling.cancel_and_refund(desk, agreed))
