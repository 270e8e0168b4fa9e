"""Checkouts, for web pages of ours or anyone's: make a link, show it, agree, complete, heed a webhook, look after it.

Why no period is paid twice, though a customer may leave a payment window open for hours. Nothing of ours can close a
window, and PortOne guards one thing only: a merchant_uid that was paid is refused, by windows (documented) and by
`again` (as good as documented). Two different merchant_uids are guarded by nothing, so a period never gets a second one
while a window of the first can be used:

1. A window's payment is an attempt like any other. It is committed before the parameters leave for the browser, with
   the charge `charging`; the pump claims no such charge, and a charge has one open attempt at most.
2. The attempt stays open for `registration.WINDOW_LIFE` after the window was last opened, whatever happens in it: being
   declined there, or closing it, ends nothing, for another tab may still pay. Its lease (AGAIN_CHECKOUT_SECONDS) only
   says from when on reconciliation looks it up. So within that time nothing else can charge the period.
3. All windows of a charge, in any tab and of any link, have this one merchant_uid: PortOne takes the first payment and
   refuses the others. (Its documents ask for a new one with each request; that would pay twice in two tabs. A window
   that only registers a key gets a new one each time, for it moves no money; the key is the same in all of them.)
4. Unpaid after all that time, the attempt is proved `not_charged`, and the charge goes back to where dunning stood. The
   next claim sends the *same* merchant_uid through `again`. Should an ancient window still be paid, PortOne refuses
   whichever comes second: then the answer is `duplicate`, which is looked up and found paid.
5. Only when that send was declined by PortOne's own record does the period get its next number, a day at least after
   the last window. Right before that is sent, the older orders are looked up once more: one that was paid after all
   goes into the books instead (`worker.reconciliation.pre_send_check`). What is left is a window more than a day old
   that is paid after that look. Its webhook or the sweep names it as `paid_twice`, and a person gives it back.
6. A restored database may have forgotten windows, and declines before them. Until none of those can be used any more,
   and a sweep has told what was paid in them, every other number of a charge is looked up before it is sent, and one
   that is open is waited for; and no window opens for it. Nothing begins, and no key is deleted, while it is held.

The hold costs dunning a day for each window that is left unpaid; a link expires, so that ends. Money that moved
otherwise than asked (another amount, PG or key) is never taken for the payment: the attempt is flagged, and `again
review` asks a person. A key registered alone is no attempt, and `merchant_uid.parse` takes its order for no period's.

A customer may open windows of several orders with one link: another PG has another key, and so an order of its own.
All of them are kept, and the first that PortOne proves ends the checkout, whichever tab it was in. What else was
registered is deleted at PortOne, as is every key that nobody has put to work a week after its last window.
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
from worker.checkout.webhooks import hint

__all__ = [
    "CheckoutLink",
    "CheckoutView",
    "Completion",
    "CustomerSubscription",
    "MaintenanceResult",
    "OverdueCharge",
    "OwedAmountChanged",
    "Progress",
    "agree",
    "complete",
    "create_link",
    "hint",
    "look_up_earlier_attempts",
    "run_maintenance",
    "subscriptions_of",
    "view",
]
