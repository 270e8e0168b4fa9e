"""Again, a recurring-billing worker for PortOne V1.

The names here are what a host application uses; each is imported when it is first asked for, so that a part of this
package can be used without the web. Everything else is internal, and may change with any version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.changes.customer_history import CustomerChange, CustomerCharge, CustomerRefund, SubscriptionHistory
    from worker.changes.request import PreviewChanged
    from worker.checkout import (
        CheckoutView,
        Completion,
        CustomerSubscription,
        OverdueCharge,
        OwedAmountChanged,
        Progress,
    )
    from worker.config.settings import InvalidSettings
    from worker.devstack.addresses import NotAvailable
    from worker.domain.changes import ChangeKind, ChangeStatus, Moment, WaitsFor
    from worker.domain.errors import RefusalCode, Refused
    from worker.domain.events.types import EventType
    from worker.domain.previews import Preview
    from worker.domain.refusals import customer_sentence
    from worker.domain.shown_terms import ShownTerms
    from worker.events.queries import Event
    from worker.events.reading import read_events
    from worker.ledger.database_identity import WrongDatabase
    from worker.pg.window.request import Buyer
    from worker.web.app import create_app
    from worker.web.host import HostCheckout
    from worker.web.host_runtime import open_host_runtime
    from worker.web.host_sync import SyncHostCheckout
    from worker.web.http.bodies import read_object

__all__ = [
    "Buyer",
    "ChangeKind",
    "ChangeStatus",
    "CheckoutView",
    "Completion",
    "CustomerChange",
    "CustomerCharge",
    "CustomerRefund",
    "CustomerSubscription",
    "Event",
    "EventType",
    "HostCheckout",
    "InvalidSettings",
    "Moment",
    "NotAvailable",
    "OverdueCharge",
    "OwedAmountChanged",
    "Preview",
    "PreviewChanged",
    "Progress",
    "RefusalCode",
    "Refused",
    "ShownTerms",
    "SubscriptionHistory",
    "SyncHostCheckout",
    "WaitsFor",
    "WrongDatabase",
    "create_app",
    "customer_sentence",
    "open_host_runtime",
    "read_events",
    "read_object",
]

_MODULE_OF = {
    "Buyer": "worker.pg.window.request",
    "ChangeKind": "worker.domain.changes",
    "ChangeStatus": "worker.domain.changes",
    "CheckoutView": "worker.checkout",
    "Completion": "worker.checkout",
    "CustomerChange": "worker.changes.customer_history",
    "CustomerCharge": "worker.changes.customer_history",
    "CustomerRefund": "worker.changes.customer_history",
    "CustomerSubscription": "worker.checkout",
    "Event": "worker.events.queries",
    "EventType": "worker.domain.events.types",
    "HostCheckout": "worker.web.host",
    "InvalidSettings": "worker.config.settings",
    "Moment": "worker.domain.changes",
    "NotAvailable": "worker.devstack.addresses",
    "OverdueCharge": "worker.checkout",
    "OwedAmountChanged": "worker.checkout",
    "Preview": "worker.domain.previews",
    "PreviewChanged": "worker.changes.request",
    "Progress": "worker.checkout",
    "RefusalCode": "worker.domain.errors",
    "Refused": "worker.domain.errors",
    "ShownTerms": "worker.domain.shown_terms",
    "SubscriptionHistory": "worker.changes.customer_history",
    "SyncHostCheckout": "worker.web.host_sync",
    "WaitsFor": "worker.domain.changes",
    "WrongDatabase": "worker.ledger.database_identity",
    "create_app": "worker.web.app",
    "customer_sentence": "worker.domain.refusals",
    "open_host_runtime": "worker.web.host_runtime",
    "read_events": "worker.events.reading",
    "read_object": "worker.web.http.bodies",
}

if not TYPE_CHECKING:  # a type checker would take any name for one that this finds

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULE_OF[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
