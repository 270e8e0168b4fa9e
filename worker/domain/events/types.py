"""The types of events. What each means and when it is written stands in the catalogue."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    CHARGE_PAID = "charge.paid"
    CHARGE_DECLINED = "charge.declined"
    CHARGE_UNRESOLVED = "charge.unresolved"
    CHARGE_UNCOLLECTIBLE = "charge.uncollectible"
    CHARGE_REOPENED = "charge.reopened"
    CHARGE_HELD = "charge.held"
    CHARGE_RELEASED = "charge.released"
    CHARGE_VOIDED = "charge.voided"
    CHARGE_REFUNDED = "charge.refunded"

    SUBSCRIPTION_CREATED = "subscription.created"
    SUBSCRIPTION_STARTED = "subscription.started"
    SUBSCRIPTION_ACTIVATED = "subscription.activated"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_RECOVERED = "subscription.recovered"
    SUBSCRIPTION_CHANGED = "subscription.changed"
    SUBSCRIPTION_KEY_REPLACED = "subscription.key_replaced"
    SUBSCRIPTION_PAUSED = "subscription.paused"
    SUBSCRIPTION_RESUMED = "subscription.resumed"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    SUBSCRIPTION_ENDED = "subscription.ended"
    SUBSCRIPTION_HELD = "subscription.held"
    SUBSCRIPTION_RELEASED = "subscription.released"

    BILLING_KEY_DEAD = "billing_key.dead"
    BILLING_KEY_REVIVED = "billing_key.revived"
    BILLING_KEY_DELETED = "billing_key.deleted"

    CHANGE_SCHEDULED = "change.scheduled"
    CHANGE_APPLIED = "change.applied"
    CHANGE_UNDONE = "change.undone"
    CHANGE_SUPERSEDED = "change.superseded"
    CHANGE_FAILED = "change.failed"

    REFUND_COMPLETED = "refund.completed"
    REFUND_REFUSED = "refund.refused"
    REFUND_UNRESOLVED = "refund.unresolved"

    DISCREPANCY_OPENED = "discrepancy.opened"
    DISCREPANCY_CLOSED = "discrepancy.closed"

    CHANNEL_STOPPED = "channel.stopped"
    CHANNEL_STARTED = "channel.started"
    PLAN_STOPPED = "plan.stopped"
    PLAN_STARTED = "plan.started"
    CHARGING_STOPPED = "charging.stopped"
    CHARGING_STARTED = "charging.started"

    INVARIANT_VIOLATED = "invariant.violated"
    INVARIANT_RESTORED = "invariant.restored"

    NOTICE_DUE = "notice.due"

    ALERT_OPENED = "alert.opened"
    ALERT_GROWN = "alert.grown"
    ALERT_CLOSED = "alert.closed"

    TEST = "webhook.test"
