"""What customers and PortOne do around a payment window, in the words of a story."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.scenarios.conftest import World
from worker import checkout, process
from worker.checkout import CheckoutView, Completion, MaintenanceResult
from worker.checkout.context import CheckoutContext
from worker.domain.gateway import Gateway
from worker.domain.states import CheckoutPurpose
from worker.pg.window.request import Buyer, CallbackUrls
from worker.subscriptions import sign_up

BUYER = Buyer(name="Hong Gildong", tel="010-1234-5678", email="gildong@example.com")
LINKS = CallbackUrls(m_redirect_url="https://shop.example/c/return")

T = TypeVar("T")
NOTHING: Mapping[str, Any] = {}
SENT = ("imp_uid", "merchant_uid", "status", "cancellation_id")


@dataclass
class Till:
    """The checkout functions as a page calls them, and the browser that opens windows at the sandbox."""

    world: World
    opened: list[dict[str, Any]] = field(default_factory=list)

    # --- the shop -----------------------------------------------------------------------------------------------------

    def pending(self, plan: str = "monthly", customer: str = "gildong", **terms: str) -> str:
        """Begin a subscription that waits for its first key."""
        world = self.world
        if not world.sql("SELECT FROM plans WHERE code = :plan", plan=plan):
            world.plan(plan, **terms)
        made = sign_up.subscribe(
            world.runtime.sessions, customer, plan=plan, key=None, max_amount=2_000_000, now=world.now
        )
        return made.code

    def link(
        self,
        subscription: str | None = None,
        *,
        charge: int | None = None,
        pg: str | None = None,
        with_payment: bool = False,
        purpose: CheckoutPurpose | None = None,
    ) -> str:
        runtime = self.world.runtime
        return checkout.create_link(
            runtime.sessions,
            runtime.settings,
            subscription=subscription,
            charge=charge,
            purpose=purpose,
            pg=pg,
            with_payment=with_payment,
            now=self.world.now,
        ).code

    def view(self, code: str) -> CheckoutView:
        runtime = self.world.runtime
        return checkout.view(runtime.sessions, runtime.settings, code, now=self.world.now)

    def agree(
        self,
        code: str,
        pg: str | None = None,
        *,
        wording: str = "ko-1",
        owed: int | None = None,
        given_up: int | None = None,
    ) -> dict[str, Any]:
        runtime = self.world.runtime
        return checkout.agree(
            runtime.sessions,
            runtime.settings,
            code,
            wording=wording,
            buyer=BUYER,
            pg_choice=pg,
            callback_urls=LINKS,
            owed=owed,
            given_up=given_up,
            now=self.world.now,
        )

    def look_up_earlier_attempts(self, code: str) -> None:
        """Ask about earlier attempts, as a page does before it agrees."""
        self._asked(lambda context: checkout.look_up_earlier_attempts(context, code))

    def complete(self, code: str, imp_uid: str | None = None) -> Completion:
        return self._asked(lambda context: checkout.complete(context, code, imp_uid=imp_uid))

    def receive_webhook(self, body: dict[str, Any]) -> None:
        """Take a webhook in, as PortOne sent it."""
        event = checkout.WebhookEvent(**{name: str(body[name]) for name in SENT if name in body})
        self._asked(lambda context: checkout.receive_webhook(context, event))

    def run_maintenance(self) -> MaintenanceResult:
        return self._asked(lambda context: checkout.run_maintenance(context, stopping=lambda: False))

    def _asked(self, call: Callable[[CheckoutContext], Awaitable[T]]) -> T:
        async def ask(gateway: Gateway) -> T:
            return await call(self.world.runtime.checkout_context(gateway))

        return process.current().run(ask)

    # --- the browser --------------------------------------------------------------------------------------------------

    def open(self, code: str, pg: str | None = None, *, tampered: Mapping[str, Any] = NOTHING) -> str:
        """Agree and let the window open, with what a customer has changed in the page; returns the window's id."""
        param = {**self.agree(code, pg), **tampered}
        answer = self.world.portone.open_window(param)
        assert "window" in answer, answer
        self.opened.append(answer["window"])
        return str(answer["window"]["window_id"])

    def approve(self, window: str) -> str:
        """Press the yellow button; returns the payment's imp_uid."""
        told = self.world.portone.decide(window)
        assert told["state"] == "approved", told
        return str(told["callback"]["imp_uid"])

    def webhook(self, imp_uid: str, status: str = "paid", **more: str) -> dict[str, Any]:
        (payment,) = [each for each in self.world.portone.payments() if each["imp_uid"] == imp_uid]
        return {"imp_uid": imp_uid, "merchant_uid": payment["merchant_uid"], "status": status, **more}

    # --- what is true -------------------------------------------------------------------------------------------------

    def keys(self) -> list[str]:
        return [row.status for row in self.world.sql("SELECT status FROM billing_keys ORDER BY id")]

    def status(self, code: str) -> str:
        ((status,),) = self.world.sql("SELECT status FROM checkouts WHERE code = :code", code=code)
        return str(status)

    def keys_at_portone(self) -> set[str]:
        return {each["customer_uid"] for each in list(self.world.portone.keys())}
