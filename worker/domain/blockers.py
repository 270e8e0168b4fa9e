"""What keeps a charge from being claimed. A charge is claimable when nothing of it applies.

The conditions themselves are SQL, each in one place: `worker.ledger.blockers`.
"""

from __future__ import annotations

from enum import StrEnum


class Blocker(StrEnum):
    """One reason not to claim a charge. Of several, the first in this order is the one that is named."""

    NOT_WAITING = "not_waiting"  # in flight, paid, given up or void: its status says what it is
    SUBSCRIPTION = "subscription"  # pending, paused, canceled or ended: it is not billed
    DISCREPANCY = "discrepancy"  # PortOne and our records differ about it, and that is not decided yet
    BILLING_KEY = "billing_key"  # none, or one that cannot be charged
    CONSENT = "consent"  # its key was replaced, and the customer has not agreed to pay it with the new one
    GATE = "gate"  # a consent or a message is missing that the consent gate wants for it
    STOP = "stop"  # the kill switch is set, for everything, for the key's PG or for its plan
    CHANNEL_CLOSED = "channel_closed"  # it is outside the PG's hours, or the PG is under maintenance
    SUBSCRIPTION_HELD = "subscription_held"  # a limit, reconciliation or an operator has stopped its subscription
    ATTEMPTS_SPENT = "attempts_spent"  # no merchant_uid is left for another attempt
    LAST_ATTEMPT = "last_attempt"  # its newest attempt is open or paid, which contradicts a charge that waits
    NO_NEXT_ATTEMPT = "no_next_attempt"  # its key was refused for good, and it waits for another one
    NOT_YET = "not_yet"  # its time has not come
    CHARGING_HOLD = "charging_hold"  # nothing is charged until PortOne's payments are compared with our records
    ANOTHER_CHARGE = "another_charge"  # one of the same subscription is in flight, or is due and older


ENDS_BY_ITSELF = frozenset({Blocker.CHARGING_HOLD, Blocker.CHANNEL_CLOSED})
"""The blockers that are of no charge in particular and pass, mostly within hours: who looks ahead leaves them out."""

FAULTS = frozenset({Blocker.ATTEMPTS_SPENT, Blocker.LAST_ATTEMPT})
"""The blockers that ordinary operation never leads to, and that nothing resolves without an operator."""
