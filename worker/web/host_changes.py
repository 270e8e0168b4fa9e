"""What a host does to its customers' subscriptions and charges, and what their account shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.changes.consent import agree_to_change
from worker.changes.customer_history import (
    MOST_CHARGES,
    CustomerChange,
    SubscriptionHistory,
    as_customer_change,
    history_of,
)
from worker.changes.ownership import own_change, own_undoable_change, require_own
from worker.changes.request import ChangeRequest, preview_change, request_change
from worker.changes.terms_consent import agree_to_terms
from worker.changes.undo import undo_change
from worker.domain.changes import ChangeKind, When
from worker.domain.errors import Refused
from worker.domain.previews import Preview
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import ConsentSource
from worker.ledger.changes import Change
from worker.runtime import Runtime
from worker.web.checkout_service import CheckoutService


class HostChanges:
    """The part of `HostCheckout` that is about changes and history. What belongs to another customer is refused."""

    runtime: Runtime
    _service: CheckoutService

    async def preview(
        self,
        customer: str,
        kind: ChangeKind,
        *,
        subscription: str | None = None,
        charge: int | None = None,
        parameters: Mapping[str, Any] | None = None,
        when: When | None = None,
    ) -> Preview:
        """Return what a change would come to: its sentence, the money to the won, the next three periods.

        Of a subscription by its code or of a charge by its id, as `kind` needs. `parameters` are the kind's own, with
        JSON values; `when` is `Moment.NOW`, `Moment.PERIOD_END` or a date in the plan's time zone, and None the kind's
        own default: a cancellation's is the period's end. Nothing is changed. Raises Refused as `request` does.
        """
        request = _request(kind, subscription, charge, parameters, when, reason="previewed")
        runtime = await self._own(customer, request)
        if request.kind is ChangeKind.REFUND and charge is not None:
            await self._service.with_refund_desk(lambda desk: desk.notice(charge))
        policy, now = runtime.change_policy, runtime.clock()
        return await self._service.run_in_thread(preview_change, runtime.sessions, request, policy=policy, now=now)

    async def request(
        self,
        customer: str,
        kind: ChangeKind,
        *,
        subscription: str | None = None,
        charge: int | None = None,
        parameters: Mapping[str, Any] | None = None,
        when: When | None = None,
        reason: str,
        comment: str | None = None,
        fingerprint: str | None = None,
        idempotency_key: str | None = None,
    ) -> CustomerChange:
        """Ask for a change, and return it: `scheduled` until its time, `applied` where that has come.

        `fingerprint` is that of the preview which was shown: what was shown is what is done. `reason` is for operators,
        `comment` is the customer's own words. Asked twice under one `idempotency_key`, it is done once. A refund is
        sent to PortOne, and one above AGAIN_REFUND_REVIEW_AMOUNT waits for an operator's approval.

        Raises Refused for what is another customer's, a state that is wrong for it, parameters or a time that are, and
        PreviewChanged, with the new preview, when it comes to something else by now. Nothing was changed then.
        """
        request = _request(
            kind,
            subscription,
            charge,
            parameters,
            when,
            reason=reason,
            comment=comment,
            fingerprint=fingerprint,
            idempotency_key=idempotency_key,
        )
        runtime = await self._own(customer, request)
        if request.kind is ChangeKind.REFUND:
            requested = await self._service.with_refund_desk(lambda desk: desk.refund_payment(request))
        else:
            policy, now = runtime.change_policy, runtime.clock()
            requested = await self._service.run_in_thread(
                request_change, runtime.sessions, request, policy=policy, now=now
            )
        return await self._shown(requested.change)

    async def undo(self, customer: str, change: int, *, reason: str) -> CustomerChange:
        """Undo a scheduled change by its id, and return it.

        Raises Refused for one whose time has come, and for one that an operator or a worker has asked for.
        """
        runtime = await self._service.synced_runtime()
        await self._service.run_in_thread(own_undoable_change, runtime.sessions, customer, change)
        undone = await self._service.run_in_thread(
            undo_change, runtime.sessions, change, reason=reason, policy=runtime.change_policy, now=runtime.clock()
        )
        return await self._shown(undone)

    async def agree_to_change(
        self,
        customer: str,
        change: int,
        *,
        wording: str,
        fingerprint: str | None = None,
        terms: ShownTerms | None = None,
    ) -> CustomerChange:
        """Record the customer's consent to a change that waits for it, such as a higher price, and return it.

        `wording` names the text that was agreed to, `fingerprint` is that of the change which the page has shown, and
        `terms` are the text as it was shown, which is kept word by word.
        Raises Refused for a change that waits for no consent, and for another one than was shown.
        """
        runtime = await self._service.synced_runtime()
        await self._service.run_in_thread(own_change, runtime.sessions, customer, change)
        agreed = await self._service.run_in_thread(
            agree_to_change,
            runtime.sessions,
            change,
            wording=wording,
            source=ConsentSource.HOST,
            policy=runtime.change_policy,
            now=runtime.clock(),
            fingerprint=fingerprint,
            terms=terms,
        )
        return await self._shown(agreed)

    async def agree_to_terms(
        self, customer: str, subscription: str, *, wording: str, amount: int, terms: ShownTerms | None = None
    ) -> int:
        """Record the customer's consent to what a subscription costs, once more, and return its id.

        Before a trial becomes paid, or when the consent gate holds a charge for want of it. `amount` is the price of a
        whole period that the page has shown, in won, `wording` names its text and `terms` are that text. Raises Refused
        when the price is another one.
        """
        runtime = await self._service.synced_runtime()
        await self._service.run_in_thread(
            require_own, runtime.sessions, customer, subscription=subscription, charge=None
        )
        given = await self._service.run_in_thread(
            agree_to_terms,
            runtime.sessions,
            subscription,
            amount=amount,
            wording=wording,
            source=ConsentSource.HOST,
            terms=terms,
            now=runtime.clock(),
        )
        return given.id

    async def history(self, customer: str, *, most: int = MOST_CHARGES) -> tuple[SubscriptionHistory, ...]:
        """Return all of a customer's subscriptions, those that are over too, the oldest first.

        Each has its newest `most` charges with their items, refunds and receipts, until when it is paid, and what is
        to come.
        """
        sessions = self.runtime.sessions
        return await self._service.run_in_thread(history_of, sessions, customer, most=most)

    async def _shown(self, change: Change) -> CustomerChange:
        return await self._service.run_in_thread(as_customer_change, self.runtime.sessions, change)

    async def _own(self, customer: str, request: ChangeRequest) -> Runtime:
        runtime = await self._service.synced_runtime()
        await self._service.run_in_thread(
            require_own,
            runtime.sessions,
            customer,
            subscription=request.subscription,
            charge=request.charge,
        )
        return runtime


def _request(
    kind: ChangeKind,
    subscription: str | None,
    charge: int | None,
    parameters: Mapping[str, Any] | None,
    when: When | None,
    *,
    reason: str,
    comment: str | None = None,
    fingerprint: str | None = None,
    idempotency_key: str | None = None,
) -> ChangeRequest:
    if kind == ChangeKind.OVERRIDE_GATE:
        raise Refused("The consent gate is overridden by an operator only: `again charge override`.")
    if kind not in set(ChangeKind):
        raise Refused(f"There is no kind of change {kind!r:.40}; there are {', '.join(ChangeKind)}.")
    return ChangeRequest(
        kind=ChangeKind(kind),
        subscription=subscription,
        charge=charge,
        parameters=dict(parameters or {}),
        when=when,
        reason=reason,
        comment=comment,
        fingerprint=fingerprint,
        idempotency_key=idempotency_key,
        by_host=True,
    )
