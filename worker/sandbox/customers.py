"""The billing key endpoints: reading and deleting keys; registering by card data is rejected."""

from __future__ import annotations

from worker.sandbox import cancelling, lookups
from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import (
    Answer,
    ApiError,
    answered,
    as_json,
    bad_request,
    not_found,
    not_in_sandbox,
    refusal,
)
from worker.sandbox.rules.billing_keys import BillingKey, customer
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.providers import WALLETS, channel, channel_key
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows

MOST_CUSTOMERS = 100  # keys in one call [assumed], as for payments


def read(sandbox: Sandbox, call: Call) -> Answer:
    return answered(as_json(customer(_key(sandbox, call))))


def read_many(sandbox: Sandbox, call: Call) -> Answer:
    """Return several keys: HTTP 200 when all were found, 207 for some, 404 for none [documented]."""
    wanted = call.query_list("customer_uid")
    if not wanted or len(wanted) > MOST_CUSTOMERS:
        return bad_request(texts.TOO_MANY_IDS if wanted else texts.CUSTOMER_IDS_MISSING)
    keys = [key for uid in wanted if (key := key_rows.find(sandbox.ledger, uid)) is not None]
    if not keys:
        return not_found(texts.NO_CUSTOMER.format(customer_uid=", ".join(wanted)))
    return answered(as_json([customer(key) for key in keys]), status=200 if len(keys) == len(wanted) else 207)


def delete(sandbox: Sandbox, call: Call) -> Answer:
    """Delete a key for good; what is deleted is answered once more [documented]."""
    key = _key(sandbox, call)
    requester, reason = call.query_text("extra[requester]"), call.query_text("reason")
    cancelling.refuse_unasked(key.channel.pg_provider, reason=reason, requester=requester)
    key_rows.delete(sandbox.ledger, key.customer_uid, at=sandbox.now())
    return answered(as_json(customer(key)), result="deleted")


def payments(sandbox: Sandbox, call: Call) -> Answer:
    """Return the payments of a key; 404 for a deleted or unknown one [documented for unknown, assumed for deleted]."""
    return lookups.of_customer(sandbox, call, _key(sandbox, call).customer_uid)


def issue(sandbox: Sandbox, call: Call) -> Answer:
    """Keys by card data: not possible for wallets [documented]; for the others not part of this sandbox."""
    return _by_card_data(sandbox, call, call.in_path["customer_uid"])


def onetime(sandbox: Sandbox, call: Call) -> Answer:
    """Charges by card data: not possible for wallets [documented]; for the others not part of this sandbox."""
    return _by_card_data(sandbox, call, call.text("customer_uid"))


def channels(sandbox: Sandbox, call: Call) -> Answer:
    """Return the PGs this merchant has contracted: both wallets, on test channels."""
    del sandbox, call
    settings = [
        {
            "pg_provider": each.pg_provider,
            "pg_id": each.pg_id,
            "sandbox": each.sandbox,
            "type": "payment",
            "channel_name": f"sandbox {each.pg_provider}",
            "channel_key": channel_key(each.pg_provider),
        }
        for each in (channel(name, sandbox=True) for name in sorted(WALLETS))
    ]
    return answered(as_json(settings))


def _key(sandbox: Sandbox, call: Call) -> BillingKey:
    uid = call.in_path["customer_uid"]
    key = key_rows.find(sandbox.ledger, uid)
    if key is None:
        status = sandbox.switches.unknown_customer_status
        raise ApiError(refusal(texts.NO_CUSTOMER.format(customer_uid=uid), status=status, result="not_found"))
    return key


def _by_card_data(sandbox: Sandbox, call: Call, customer_uid: str | None) -> Answer:
    key = None if customer_uid is None else key_rows.find(sandbox.ledger, customer_uid)
    # `pg` is "provider" or "provider.MID"; channel_key names the provider at its end, in this sandbox
    named = (call.text("pg") or "").partition(".")[0] or (call.text("channel_key") or "").rpartition("-")[2]
    provider = named or ("" if key is None else key.channel.pg_provider)
    if provider in WALLETS:
        return refusal(texts.NOT_BY_CARD_DATA.format(pg=provider))
    return not_in_sandbox(f"{call.method} {call.path}")
