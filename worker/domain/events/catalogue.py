"""Every type of event: when it is written, and what it says. `docs/events.md` is made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from worker.domain.events.payloads import (
    Declined,
    Held,
    OfAlert,
    OfChange,
    OfChannel,
    OfCharge,
    OfCharging,
    OfDiscrepancy,
    OfInvariant,
    OfKey,
    OfNotice,
    OfPlan,
    OfRefund,
    OfSubscription,
    Paid,
    Payload,
    Released,
    Test,
    Unresolved,
)
from worker.domain.events.types import EventType


@dataclass(frozen=True, slots=True)
class Entry:
    """One type of event: when it is written, the model of its data, and that model's version."""

    when: str
    data: type[Payload]
    version: int = 1


CATALOGUE: Mapping[EventType, Entry] = {
    EventType.CHARGE_PAID: Entry(
        "A charge is paid: by its key, in a payment window, elsewhere, or because it came to nothing. Once per period.",
        Paid,
    ),
    EventType.CHARGE_DECLINED: Entry(
        "An attempt was declined. `charge.next_attempt_at` says when the next one is made, if one is.", Declined
    ),
    EventType.CHARGE_UNRESOLVED: Entry(
        "The look-ups could not find out whether an attempt was paid: an operator decides. The charge waits.",
        Unresolved,
    ),
    EventType.CHARGE_UNCOLLECTIBLE: Entry(
        "A charge is given up: its dunning calendar is spent, dunning has ended, or it was written off.", OfCharge
    ),
    EventType.CHARGE_REOPENED: Entry("A charge that was given up is collected once more.", OfCharge),
    EventType.CHARGE_HELD: Entry(
        "The consent gate holds a charge as it is opened, because a consent or a message is missing.", Held
    ),
    EventType.CHARGE_RELEASED: Entry(
        "The consent gate holds a charge no longer: `released_by` says why. Once for each that was held.", Released
    ),
    EventType.CHARGE_VOIDED: Entry("A charge is not owed: forgiven, skipped, or canceled with the rest.", OfCharge),
    EventType.CHARGE_REFUNDED: Entry(
        "PortOne shows more of a payment as refunded than before, by Again or elsewhere. `charge.refunded` is the sum.",
        OfCharge,
    ),
    EventType.SUBSCRIPTION_CREATED: Entry("A subscription was added.", OfSubscription),
    EventType.SUBSCRIPTION_STARTED: Entry(
        "A subscription has its first billing key: its trial or its first period begins.", OfSubscription
    ),
    EventType.SUBSCRIPTION_ACTIVATED: Entry("A trial has become a paid subscription.", OfSubscription),
    EventType.SUBSCRIPTION_PAST_DUE: Entry("A charge was declined, and dunning has started.", OfSubscription),
    EventType.SUBSCRIPTION_RECOVERED: Entry("Nothing that was declined is unpaid any more.", OfSubscription),
    EventType.SUBSCRIPTION_CHANGED: Entry(
        "Its plan, quantity, price or billing day is another one. What is charged for it is an event of the charge.",
        OfSubscription,
    ),
    EventType.SUBSCRIPTION_KEY_REPLACED: Entry("It is charged with another billing key.", OfSubscription),
    EventType.SUBSCRIPTION_PAUSED: Entry("Nothing falls due any more until it is resumed.", OfSubscription),
    EventType.SUBSCRIPTION_RESUMED: Entry("Its periods fall due again.", OfSubscription),
    EventType.SUBSCRIPTION_CANCELED: Entry(
        "Nothing more falls due, for good. What is paid runs on until `subscription.access_until`.", OfSubscription
    ),
    EventType.SUBSCRIPTION_ENDED: Entry("It was canceled, and what was paid is over too.", OfSubscription),
    EventType.SUBSCRIPTION_HELD: Entry(
        "A charge limit, reconciliation or an operator has held it: nothing of it is charged by its key.",
        OfSubscription,
    ),
    EventType.SUBSCRIPTION_RELEASED: Entry("An operator has released it.", OfSubscription),
    EventType.BILLING_KEY_DEAD: Entry(
        "A key was refused for good: the customer has to register another one. Once per subscription of the key.",
        OfKey,
    ),
    EventType.BILLING_KEY_REVIVED: Entry("A key that was dead works after all.", OfKey),
    EventType.BILLING_KEY_DELETED: Entry("A key was deleted at PortOne.", OfKey),
    EventType.CHANGE_SCHEDULED: Entry("A change was asked for that takes effect later, or waits.", OfChange),
    EventType.CHANGE_APPLIED: Entry("A change has taken effect.", OfChange),
    EventType.CHANGE_UNDONE: Entry("A scheduled change was undone.", OfChange),
    EventType.CHANGE_SUPERSEDED: Entry("A later change of its kind took the place of a scheduled one.", OfChange),
    EventType.CHANGE_FAILED: Entry("The time of a change came, and it could not be applied.", OfChange),
    EventType.REFUND_COMPLETED: Entry("PortOne shows a refund that was asked for here.", OfRefund),
    EventType.REFUND_REFUSED: Entry("A refund is not carried out, and never will be.", OfRefund),
    EventType.REFUND_UNRESOLVED: Entry(
        "The look-ups could not find out whether a refund was carried out: an operator decides.", OfRefund
    ),
    EventType.DISCREPANCY_OPENED: Entry(
        "PortOne and the records here differ, and an operator has to decide: `again review list`.", OfDiscrepancy
    ),
    EventType.DISCREPANCY_CLOSED: Entry("A discrepancy was decided, or is gone.", OfDiscrepancy),
    EventType.CHANNEL_STOPPED: Entry(
        "Charging through one PG is stopped, by refusals, by a limit or by an operator.", OfChannel
    ),
    EventType.CHANNEL_STARTED: Entry("Charging through one PG goes on.", OfChannel),
    EventType.PLAN_STOPPED: Entry("An operator has stopped charging what is on one plan.", OfPlan),
    EventType.PLAN_STARTED: Entry("Charging what is on one plan goes on.", OfPlan),
    EventType.CHARGING_STOPPED: Entry("All charging is stopped.", OfCharging),
    EventType.CHARGING_STARTED: Entry("Charging goes on.", OfCharging),
    EventType.INVARIANT_VIOLATED: Entry("An invariant of the records does not hold: `again status`.", OfInvariant),
    EventType.INVARIANT_RESTORED: Entry("An invariant that was violated holds again.", OfInvariant),
    EventType.NOTICE_DUE: Entry(
        "A customer has to be told something: send `texts` to them, in their language. See [notices](notices.md).",
        OfNotice,
    ),
    EventType.ALERT_OPENED: Entry("A check of `again doctor` finds a trouble. Once per trouble.", OfAlert),
    EventType.ALERT_GROWN: Entry(
        "There is more of a trouble than was told, such as another PG that is stopped. Every ten minutes at most.",
        OfAlert,
    ),
    EventType.ALERT_CLOSED: Entry("A trouble has been gone for ten minutes.", OfAlert),
    EventType.TEST: Entry("A destination was tested. Nothing has happened.", Test),
}


def schemas() -> Mapping[str, Any]:
    """Return one JSON Schema document: under `types`, what the data of each type looks like, and in which version."""
    models = sorted({entry.data for entry in CATALOGUE.values()}, key=lambda model: model.__name__)
    references, document = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/$defs/{model}"
    )
    types = {
        kind.value: {"version": entry.version, "data": references[entry.data, "serialization"]}
        for kind, entry in CATALOGUE.items()
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "types": types}
