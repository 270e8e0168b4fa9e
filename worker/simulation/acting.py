"""Customers act: at the sandbox, where their accounts are, and through the use cases by which customers are served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from worker.changes.request import ChangeRequest, request_change
from worker.charging.kill_switch import start_charging
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.process import Process
from worker.sandbox.http.client import SandboxAdmin
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, pay, troubled
from worker.simulation import queries
from worker.simulation.book import KAKAOPAY
from worker.simulation.script import Act, Customer, Deed
from worker.subscriptions.billing_keys import NewKey, add_key
from worker.subscriptions.key_change import change_key

REASON = "simulated"

Story = tuple[Behaviour, ...]

_LOST: Story = (troubled(Reply.DROP, charged=True), pay())
_OF_KAKAOPAY: Mapping[Deed, Story] = {
    Deed.EMPTIES: (decline("LACK_BALANCE", "잔액이 부족합니다"),),
    Deed.EXCEEDS: (decline("LIMIT_ONE_TIME", "1회 결제 한도를 초과했습니다"),),
    Deed.DIES: (decline("-751", "정기결제 비활성화"),),
}
_OF_CARDS: Mapping[Deed, Story] = {
    Deed.EMPTIES: (decline("CC10", "계좌 잔액 부족"),),
    Deed.EXCEEDS: (decline("CC61", "한도초과", shape=Shape.MESSAGE),),
    Deed.DIES: (decline("CC54", "유효기간 경과", shape=Shape.MESSAGE),),
}
"""By the codes of NHN KCP, which PAYCO and others relay."""


def story_of(pg: str, deed: Deed) -> Story:
    """Return how a key of a PG behaves from a deed on."""
    if deed is Deed.PAYS:
        return (pay(),)
    if deed is Deed.LOSES:
        return _LOST
    return (_OF_KAKAOPAY if pg == KAKAOPAY else _OF_CARDS)[deed]


WISHES = frozenset({Deed.REPLACES, Deed.CANCELS, Deed.REFUNDS})
"""What customers do here; all else is how their keys behave at the sandbox."""


@dataclass(slots=True)
class Actors:
    """The customers with their subscriptions' codes and the number of each one's key."""

    process: Process
    portone: SandboxAdmin
    customers: Mapping[int, Customer]
    codes: Mapping[str, str]
    keys: dict[int, int] = field(default_factory=dict)
    restarted: int = 0
    """How often a PG was started again that declines had stopped, as an operator does who has looked."""

    def carry_out(self, acts: Iterable[Act]) -> None:
        """Do what is done at one time: first the keys, then what customers want."""
        stories: dict[Story, list[str]] = defaultdict(list)
        wishes: list[Act] = []
        for act in acts:
            if act.deed in WISHES:
                wishes.append(act)
            else:
                customer = self.customers[act.customer]
                stories[story_of(customer.pg, act.deed)].append(self._customer_uid(customer))
        for story, customer_uids in stories.items():
            self.portone.behave(*story, customer_uids=customer_uids)
        for act in wishes:
            try:
                self._do(act)
            except Refused:
                continue  # of a subscription that has ended by then, or nothing was paid
        self._start_what_was_stopped()

    def _do(self, act: Act) -> None:
        customer = self.customers[act.customer]
        match act.deed:
            case Deed.REPLACES:
                self._replace(customer)
            case Deed.CANCELS:
                self._cancel(customer)
            case Deed.REFUNDS:
                self._refund(customer)

    def _customer_uid(self, customer: Customer) -> str:
        return customer.customer_uid(self.keys.get(customer.number, 0))

    def _replace(self, customer: Customer) -> None:
        runtime = self.process.runtime
        self.keys[customer.number] = self.keys.get(customer.number, 0) + 1
        customer_uid, now = self._customer_uid(customer), runtime.clock()
        self.portone.create_key(customer_uid, pg=customer.pg)
        add_key(runtime.sessions, NewKey(customer_uid=customer_uid, pg=customer.pg), now=now)
        change_key(
            runtime.sessions,
            self.codes[customer.reference],
            customer_uid,
            reason=REASON,
            max_amount=runtime.settings.max_amount,
            now=now,
        )

    def _cancel(self, customer: Customer) -> None:
        runtime = self.process.runtime
        request = ChangeRequest(
            kind=ChangeKind.CANCEL, subscription=self.codes[customer.reference], when=None, reason=REASON
        )
        request_change(runtime.sessions, request, policy=runtime.change_policy, now=runtime.clock())

    def _refund(self, customer: Customer) -> None:
        runtime = self.process.runtime
        with runtime.sessions() as session:
            charge = queries.last_paid_charge(session, self.codes[customer.reference])
        if charge is not None:
            request = ChangeRequest(kind=ChangeKind.REFUND, charge=charge, reason=REASON)
            self.process.run(lambda gateway: runtime.refund_desk(gateway).refund_payment(request))

    def _start_what_was_stopped(self) -> None:
        runtime = self.process.runtime
        with runtime.sessions() as session:
            stopped = queries.stopped(session)
        for scope in stopped:
            start_charging(runtime.sessions, scope, reason=REASON, now=runtime.clock())
            self.restarted += 1
