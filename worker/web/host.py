"""The entry for a host application with pages of its own: what they need, by the customer who is logged in."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from starlette.exceptions import HTTPException

from worker import checkout
from worker.changes.outlook import planned_next_charges
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import PreviewedPeriod
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import ConsentSource
from worker.pg.window.request import NO_BUYER, Buyer, CallbackUrls
from worker.runtime import Runtime
from worker.subscriptions import sign_up
from worker.web.app import SANDBOX_IMP_CODE
from worker.web.checkout_service import CheckoutService
from worker.web.host_changes import HostChanges
from worker.web.host_runtime import open_host_runtime
from worker.web.http.sampled_log import SampledLog
from worker.web.http.source_addresses import SourceAddresses
from worker.web.webhook_queue import WebhookQueue
from worker.web.webhook_route import is_of_another_shop, read_event


class HostCheckout(HostChanges):
    """One per process, created after the fork, and closed at the end; its methods may be awaited in any event loop.

    `customer` is always the host's own reference of who is logged in: what belongs to another is refused. Methods raise
    Refused, whose text is a sentence for people; then nothing was changed.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._service = CheckoutService(runtime)
        self._queue = WebhookQueue(self._service.receive_webhook)
        self._sources = SourceAddresses.from_settings(runtime.settings)
        self._refused = SampledLog("a webhook was refused for where it came from")
        self._opened = ExitStack()

    @classmethod
    def from_env(cls, *, actor: str) -> Self:
        """Create one by the settings in the environment; `actor` is what the audit records as who did it.

        Raises InvalidSettings, NotAvailable for a database that is not there or not migrated, WrongDatabase for one
        that has charged in another mode, and what SQLAlchemy raises when it does not answer.
        """
        with ExitStack() as opened:
            host = cls(opened.enter_context(open_host_runtime(actor=actor)))
            host._opened = opened.pop_all()
        # A synchronous host has no end at which it could await `close`; the database's connections end with it.
        atexit.register(host._opened.close)
        return host

    async def close(self) -> None:
        """Process the webhooks that wait, for a few seconds at most, and close all connections."""
        await self._service.run_in_loop(self._queue.stop)
        await self._service.close()
        await asyncio.to_thread(self._opened.close)
        atexit.unregister(self._opened.close)

    # --- what the pages show ----------------------------------------------------------------------------------------

    @property
    def script_url(self) -> str:
        """URL of PortOne's script, or of the sandbox's, for a page to load."""
        return self.runtime.settings.script_url

    @property
    def merchant_code(self) -> str:
        """Argument of a page's `IMP.init`."""
        return self.runtime.settings.imp_code or SANDBOX_IMP_CODE

    async def subscriptions_of(self, customer: str) -> tuple[checkout.CustomerSubscription, ...]:
        """Return a customer's subscriptions, with what is overdue and can be paid by hand, and until when each is paid.

        The next charge is the one that comes with all that is planned: after a cancellation, none. A canceled
        subscription is listed until its paid time ends: its customer has paid for that.
        """
        own = await self._own_subscriptions(customer)
        runtime, codes = self.runtime, [each.code for each in own]
        policy, now = runtime.change_policy, runtime.clock()
        planned = await self._service.run_in_thread(
            planned_next_charges, runtime.sessions, codes, policy=policy, now=now
        )
        return tuple(_as_planned(each, planned[each.code]) if each.code in planned else each for each in own)

    async def _own_subscriptions(self, customer: str) -> tuple[checkout.CustomerSubscription, ...]:
        runtime = await self._service.synced_runtime()
        now = runtime.clock()
        return await self._service.run_in_thread(checkout.subscriptions_of, runtime.sessions, customer, now=now)

    async def view(self, customer: str, code: str) -> checkout.CheckoutView:
        """Return what a checkout is about, and its state."""
        view = await self._service.view(code)
        if all(view.subscription != each.code for each in await self._own_subscriptions(customer)):
            raise Refused(
                "This checkout is another customer's, or its subscription has ended.", code=RefusalCode.NOT_YOURS
            )
        return view

    # --- what a customer does ---------------------------------------------------------------------------------------

    async def subscribe(self, customer: str, *, plan: str, allow_duplicates: bool = False) -> str:
        """Create a subscription that waits for its first key, and return its code; a checkout for it comes next.

        A reference that differs from another customer's of the same plan in case, width or spaces only is refused,
        unless `allow_duplicates`.
        """
        runtime = self.runtime
        subscribed = await self._service.run_in_thread(
            sign_up.subscribe,
            runtime.sessions,
            customer,
            plan=plan,
            key=None,
            allow_duplicates=allow_duplicates,
            max_amount=runtime.settings.max_amount,
            now=runtime.clock(),
        )
        return subscribed.code

    async def create_checkout(
        self,
        customer: str,
        *,
        subscription: str | None = None,
        charge: int | None = None,
        with_payment: bool = False,
    ) -> str:
        """Create a checkout and return its code: for a subscription's first or next key, or for an overdue charge.

        `with_payment` lets a window that can (Kakao Pay's) charge the first period while it registers the key.
        """
        own = await self._own_subscriptions(customer)
        if subscription is not None and all(subscription != each.code for each in own):
            raise Refused("There is no such subscription of yours.", code=RefusalCode.NOT_YOURS)
        if charge is not None and all(charge != overdue.id for each in own for overdue in each.overdue):
            raise Refused("There is no such charge of yours that is overdue.", code=RefusalCode.NOT_YOURS)
        link = await self._service.run_in_thread(
            checkout.create_link,
            self.runtime.sessions,
            self.runtime.settings,
            subscription=subscription,
            charge=charge,
            with_payment=with_payment,
            now=self.runtime.clock(),
        )
        return link.code

    async def agree(
        self,
        customer: str,
        code: str,
        *,
        wording: str,
        pg: str,
        buyer: Buyer = NO_BUYER,
        return_path: str,
        owed: int | None = None,
        given_up: int | None = None,
        terms: ShownTerms | None = None,
    ) -> dict[str, object]:
        """Record the consent, and return the parameters of `IMP.request_pay`. `wording` names what was agreed to.

        `terms` are the text that the page has shown and what it said about withdrawing, kept word by word.

        `owed` is the sum that the page has shown, `CheckoutView.owed`: pass it on, so that no more is paid than
        was shown; and `given_up` the one that it has shown as not charged any more. Raises OwedAmountChanged when one
        is another one by now. Without them, what is owed and given up at this instant is agreed to.

        The window reports to `return_path` and to /webhooks/portone, both below AGAIN_CHECKOUT_URL.
        """
        await self.view(customer, code)
        base = self.runtime.settings.pages_url
        callback_urls = CallbackUrls(m_redirect_url=f"{base}{return_path}", notice_url=f"{base}/webhooks/portone")
        return await self._service.agree(
            code,
            wording=wording,
            buyer=buyer,
            pg=pg,
            callback_urls=callback_urls,
            owed=owed,
            given_up=given_up,
            terms=terms,
            source=ConsentSource.HOST,
        )

    # --- what becomes of it -----------------------------------------------------------------------------------------

    async def complete(self, code: str, *, imp_uid: str | None) -> checkout.Completion:
        """Ask PortOne what became of a checkout. It needs no login: what a browser says only tells where to look."""
        return await self._service.complete(code, imp_uid=imp_uid)

    async def receive_webhook(self, sent: Any, *, peer: str | None, forwarded_for: Sequence[str] = ()) -> bool:
        """Queue a webhook of PortOne's, to be processed in a moment. False when too many wait: answer 503.

        `sent` are the fields of its JSON or form, `peer` is the connection's IP address, `forwarded_for` are the values
        of X-Forwarded-For. Raises Refused for what is no webhook, and for addresses not in AGAIN_WEBHOOK_ADDRESSES.
        """
        address = self._sources.client_address(peer, forwarded_for)
        if not self._sources.may_send_webhooks(address):
            reason = self._sources.refusal_reason(peer, forwarded_for)
            self._refused.count(reason=reason)
            raise Refused(f"Webhooks are not taken from this address: {reason}.")
        if not isinstance(sent, Mapping):
            raise Refused("A webhook is an object with imp_uid, merchant_uid and status.")
        if is_of_another_shop(sent):
            return True
        try:
            event = read_event(sent)
        except HTTPException as error:
            raise Refused(error.detail) from None
        return await self._service.run_in_loop(self._put, event)

    async def _put(self, event: checkout.WebhookEvent) -> bool:
        return self._queue.put(event)


def _as_planned(listed: checkout.CustomerSubscription, charge: PreviewedPeriod | None) -> checkout.CustomerSubscription:
    if charge is None:
        return replace(listed, next_charge_at=None, next_amount=None)
    return replace(listed, next_charge_at=charge.start, next_amount=charge.amount)
