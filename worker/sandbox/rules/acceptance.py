"""Which readable `again` requests are rejected: the PG's limits, and a merchant_uid seen before. Pure."""

from __future__ import annotations

from collections.abc import Collection

from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import Answer, bad_request, not_in_sandbox, refusal
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.charge_requests import ChargeRequest
from worker.sandbox.rules.providers import (
    HIGHEST_VAT_PERCENT,
    MINIMUM_KRW,
    NAME_REQUIRED,
    NEVER_REUSE,
    NO_KRW,
    PLAIN_MERCHANT_UID,
    QUOTA_FROM_KRW,
    WANTED,
    account_limits,
    channel_key,
    maximum_krw,
)
from worker.sandbox.switches import Repeat, Switches

PG_REFUSAL = -1  # code of an error answer from further down than PortOne [seen in client code]


def against_pg(request: ChargeRequest, key: BillingKey) -> Answer | None:
    """Return the PG's rejection of a request, if any; it leaves no payment and uses up no behaviour [assumed]."""
    provider, instrument = key.channel.pg_provider, key.instrument
    maximum = maximum_krw(provider, instrument, sandbox=key.channel.sandbox)
    if (unfit := _unfit(request, provider)) is not None:
        return unfit
    if request.card_quota >= 2 and request.amount < QUOTA_FROM_KRW:
        return bad_request(texts.QUOTA_TOO_SMALL_AMOUNT)
    if request.amount < MINIMUM_KRW.get(provider, 1):
        return refusal(texts.BELOW_MINIMUM.format(limit=MINIMUM_KRW.get(provider, 1)), code=PG_REFUSAL)
    highest_vat = HIGHEST_VAT_PERCENT.get(provider, 100) * request.amount
    if 100 * (request.vat_amount or 0) > highest_vat:
        return refusal(texts.VAT_TOO_HIGH, code=PG_REFUSAL)
    if maximum is not None and request.amount > maximum:
        return refusal(texts.ABOVE_MAXIMUM.format(limit=maximum), code=PG_REFUSAL)
    return None


def _unfit(request: ChargeRequest, provider: str) -> Answer | None:
    """Return the rejection of fields that do not fit the PG; that a channel must be the key's own is assumed."""
    if provider in NO_KRW and request.currency != "KRW":
        return not_in_sandbox(f"{provider} in {request.currency[:3]}")
    if request.currency != "KRW" or provider in NO_KRW:  # Kakao Pay and PAYCO take nothing else [documented]
        return bad_request(texts.CURRENCY_NOT_KRW)
    if request.channel_key is not None and request.channel_key != channel_key(provider):
        return refusal(texts.NO_SUCH_CHANNEL)
    if request.name is None and provider in NAME_REQUIRED:
        return bad_request(texts.NAME_REQUIRED_INICIS)
    if provider in PLAIN_MERCHANT_UID and not (request.merchant_uid.isascii() and request.merchant_uid.isalnum()):
        return bad_request(texts.MERCHANT_UID_NOT_PLAIN)
    missing = next((name for name in WANTED.get(provider, ()) if not request.given(name)), None)
    return None if missing is None else bad_request(texts.FIELD_MISSING.format(field=missing))


def against_sums(request: ChargeRequest, key: BillingKey, paid: tuple[int, int]) -> Answer | None:
    """Return the rejection above an account's limits [documented]; `paid` is its sums of today and this month."""
    limits = account_limits(key.channel, key.instrument)
    for span, limit, before in zip(("일", "월"), limits or (), paid, strict=False):
        if before + request.amount > limit:
            return refusal(texts.OVER_ACCOUNT_LIMIT.format(span=span, limit=limit), code=PG_REFUSAL)
    return None


def against_repeat(statuses: Collection[str], key: BillingKey, switches: Switches) -> Answer | None:
    """Return the rejection of a merchant_uid with these earlier payments; cancelled ones count as paid [assumed]."""
    if not statuses:
        return None
    if key.channel.pg_provider in NEVER_REUSE:
        return refusal(texts.ALREADY_USED)
    if "paid" in statuses or "cancelled" in statuses:
        return _refused_by(switches.repeated_paid, texts.ALREADY_PAID)
    return _refused_by(switches.repeated_failed, texts.ALREADY_USED)


def against_overlap(switches: Switches) -> Answer | None:
    """Return the rejection of a merchant_uid whose charge is still in progress; serializing is not one."""
    return _refused_by(switches.repeated_in_flight, texts.IN_FLIGHT)


def _refused_by(repeat: Repeat, message: str) -> Answer | None:
    match repeat:
        case Repeat.REFUSE:
            return refusal(message)
        case Repeat.REFUSE_AS_PG:
            return refusal(message, code=PG_REFUSAL)
        case Repeat.REFUSE_VAGUELY:
            return refusal(texts.REFUSED_VAGUELY, code=PG_REFUSAL)
        case Repeat.ACCEPT | Repeat.SERIALIZE:
            return None
