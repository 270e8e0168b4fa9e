"""Checkouts, for pages of ours or a host's: make a link, show it, agree, complete, process webhooks, maintenance.

ARCHITECTURE.md says why no period is paid twice, though a customer may leave a payment window open for hours.
"""

from __future__ import annotations

from worker.checkout.agreement import agree
from worker.checkout.completion import complete
from worker.checkout.consent import OwedAmountChanged
from worker.checkout.customer_overview import CustomerSubscription, OverdueCharge, subscriptions_of
from worker.checkout.fulfilment import Completion, Progress
from worker.checkout.links import CheckoutLink, create_link
from worker.checkout.maintenance import MaintenanceResult, run_maintenance
from worker.checkout.pre_window_check import look_up_earlier_attempts
from worker.checkout.view import CheckoutView, view
from worker.checkout.webhooks import WebhookEvent, receive_webhook

__all__ = [
    "CheckoutLink",
    "CheckoutView",
    "Completion",
    "CustomerSubscription",
    "MaintenanceResult",
    "OverdueCharge",
    "OwedAmountChanged",
    "Progress",
    "WebhookEvent",
    "agree",
    "complete",
    "create_link",
    "look_up_earlier_attempts",
    "receive_webhook",
    "run_maintenance",
    "subscriptions_of",
    "view",
]
