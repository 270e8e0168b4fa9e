"""What events say, as models: a JSON Schema is made of each. No personal data, no customer_uid, no free text.

A field is added under the same version. One that is removed or means something else makes a new version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schedules.notices import NoticeKind
from worker.domain.changes import ChangeKind, ChangeStatus
from worker.domain.consent_gate.release import GateRelease
from worker.domain.consent_gate.rules import RuleCode, Wanted
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.outcomes import DeclineKind
from worker.domain.refunds import RefundStatus
from worker.domain.states import ChargeStatus, SubscriptionStatus

Won = Annotated[int, Field(ge=0, description="in won")]


class Payload(BaseModel):
    """What every event's data is built on: nothing unknown gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SubscriptionState(Payload):
    """A subscription, as it is when the event is read out of the outbox: never older than the event."""

    code: Annotated[str, Field(description="the subscription's code, which a sign-up returns")]
    plan: Annotated[str, Field(description="the plan's code")]
    quantity: Annotated[int, Field(ge=1)]
    status: SubscriptionStatus
    paid_until: Annotated[AwareDatetime | None, Field(description="the end of its last paid period")]
    access_until: Annotated[
        AwareDatetime | None,
        Field(
            description="until when the customer has what they pay for: with the plan's grace, or until a trial ends"
        ),
    ]
    next_charge_at: Annotated[AwareDatetime | None, Field(description="when its next period begins; null if none does")]


class ChargeState(Payload):
    """A charge: what one subscription owes for one period. Its amounts never change."""

    id: int
    period_start: AwareDatetime
    period_end: AwareDatetime
    amount: Won
    tax_free: Won
    vat_amount: Annotated[Won | None, Field(description="in won; null where the PG works it out")]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    status: ChargeStatus
    refunded: Won
    next_attempt_at: Annotated[AwareDatetime | None, Field(description="when it is charged next, if it is")]


class AttemptState(Payload):
    """One attempt to collect a charge."""

    merchant_uid: Annotated[str, Field(pattern="^[A-Za-z0-9]{1,40}$", description="the payment's id at PortOne")]
    number: Annotated[int, Field(ge=1, le=999, description="1 for the first attempt of its period")]
    pg: Annotated[str | None, Field(description="PortOne's pg_provider")]
    imp_uid: Annotated[str | None, Field(description="PortOne's own id of the payment, if it gave one")]
    receipt_url: Annotated[str | None, Field(description="the PG's page of the receipt, once it is paid")]


class OfSubscription(Payload):
    subscription: SubscriptionState


class OfCharge(OfSubscription):
    charge: ChargeState


class Paid(OfCharge):
    attempt: Annotated[AttemptState | None, Field(description="null for what was paid elsewhere, or came to nothing")]


class Declined(OfCharge):
    attempt: AttemptState
    decline: DeclineKind
    code: Annotated[str | None, Field(description="the PG's code, if it gave one")]


class Unresolved(OfCharge):
    attempt: AttemptState


class Lack(Payload):
    """One thing that a charge lacks by the rules of the consent gate. Days are those of the plan's time zone."""

    rule: RuleCode
    wanted: Wanted
    days: Annotated[int, Field(ge=0, description="how old a consent may be at most, and a message must be at least")]
    not_before: Annotated[date | None, Field(description="the first day on which a consent counts")]
    by: Annotated[
        date | None,
        Field(description="the last day on which a message was in time; a later one counts once its days are over"),
    ]


class Held(OfCharge):
    lacks: Annotated[Sequence[Lack], Field(min_length=1)]


class Released(OfCharge):
    released_by: Annotated[
        GateRelease,
        Field(
            description="a consent; a message whose days are over; an operator's override; a mode that is not strict "
            "any more; that the rules want nothing of it now; or that it is settled, paid or void"
        ),
    ]


class OfKey(OfSubscription):
    billing_key: Annotated[int, Field(description="the key's id here, as `again key list` shows it")]


class OfChange(OfSubscription):
    change: int
    kind: ChangeKind
    status: ChangeStatus
    effective_at: AwareDatetime
    charge_id: Annotated[int | None, Field(description="the charge that it is about, if any")]


class OfRefund(Payload):
    subscription: SubscriptionState | None
    refund: int
    charge_id: int | None
    status: RefundStatus
    amount: Won
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    merchant_uid: Annotated[str, Field(description="the payment that it refunds")]


class OfDiscrepancy(Payload):
    subscription: SubscriptionState | None
    discrepancy: int
    kind: DiscrepancyKind
    status: DiscrepancyStatus
    merchant_uid: str
    charge_id: int | None


class OfChannel(Payload):
    pg: Annotated[str, Field(description="PortOne's pg_provider")]


class OfPlan(Payload):
    plan: Annotated[str, Field(description="its code")]


class OfCharging(Payload):
    """All charging: there is nothing more to say."""


class OfInvariant(Payload):
    name: Annotated[str, Field(description="as `again doctor invariants` names it")]
    rows: Annotated[int, Field(ge=0, description="how many rows break it")]


class NoticeText(Payload):
    title: str
    body: str


class NoticeTexts(Payload):
    """The finished text in each language."""

    ko: NoticeText
    en: NoticeText


class OfNotice(OfSubscription):
    notice: int
    kind: NoticeKind
    about: Annotated[
        AwareDatetime,
        Field(description="when the period begins, the trial is over or the price rises; or when it happened"),
    ]
    correction: Annotated[
        int,
        Field(ge=0, description="how often the customer was told of it before: from 1 on, this is what is true now"),
    ]
    follows: Annotated[str | None, Field(description="the id of the event that it follows; null of what is to come")]
    amount: Annotated[Won | None, Field(description="in won: what is, was or will be charged, or was refunded in all")]
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")]
    receipt_url: Annotated[str | None, Field(description="the PG's page of the receipt, of a payment")]
    texts: NoticeTexts


class OfAlert(Payload):
    """For operators: the texts are those of `again doctor`, and quote what operators have written."""

    alert: int
    check: Annotated[str, Field(description="which check of `again doctor` has found it")]
    finding: Annotated[str, Field(description="what is wrong")]
    remedy: Annotated[str, Field(description="what to do about it")]
    opened_at: AwareDatetime


class Test(Payload):
    """Sent by `again webhook test`: nothing has happened."""

    destination: str
