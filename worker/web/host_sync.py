"""HostCheckout for synchronous hosts, such as Django with ordinary views: every method waits for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from worker.web.host import HostCheckout

P = ParamSpec("P")
T = TypeVar("T")


def _waiting(
    method: Callable[Concatenate[HostCheckout, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncHostCheckout, P], T]:
    """Return a method of HostCheckout as one that blocks until it is done."""

    @wraps(method)
    def wait(self: SyncHostCheckout, /, *args: P.args, **kwargs: P.kwargs) -> T:
        _require_no_loop(method.__name__)
        return asyncio.run(method(self.awaited, *args, **kwargs))

    return wait


def _require_no_loop(name: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"SyncHostCheckout.{name} would block this event loop: await HostCheckout.{name} here.")


class SyncHostCheckout:
    """One per process, as a HostCheckout, whose methods it has: each blocks its thread until it is done.

    Threads may share it. In a thread with a running event loop it raises RuntimeError; await `awaited`, the
    HostCheckout that it is made of, there.
    """

    def __init__(self, awaited: HostCheckout) -> None:
        self.awaited = awaited

    @classmethod
    def from_env(cls, *, actor: str) -> Self:
        """Create one by the settings in the environment, as `HostCheckout.from_env` does."""
        return cls(HostCheckout.from_env(actor=actor))

    @property
    def script_url(self) -> str:
        return self.awaited.script_url

    @property
    def merchant_code(self) -> str:
        return self.awaited.merchant_code

    subscriptions_of = _waiting(HostCheckout.subscriptions_of)
    history = _waiting(HostCheckout.history)
    view = _waiting(HostCheckout.view)
    subscribe = _waiting(HostCheckout.subscribe)
    create_checkout = _waiting(HostCheckout.create_checkout)
    agree = _waiting(HostCheckout.agree)
    complete = _waiting(HostCheckout.complete)
    preview = _waiting(HostCheckout.preview)
    request = _waiting(HostCheckout.request)
    undo = _waiting(HostCheckout.undo)
    agree_to_change = _waiting(HostCheckout.agree_to_change)
    agree_to_terms = _waiting(HostCheckout.agree_to_terms)
    receive_webhook = _waiting(HostCheckout.receive_webhook)
    close = _waiting(HostCheckout.close)
