"""Statuses, the transitions between them, and who moves a row on from each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ChargeStatus(StrEnum):
    DUE = "due"  # owed and never declined; a pump claims it once next_attempt_at has come
    CHARGING = "charging"  # claimed: its open attempt decides; a crash leaves it here for reconciliation
    PAST_DUE = "past_due"  # declined; the pump claims it again at next_attempt_at, or an operator must act
    PAID = "paid"  # paid once, for good; by a payment at PortOne, or elsewhere
    UNCOLLECTIBLE = "uncollectible"  # given up: its calendar is spent, or it was written off
    VOID = "void"  # not owed: skipped by the catch-up policy, canceled with its subscription, or forgiven


class WaitReason(StrEnum):
    """Why a charge waits, mostly after its last attempt. Kept until its next attempt, though it may be due by then."""

    MONTH_QUOTA = "month_quota"  # the key was charged as often as its contract allows in a month
    NOT_SENT = "not_sent"  # nothing was charged: the request did not leave, or proved absent
    MAINTENANCE = "maintenance"  # of the PG
    CONFIGURATION = "configuration"  # the merchant's contract or settings are at fault, not the customer
    DUNNING = "dunning"  # declined; the dunning calendar decides
    OTHER_KEY = "other_key"  # declined for good: the subscription needs another billing key
    POSTPONED = "postponed"  # until a date that was asked for


class AttemptStatus(StrEnum):
    STARTED = "started"  # committed before the request left; older than its lease, it is abandoned
    UNKNOWN = "unknown"  # it could have been charged; reconciliation looks it up
    PAID = "paid"
    DECLINED = "declined"
    NOT_CHARGED = "not_charged"  # proved; the next claim sends the same merchant_uid again


class SubscriptionStatus(StrEnum):
    PENDING = "pending"  # waits for its first billing key
    TRIALING = "trialing"  # free until next_charge_at
    ACTIVE = "active"
    PAST_DUE = "past_due"  # a charge was declined; later periods keep falling due
    PAUSED = "paused"  # nothing falls due
    CANCELED = "canceled"  # nothing more falls due, for good; what was paid may run on
    ENDED = "ended"  # canceled, and what was paid is over too


class BillingKeyStatus(StrEnum):
    REGISTERING = "registering"
    ACTIVE = "active"
    DEAD = "dead"  # a hard decline; needs a new instrument
    DELETED = "deleted"


class HoldStatus(StrEnum):
    HELD = "held"  # a limit stopped this subscription: nothing of it is claimed until an operator has looked
    RELEASED = "released"


class SweepReason(StrEnum):
    """Why a sweep began."""

    DAILY = "daily"
    BY_HAND = "by_hand"  # `again sweep`
    GAP = "gap"  # no worker has looked at the database for a while
    RESTORED = "restored"  # the database is a copy, or an operator said that it is a restored backup
    CLOCK = "clock"  # the database's clock was set


class SweepEnd(StrEnum):
    """Why a sweep ended before it had compared everything."""

    RELEASED = "released"  # `again sweep --release`
    CLOCK_SET = "clock_set"  # its times lost their meaning when a clock was set, and another sweep began


class Via(StrEnum):
    """How an attempt was last sent out into the world."""

    AGAIN = "again"  # by us, with a billing key
    WINDOW = "window"  # by the customer, in a payment window: only they decide whether and when


class CheckoutPurpose(StrEnum):
    REGISTER = "register"  # the first billing key of a subscription, perhaps with its first payment
    REPLACE = "replace"  # another billing key for a running subscription
    PAY = "pay"  # one past-due charge, by hand


class ConsentSource(StrEnum):
    """Who asked the customer, and can tell what they were shown."""

    CHECKOUT = "checkout"  # our own pages
    HOST = "host"  # a host application's pages
    OPERATOR = "operator"  # an operator, by a command


class CheckoutStatus(StrEnum):
    CREATED = "created"  # its link was made
    OPENED = "opened"  # agreed to: a payment window may be open, so PortOne is asked what became of it
    DONE = "done"  # proved at PortOne and carried out, once
    EXPIRED = "expired"  # nothing came of it; should PortOne show otherwise later, it is carried out after all


class WebhookOutcome(StrEnum):
    """What the look-up of a webhook came to."""

    UNKNOWN_PAYMENT = "unknown_payment"  # PortOne shows no such payment
    NOT_OURS = "not_ours"  # a payment, under no merchant_uid of ours
    COMPARED = "compared"  # a period's payment that belongs to no checkout: compared with our records
    REFUSED = "refused"  # its checkout could not be completed; `outcome_detail` says why
    DONE = "done"  # its checkout is done
    WAITING = "waiting"
    DECLINED = "declined"
    EXPIRED = "expired"


CHARGE_TRANSITIONS: Mapping[ChargeStatus, frozenset[ChargeStatus]] = {
    ChargeStatus.DUE: frozenset(
        {ChargeStatus.CHARGING, ChargeStatus.PAID, ChargeStatus.VOID, ChargeStatus.UNCOLLECTIBLE}
    ),
    ChargeStatus.CHARGING: frozenset(
        {ChargeStatus.PAID, ChargeStatus.PAST_DUE, ChargeStatus.DUE, ChargeStatus.UNCOLLECTIBLE}
    ),
    ChargeStatus.PAST_DUE: frozenset(
        {ChargeStatus.CHARGING, ChargeStatus.PAID, ChargeStatus.VOID, ChargeStatus.UNCOLLECTIBLE}
    ),
    ChargeStatus.PAID: frozenset(),
    # paid after all, collected again (due if it was never declined), or forgiven
    ChargeStatus.UNCOLLECTIBLE: frozenset(
        {ChargeStatus.PAID, ChargeStatus.DUE, ChargeStatus.PAST_DUE, ChargeStatus.VOID}
    ),
    ChargeStatus.VOID: frozenset(),
}

ATTEMPT_TRANSITIONS: Mapping[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.STARTED: frozenset(
        {AttemptStatus.PAID, AttemptStatus.DECLINED, AttemptStatus.NOT_CHARGED, AttemptStatus.UNKNOWN}
    ),
    AttemptStatus.UNKNOWN: frozenset({AttemptStatus.PAID, AttemptStatus.DECLINED, AttemptStatus.NOT_CHARGED}),
    # sent again under the same merchant_uid, or a late answer proves the proof wrong
    AttemptStatus.NOT_CHARGED: frozenset({AttemptStatus.STARTED, AttemptStatus.PAID}),
    AttemptStatus.PAID: frozenset(),
    AttemptStatus.DECLINED: frozenset({AttemptStatus.PAID}),  # by a backfill only: PortOne shows a payment after all
}

BILLED_SUBSCRIPTIONS = frozenset({SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE})
"""The subscriptions whose periods fall due."""

SUBSCRIPTION_TRANSITIONS: Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]] = {
    SubscriptionStatus.PENDING: frozenset(
        {SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}
    ),
    SubscriptionStatus.TRIALING: frozenset(
        {
            SubscriptionStatus.ACTIVE,
            SubscriptionStatus.PAST_DUE,
            SubscriptionStatus.PAUSED,
            SubscriptionStatus.CANCELED,
        }
    ),
    SubscriptionStatus.ACTIVE: frozenset(
        {SubscriptionStatus.PAST_DUE, SubscriptionStatus.PAUSED, SubscriptionStatus.CANCELED}
    ),
    SubscriptionStatus.PAST_DUE: frozenset(
        {SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED, SubscriptionStatus.CANCELED}
    ),
    # resumed as it stands by then
    SubscriptionStatus.PAUSED: BILLED_SUBSCRIPTIONS | {SubscriptionStatus.CANCELED},
    SubscriptionStatus.CANCELED: frozenset({SubscriptionStatus.ENDED}),
    SubscriptionStatus.ENDED: frozenset(),
}

CHECKOUT_TRANSITIONS: Mapping[CheckoutStatus, frozenset[CheckoutStatus]] = {
    CheckoutStatus.CREATED: frozenset({CheckoutStatus.OPENED, CheckoutStatus.EXPIRED}),
    CheckoutStatus.OPENED: frozenset({CheckoutStatus.DONE, CheckoutStatus.EXPIRED}),
    CheckoutStatus.DONE: frozenset(),
    CheckoutStatus.EXPIRED: frozenset({CheckoutStatus.DONE}),
}

OPEN_ATTEMPTS = frozenset({AttemptStatus.STARTED, AttemptStatus.UNKNOWN})
CLAIMABLE_CHARGES = frozenset(status for status, after in CHARGE_TRANSITIONS.items() if ChargeStatus.CHARGING in after)
UNSETTLED_CHARGES = CLAIMABLE_CHARGES | {ChargeStatus.UNCOLLECTIBLE}
"""The charges that are neither in flight nor settled for good: what a customer or an operator may still decide."""
