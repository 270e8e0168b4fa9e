"""A billing key as PortOne stores it: the instrument of a customer_uid, and its behaviours in the sandbox. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.sandbox.rules import stories
from worker.sandbox.rules.behaviours import Behaviour
from worker.sandbox.rules.providers import PG_PROVIDERS, WALLETS, Channel, Instrument, channel

FIELDS = ("customer_uid", "pg", "instrument", "sandbox", "behaviours")
CUSTOMER_UID_LIMIT = 80  # characters [documented]
# CustomerAnnotation's fields about the buyer, with their limits [documented].
HOLDER_LIMITS = {
    "customer_id": 80,
    "customer_name": 20,
    "customer_tel": 20,
    "customer_email": 200,
    "customer_addr": 200,
    "customer_postcode": 8,
}
# A masked card in the form seen for Nice; no real card has this number.
CARD = {
    "card_name": "BC카드",
    "card_code": "361",
    "card_issuer_code": "361",
    "card_issuer_name": "BC카드",
    "card_publisher_code": "361",
    "card_publisher_name": "BC카드",
    "card_number": "00000000****0000",
    "card_type": 0,
}
NO_CARD: dict[str, Any] = dict.fromkeys(CARD)


class BadBillingKey(ValueError):
    """A billing key is invalid; the message names what is wrong."""


@dataclass(frozen=True, slots=True)
class BillingKey:
    """One customer_uid. `calls` counts the `again` calls that met its behaviours; times are UNIX seconds."""

    customer_uid: str = field(repr=False)
    channel: Channel
    instrument: Instrument = Instrument.CARD
    story: tuple[Behaviour, ...] = ()
    holder: Mapping[str, str] = field(default_factory=dict, repr=False)
    calls: int = 0
    inserted: int = 0
    updated: int = 0


def read(values: Any, *, now: int) -> BillingKey:
    """Read a key as an admin describes it: customer_uid, pg, instrument, sandbox, behaviours and a holder's data.

    Raises BadBillingKey, or BadBehaviour from its behaviours.
    """
    if not isinstance(values, dict):
        raise BadBillingKey("A billing key is a JSON object with at least a customer_uid.")
    known = (*FIELDS, *HOLDER_LIMITS)
    if unknown := sorted(set(values) - set(known)):
        raise BadBillingKey(f"A billing key has no {', '.join(unknown)}; it has {', '.join(known)}.")
    uid = values.get("customer_uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= CUSTOMER_UID_LIMIT:
        raise BadBillingKey(f"A customer_uid is text of 1 to {CUSTOMER_UID_LIMIT} characters.")
    return BillingKey(
        customer_uid=uid,
        channel=_channel(values),
        instrument=_instrument(values),
        story=stories.read(values.get("behaviours", [])),
        holder=_holder(values),
        inserted=now,
        updated=now,
    )


def customer(key: BillingKey) -> dict[str, Any]:
    """Return a key as CustomerAnnotation; wallets have no card fields [documented for PayPal, assumed here]."""
    shows_card = key.instrument is Instrument.CARD and key.channel.pg_provider not in WALLETS
    return {
        "customer_uid": key.customer_uid,
        "pg_provider": key.channel.pg_provider,
        "pg_id": key.channel.pg_id,
        "sandbox": key.channel.sandbox,
        **(CARD if shows_card else NO_CARD),
        **{name: key.holder.get(name) for name in HOLDER_LIMITS},
        "inserted": key.inserted,
        "updated": key.updated,
    }


def _channel(values: Mapping[str, Any]) -> Channel:
    provider = values.get("pg", "kakaopay")
    if provider not in PG_PROVIDERS:
        raise BadBillingKey(f"pg is {provider!r}; `again` knows {', '.join(sorted(PG_PROVIDERS))}.")
    sandbox = values.get("sandbox", True)
    if not isinstance(sandbox, bool):
        raise BadBillingKey("sandbox is true (a test channel) or false.")
    return channel(provider, sandbox=sandbox)


def _instrument(values: Mapping[str, Any]) -> Instrument:
    usual = Instrument.MONEY if values.get("pg", "kakaopay") == "kakaopay" else Instrument.CARD
    instrument = values.get("instrument", usual)
    if instrument not in list(Instrument):
        raise BadBillingKey(f"instrument is {instrument!r}; it can be {', '.join(Instrument)}.")
    return Instrument(instrument)


def _holder(values: Mapping[str, Any]) -> dict[str, str]:
    holder = {name: values[name] for name in HOLDER_LIMITS if values.get(name) is not None}
    for name, value in holder.items():
        if not isinstance(value, str) or len(value) > HOLDER_LIMITS[name]:
            raise BadBillingKey(f"{name} is text of at most {HOLDER_LIMITS[name]} characters.")
    return holder
