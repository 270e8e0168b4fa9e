"""Again, a recurring-billing worker for PortOne V1.

The names here are what a host application uses; each is imported when it is first asked for, so that a part of this
package can be used without the web. Everything else is internal, and may change with any version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from worker.domain.errors import Refused
    from worker.ledger.database_identity import WrongDatabase
    from worker.pg.window.request import Buyer
    from worker.web.app import create_app
    from worker.web.host import HostCheckout
    from worker.web.host_runtime import open_host_runtime
    from worker.web.http.bodies import read_object

__all__ = [
    "Buyer",
    "CheckoutView",
    "Completion",
    "CustomerSubscription",
    "HostCheckout",
    "InvalidSettings",
    "NotAvailable",
    "OverdueCharge",
    "OwedAmountChanged",
    "Progress",
    "Refused",
    "WrongDatabase",
    "create_app",
    "open_host_runtime",
    "read_object",
]

_MODULE_OF = {
    "Buyer": "worker.pg.window.request",
    "CheckoutView": "worker.checkout",
    "Completion": "worker.checkout",
    "CustomerSubscription": "worker.checkout",
    "HostCheckout": "worker.web.host",
    "InvalidSettings": "worker.config.settings",
    "NotAvailable": "worker.devstack.addresses",
    "OverdueCharge": "worker.checkout",
    "OwedAmountChanged": "worker.checkout",
    "Progress": "worker.checkout",
    "Refused": "worker.domain.errors",
    "WrongDatabase": "worker.ledger.database_identity",
    "create_app": "worker.web.app",
    "open_host_runtime": "worker.web.host_runtime",
    "read_object": "worker.web.http.bodies",
}

if not TYPE_CHECKING:  # a type checker would take any name for one that this finds

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULE_OF[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
