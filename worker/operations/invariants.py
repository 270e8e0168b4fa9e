"""The invariants of our records: what a violation of each means, and what to do about it.

Evaluating one repairs nothing. The queries are in `worker.operations.invariant_queries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Invariant:
    """A condition that ordinary operation never breaks. `about` is what its example ids identify.

    `progress` marks those that break when no worker runs: they are judged only while workers have been running, for one
    that comes back after a night cannot have done everything at once.
    """

    name: str
    about: str
    means: str
    remedy: str
    progress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Maximum age of unfinished work."""

    lookup_backoff: timedelta  # the last look-up of an attempt is due by then
    sweep_every: timedelta
    opening: timedelta = timedelta(minutes=15)
    claiming: timedelta = timedelta(hours=1)
    lease: timedelta = timedelta(minutes=15)
    look_up: timedelta = timedelta(hours=1)
    clocks: timedelta = timedelta(minutes=5)
    discrepancy: timedelta = timedelta(days=7)
    sweep: timedelta = timedelta(minutes=15)
    hold: timedelta = timedelta(hours=6)


MAX_DEFERRALS = 28
"""Deferrals in a row: with the longest back-off between them, the charge has waited for at least five days."""

_REPORT = "look at it with `again charge show`, leave the rows as they are, and report it as a defect"

