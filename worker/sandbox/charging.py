"""`POST /subscribe/payments/again`: whether a request is charged, when the money moves, and what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from worker.sandbox import announcing
from worker.sandbox.rules import acceptance, charge_requests, payments, replies, texts
from worker.sandbox.rules.answers import Answer, ApiError, Pause, Steps, pause, refusal, unauthorized
from worker.sandbox.rules.behaviours import Behaviour, Reply, Verdict, current, drawn
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.charge_requests import ChargeRequest
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.providers import account_limits
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows, payment_rows
from worker.sandbox.store.payment_rows import Taxes
from worker.sandbox.switches import Repeat

SEOUL = ZoneInfo("Asia/Seoul")
TURN_SECONDS = 0.02  # between two checks of a serialized request whether the one before it has ended

RESULTS = {
    Verdict.PAID: "charged",
    Verdict.DECLINED: "declined",
    Verdict.UNTOUCHED: "untouched",
    Verdict.MISRECORDED: "misrecorded",
}


@dataclass(frozen=True, slots=True)
class Charging:
    """One charge in progress: the request, its key, how it will go, and when it started (UNIX seconds)."""

    request: ChargeRequest
    key: BillingKey
    behaviour: Behaviour
    started_at: int
    user_agent: str | None
    usage: str = "payment"  # customer_uid_usage of the payment [documented]


def again(sandbox: Sandbox, call: Call) -> Steps:
    """Charge a billing key.

    The steps go on whether or not the client still listens, as they do at PortOne [documented for V2, assumed here]:
    a client that has hung up may well be charged.
    """
    request = charge_requests.read(call)
    key = _key(sandbox, request)
    started_at = sandbox.now()
    yield from _turn(sandbox, request, key)
    charging = Charging(request, key, next_behaviour(sandbox, key), started_at, call.user_agent)
    latency = sandbox.latency()
    with sandbox.in_flight(request.merchant_uid):
        yield from pause(charging.behaviour.wait_seconds + latency / 2)
        payment = carried_out(sandbox, charging)
    yield from pause(charging.behaviour.answer_seconds + latency / 2)
    yield _reply(sandbox, charging.behaviour, payment)


def _key(sandbox: Sandbox, request: ChargeRequest) -> BillingKey:
    key = key_rows.find(sandbox.ledger, request.customer_uid)
    if key is None:
        raise ApiError(refusal(texts.NO_BILLING_KEY))
    _refuse(acceptance.against_pg(request, key))
    _refuse(acceptance.against_sums(request, key, paid_already(sandbox, key)))
    return key


def paid_already(sandbox: Sandbox, key: BillingKey) -> tuple[int, int]:
    """Return what a key has paid today and this month (in Seoul), in KRW; looked up only where a limit counts it."""
    if account_limits(key.channel, key.instrument) is None:
        return 0, 0
    day = sandbox.clock().astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = (day, day.replace(day=1))
    on_day, in_month = (payment_rows.charged_since(sandbox.ledger, key.customer_uid, at.timestamp()) for at in starts)
    return on_day, in_month


def _turn(sandbox: Sandbox, request: ChargeRequest, key: BillingKey) -> Iterator[Pause]:
    """Apply the rules for a merchant_uid seen before, after waiting for its turn if it is to be serialized."""
    switches = sandbox.switches
    if sandbox.is_in_flight(request.merchant_uid):
        _refuse(acceptance.against_overlap(switches))
        while switches.repeated_in_flight is Repeat.SERIALIZE and sandbox.is_in_flight(request.merchant_uid):
            yield Pause(TURN_SECONDS)
    _refuse(acceptance.against_repeat(payment_rows.statuses(sandbox.ledger, request.merchant_uid), key, switches))


def next_behaviour(sandbox: Sandbox, key: BillingKey) -> Behaviour:
    """Use up one call of the key's story, which may have changed while the request waited for its turn."""
    story, calls = key_rows.count_call(sandbox.ledger, key.customer_uid)
    return drawn(current(story, calls), key.customer_uid, calls)


def carried_out(sandbox: Sandbox, charging: Charging) -> Payment:
    """Move the money or do not, and record it; the ledger has it before any answer leaves."""
    number, now, behaviour = sandbox.next_number(), sandbox.now(), charging.behaviour
    payment = payments.started(
        charging.request,
        charging.key,
        number=number,
        at=charging.started_at,
        pg_tid="T" + sandbox.hex_of(f"tid:{number}")[:20],  # Kakao Pay's form [seen]; assumed for the others
        user_agent=charging.user_agent,
    )
    payment["customer_uid_usage"] = charging.usage
    is_paid = behaviour.verdict in (Verdict.PAID, Verdict.UNTOUCHED)
    payment = payments.paid(payment, at=now) if is_paid else payments.failed(payment, at=now, reason=behaviour.reason)
    if behaviour.verdict is Verdict.UNTOUCHED or (behaviour.verdict is Verdict.DECLINED and not behaviour.recorded):
        return payment  # only to answer with
    moved = 0 if behaviour.verdict is Verdict.DECLINED else charging.request.amount
    hidden = max(behaviour.hidden_seconds, sandbox.switches.lookup_delay_seconds)
    payment_rows.add(
        sandbox.ledger,
        payment,
        number=number,
        charged=moved,
        at=now,
        visible_at=sandbox.moment() + hidden if hidden else 0,
        notice_urls=charging.request.notice_urls,
        taxes=Taxes(charging.request.tax_free, charging.request.vat_amount),
        has_webhooks=announcing.has_webhooks(sandbox, charging.request.notice_urls),
    )
    if is_paid:
        announcing.announce(sandbox, payment, charging.request.notice_urls)
    return payment


def _reply(sandbox: Sandbox, behaviour: Behaviour, payment: Payment) -> Answer:
    if behaviour.reply is Reply.UNAUTHORIZED:
        sandbox.end_token()
        return unauthorized()
    return replace(replies.reply(behaviour, payment), result=RESULTS[behaviour.verdict])


def _refuse(answer: Answer | None) -> None:
    if answer is not None:
        raise ApiError(answer)
