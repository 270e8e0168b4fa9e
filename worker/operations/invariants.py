"""What must always be true of the books: each invariant with what it means when it is not, and what to do then.

Nothing is ever repaired by looking. The queries that look are in `worker.operations.invariant_queries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that ordinary operation never breaks. `about` is what its example ids are ids of.

    Of `progress` are those that break by nobody working: judged only while work has been going on, for a worker that
    comes back after a night cannot have done everything at once.
    """

    name: str
    about: str
    means: str
    remedy: str
    progress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Maximum age of unfinished work, and how far back settled rows are checked."""

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
    recent: timedelta = timedelta(days=31)
    derived: timedelta = timedelta(hours=6)  # merchant_uids never change: it will do to look at each for a while


MOST_DEFERRALS = 28
"""A charge deferred so often in a row has waited for five days at least, with the longest back-off between."""

_REPORT = "look at it with `again charge show`, leave the rows as they are, and report it as a defect"

INVARIANTS: tuple[Invariant, ...] = (
    # --- at most one payment per period -----------------------------------------------------------------------------
    Invariant(
        "period_is_paid_once",
        "charge",
        "Two attempts of one charge are paid and no discrepancy says so: a customer has paid a period twice.",
        "compare both payments in PortOne's console, and give one of them back",
    ),
    Invariant(
        "paid_charge_has_a_paid_attempt",
        "charge",
        "The charge counts as paid, but no payment of it is on record: nobody may have paid it.",
        "look for the payment in PortOne's console by the merchant_uids of `again charge show`; report it as a defect",
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
        "see `again charge list` for the subscription, and give back or void what is too much",
    ),
    Invariant(
        "merchant_uid_names_its_period",
        "attempt",
        "The merchant_uid is not that of its subscription, period and number, so a payment would be assigned wrongly.",
        "`again stop`, and find out who has written into the tables by hand",
    ),
    Invariant(
        "nothing_is_claimed_while_stopped",
        "attempt",
        "A charge was claimed minutes after `again stop`: a worker does not see the switch.",
        "end the worker that did it; its release or its AGAIN_DATABASE_URL is another one",
    ),
    # --- nobody pays more than they agreed to -----------------------------------------------------------------------
    Invariant(
        "charge_is_covered_by_a_consent",
        "attempt",
        "A replaced key was charged with a period that had begun before its customer agreed and was not agreed to.",
        "`again stop`, compare `again charge show` with the consent, give back what is too much; report it as a defect",
    ),
    Invariant(
        "charge_that_awaits_consent_is_not_sent",
        "attempt",
        "The charge waits for its customer's consent, and was sent all the same.",
        "`again stop`, give back what was paid without consent, and report it as a defect",
    ),
    # --- no period is forgotten -------------------------------------------------------------------------------------
    Invariant(
        "charging_has_an_open_attempt",
        "charge",
        "The charge counts as in flight, but no attempt is open, so nobody will ever settle it.",
        _REPORT,
    ),
    Invariant(
        "open_attempt_has_a_charge_in_flight",
        "attempt",
        "The attempt is open, but its charge is not in flight, so the charge may be claimed beside it.",
        _REPORT,
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
        "The look-ups gave up and left the outcome to a person, but no open discrepancy asks one.",
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
        "The subscription is over, and its charge is neither void nor in flight: nobody will claim it.",
        _REPORT,
    ),
    Invariant(
        "discrepancy_is_decided_within_a_week",
        "discrepancy",
        "PortOne and the books have told differently for more than a week, and nobody has decided.",
        "`again review list` shows it, `again review resolve` decides it",
    ),
    # --- the work goes on -------------------------------------------------------------------------------------------
    Invariant(
        "due_period_is_opened",
        "subscription",
        "A period has begun and has no charge: the tick that opens charges does not run, or cannot bill this plan.",
        "start beat and a worker, and look for `subscription cannot be billed` in the worker's log",
        progress=True,
    ),
    Invariant(
        "due_charge_is_claimed",
        "charge",
        "The charge has been due for over an hour, nothing stands in its way, and nobody charges it.",
        "`again doctor worker portone`; start more workers, or look for `charge cannot be claimed` in their log",
        progress=True,
    ),
    Invariant(
        "abandoned_attempt_is_looked_up",
        "attempt",
        "Its worker died long ago, and nobody has asked PortOne what became of it: reconciliation does not run.",
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
        "The ladder of look-ups has ended, and the outcome is neither known nor left to a person.",
        "look for `attempt cannot be looked up` and for failed look-ups in the worker's log, and mend their cause",
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
        "All charging is held until PortOne's payments are compared with the books, and that does not come to an end.",
        "start beat and a worker, and look for `sweep waits` in its log; `again doctor portone`",
        progress=True,
    ),
    Invariant(
        "payments_are_compared_daily",
        "sweep",
        "No daily sweep has ended lately, so what PortOne and the books tell differently is not found.",
        "start beat and a worker, and look for `again.sweep` and `sweep waits` in its log",
        progress=True,
    ),
)