INVARIANTS: tuple[Invariant, ...] = (
    # --- at most one payment per period -----------------------------------------------------------------------------
    Invariant(
        "period_is_paid_once",
        "charge",
        "Two payments of a charge, here or elsewhere, and no discrepancy says so: a customer has paid a period twice.",
        "compare both payments in PortOne's console, and refund one of them",
    ),
    Invariant(
        "paid_charge_has_a_paid_attempt",
        "charge",
        "The charge counts as paid, but no payment of it is on record: it may never have been paid.",
        "look for the payment in PortOne's console by the merchant_uids of `again charge show`; report it as a defect",
    ),
    Invariant(
        "items_add_up_to_their_charge",
        "charge",
        "What the charge is made of does not come to its amount, or its tax: the customer is told another sum.",
        "`again stop`, compare the items of `again charge show` with the amount; report it as a defect",
    ),
    Invariant(
        "completed_refunds_are_counted",
        "charge",
        "More was refunded through us than the charge shows as refunded: the period counts as paid, for too much.",
        "`again sweep` over its day, compare `again charge show` with PortOne's console; report it as a defect",
    ),
    Invariant(
        "paid_attempt_pays_its_charge",
        "attempt",
        "Money has moved, but the charge is not paid and no discrepancy says so: the period may be charged again.",
        "`again stop`, then compare the payment in PortOne's console with `again charge show`; report it as a defect",
    ),
    Invariant(
        "periods_do_not_overlap",
        "charge",
        "Two charges of one subscription cover the same days, so the customer pays for these twice.",
        "see `again charge list` for the subscription, and refund or void what is too much",
    ),
    Invariant(
        "merchant_uid_names_its_period",
        "attempt",
        "The merchant_uid does not match its subscription, period and number: a payment would be assigned wrongly.",
        "`again stop`, and find out who has changed the tables by hand",
    ),
    Invariant(
        "nothing_is_claimed_while_stopped",
        "attempt",
        "A charge was claimed minutes after `again stop`: a worker does not see the switch.",
        "end the worker that did it; its release or its AGAIN_DATABASE_URL is another one",
    ),
    # --- no customer pays more than they agreed to ------------------------------------------------------------------
    Invariant(
        "charge_is_covered_by_a_consent",
        "attempt",
        "A replaced key was charged for a period that started before its customer agreed, without consent to it.",
        "`again stop`, compare `again charge show` with the consent, refund what is too much; report it as a defect",
    ),
    Invariant(
        "charge_that_awaits_consent_is_not_sent",
        "attempt",
        "The charge waits for its customer's consent, or the consent gate holds it, and it was sent nevertheless.",
        "`again stop`, refund what was paid without consent, and report it as a defect",
    ),
    # --- no period is forgotten -------------------------------------------------------------------------------------
    Invariant(
        "charging_has_an_open_attempt",
        "charge",
        "The charge counts as in flight, but no attempt is open, so it will never be settled.",
        _REPORT,
    ),
    Invariant(
        "open_attempt_has_a_charge_in_flight",
        "attempt",
        "The attempt is open, but its charge is not in flight, so the charge may be claimed beside it.",
        _REPORT,
    ),
    Invariant(
        "charge_stands_in_the_queue_of_its_pg",
        "charge",
        "Nothing blocks the charge for long, and it stands in no queue, or another PG's: it may never be claimed.",
        "`again charge requeue`, and find out who has changed the tables with triggers off",
    ),
    Invariant(
        "past_due_charge_has_a_next_attempt",
        "charge",
        "The charge is past due, its subscription runs and its key is good, and yet it will never be tried again.",
        "give the subscription another billing key (`again subscription key`), or cancel it",
    ),
    Invariant(
        "flagged_attempt_is_up_for_review",
        "attempt",
        "The look-ups gave up and left the outcome to an operator, but there is no open discrepancy.",
        "look at the payment in PortOne's console and at `again charge show`; report it as a defect",
    ),
    Invariant(
        "past_due_subscription_owes_something",
        "subscription",
        "The subscription is past due although nothing of it is unpaid: its customer may be locked out for nothing.",
        "tell the product that the customer owes nothing, and report it as a defect",
    ),
    Invariant(
        "active_subscription_has_no_past_due_charge",
        "subscription",
        "A charge of it was declined, and the subscription does not show it: its customer seems to have paid.",
        _REPORT,
    ),
    Invariant(
        "subscription_that_is_over_owes_nothing",
        "charge",
        "The subscription is over, and its charge is neither void nor in flight: it will never be claimed.",
        _REPORT,
    ),
    Invariant(
        "discrepancy_is_decided_within_a_week",
        "discrepancy",
        "A discrepancy between PortOne and our records has been open for more than a week.",
        "`again review list` shows it, `again review resolve` decides it",
    ),
    # --- the work goes on -------------------------------------------------------------------------------------------
    Invariant(
        "due_period_is_opened",
        "subscription",
        "A period has started and has no charge: `again.open_charges` does not run, or cannot bill this plan.",
        "start beat and a worker, and look for `subscription cannot be billed` in the worker's log",
        progress=True,
    ),
    Invariant(
        "due_charge_is_claimed",
        "charge",
        "The charge has been due for over an hour, nothing blocks it, and it is not charged.",
        "`again doctor worker portone`; start more workers, or look for `charge cannot be claimed` in their log",
        progress=True,
    ),
    Invariant(
        "abandoned_attempt_is_looked_up",
        "attempt",
        "Its worker died long ago, and its outcome was not looked up at PortOne: reconciliation does not run.",
        "start beat and a worker, and look for `again.reconcile` in its log",
        progress=True,
    ),
    Invariant(
        "look_up_is_made_in_time",
        "attempt",
        "The outcome is unknown, and PortOne should have been asked an hour ago: reconciliation lags or stands still.",
        "start beat and a worker, and look for `again.reconcile` in its log",
        progress=True,
    ),
    Invariant(
        "unknown_attempt_comes_to_an_end",
        "attempt",
        "The last look-up is over, and the outcome is neither known nor left to an operator.",
        "look for `attempt cannot be looked up` and for failed look-ups in the worker's log, and fix their cause",
        progress=True,
    ),
    Invariant(
        "deferred_charge_comes_to_an_end",
        "charge",
        "For days every try has been put off, by PortOne or by the PG, and nothing but another try will follow.",
        "read the reason in `again charge show`, and ask PortOne or the PG",
        progress=True,
    ),
    Invariant(
        "no_attempt_is_from_the_future",
        "attempt",
        "It began later than now: a clock is wrong by minutes, and leases and quiet periods with it.",
        "run NTP on every machine that runs a worker, a command or the database",
    ),
    Invariant(
        "held_charging_goes_on",
        "sweep",
        "All charging is held until PortOne's payments are reconciled with our records, and that does not finish.",
        "start beat and a worker, and look for `sweep waits` in its log; `again doctor portone`",
        progress=True,
    ),
    Invariant(
        "payments_are_compared_daily",
        "sweep",
        "No daily sweep has finished lately, so discrepancies with PortOne are not found.",
        "start beat and a worker, and look for `again.sweep` and `sweep waits` in its log",
        progress=True,
    ),
)
