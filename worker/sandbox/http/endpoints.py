"""The API as a table, and the one way into it: `handle` turns a call into steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from worker.sandbox import cancelling, charging, customers, executing, lookups, schedule_calls
from worker.sandbox.http import window_calls
from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import (
    Answer,
    ApiError,
    Delivery,
    Pause,
    Steps,
    answered,
    as_json,
    bad_request,
    dropped,
    never,
    not_in_sandbox,
    refusal,
    server_error,
    unauthorized,
    unavailable,
)
from worker.sandbox.rules.calls import Call
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.switches import Outage

Work = Callable[[Sandbox, Call], Steps]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API: a method and a path template with {names}."""

    method: str
    template: str
    work: Work
    needs_token: bool = True

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


def handle(sandbox: Sandbox, call: Call) -> Steps:
    """Process a call: yield pauses, then exactly one answer.

    What led to a step is committed before the step is handed out: no answer leaves before its charge is in the ledger.
    """
    found, epoch = _found(call), sandbox.epoch
    with sandbox.ledger.transaction():
        executing.run_due(sandbox)
        number = _noted(sandbox, call, found)
        steps = _steps(sandbox, call, found)
        step = _next(sandbox, steps, number)
    while isinstance(step, Pause):
        yield step
        if sandbox.epoch != epoch:
            step = dropped()
            break
        with sandbox.ledger.transaction():
            step = _next(sandbox, steps, number)
    yield step


def _next(sandbox: Sandbox, steps: Steps, number: int) -> Pause | Answer:
    step = next(steps)
    if isinstance(step, Answer):
        sandbox.ledger.execute("UPDATE requests SET result = ? WHERE number = ?", (step.result, number))
    return step


def _steps(sandbox: Sandbox, call: Call, found: tuple[Endpoint, Call] | Answer) -> Steps:
    if sandbox.switches.outage is not Outage.NONE:
        yield OUTAGES[sandbox.switches.outage]()
    elif isinstance(found, Answer):
        yield found
    elif found[0].needs_token and not sandbox.accepts(call.token):
        yield unauthorized()
    else:
        try:
            yield from found[0].work(sandbox, found[1])
        except ApiError as error:
            yield error.answer


def at_once(work: Callable[[Sandbox, Call], Answer]) -> Work:
    """Make steps of an endpoint that takes no time but the sandbox's latency."""

    def steps(sandbox: Sandbox, call: Call) -> Steps:
        seconds = sandbox.latency()
        if seconds:
            yield Pause(seconds)
        yield work(sandbox, call)

    return steps


def get_token(sandbox: Sandbox, call: Call) -> Answer:
    """Return the access token for the right key and secret; `now` is PortOne's clock [documented]."""
    key, secret = call.text("imp_key"), call.text("imp_secret")
    if key is None or secret is None:
        return bad_request(texts.CREDENTIALS_MISSING)
    if (key, secret) != (sandbox.settings.imp_key, sandbox.settings.imp_secret):
        return refusal(texts.CREDENTIALS_WRONG, code=-1, status=401, result="unauthorized")
    token = sandbox.grant_token()
    body = {"access_token": token.access_token, "now": sandbox.now(), "expired_at": token.expires_at}
    return answered(as_json(body))


AGAIN = Endpoint("POST", "/subscribe/payments/again", charging.again)
ENDPOINTS = (
    AGAIN,
    Endpoint("POST", "/users/getToken", at_once(get_token), needs_token=False),
    Endpoint("GET", "/users/pg", at_once(customers.channels)),
    Endpoint("GET", "/payments/find/{merchant_uid}", at_once(lookups.find)),
    Endpoint("GET", "/payments/find/{merchant_uid}/{status}", at_once(lookups.find)),
    Endpoint("GET", "/payments/findAll/{merchant_uid}", at_once(lookups.find_all)),
    Endpoint("GET", "/payments/findAll/{merchant_uid}/{status}", at_once(lookups.find_all)),
    Endpoint("GET", "/payments/status/{status}", at_once(lookups.by_status)),
    Endpoint("GET", "/payments/{imp_uid}", at_once(lookups.by_imp_uid)),
    Endpoint("GET", "/payments", at_once(lookups.by_ids)),
    Endpoint("POST", "/payments/cancel", cancelling.cancel),
    Endpoint("GET", "/subscribe/customers", at_once(customers.read_many)),
    Endpoint("GET", "/subscribe/customers/{customer_uid}", at_once(customers.read)),
    Endpoint("DELETE", "/subscribe/customers/{customer_uid}", at_once(customers.delete)),
    Endpoint("GET", "/subscribe/customers/{customer_uid}/payments", at_once(customers.payments)),
    Endpoint("POST", "/subscribe/customers/{customer_uid}", at_once(customers.issue)),
    Endpoint("POST", "/subscribe/payments/onetime", at_once(customers.onetime)),
    Endpoint("POST", "/subscribe/payments/schedule", at_once(schedule_calls.schedule)),
    Endpoint("GET", "/subscribe/payments/schedule", at_once(schedule_calls.listed)),
    Endpoint("POST", "/subscribe/payments/unschedule", at_once(schedule_calls.unschedule)),
    Endpoint("GET", "/subscribe/payments/schedule/customers/{customer_uid}", at_once(schedule_calls.of_customer)),
    Endpoint("GET", "/subscribe/customers/{customer_uid}/schedules", at_once(schedule_calls.of_customer)),
    Endpoint("GET", "/subscribe/payments/schedule/{merchant_uid}", at_once(schedule_calls.read)),
    Endpoint("PUT", "/subscribe/payments/schedule/{merchant_uid}", at_once(schedule_calls.move)),
    Endpoint("POST", "/subscribe/payments/schedule/{merchant_uid}/reschedule", at_once(schedule_calls.reschedule)),
    Endpoint("POST", "/subscribe/payments/schedule/{merchant_uid}/retry", at_once(schedule_calls.retry)),
    # not the API: requested by its JavaScript SDK and the payment windows
    Endpoint("POST", "/v1/windows", at_once(window_calls.open_window), needs_token=False),
    Endpoint("OPTIONS", "/v1/windows", at_once(window_calls.preflight), needs_token=False),
    Endpoint("GET", "/v1/windows/{window_id}", at_once(window_calls.show_window), needs_token=False),
    Endpoint("POST", "/v1/windows/{window_id}/decision", window_calls.decide, needs_token=False),
)
OUTAGES: dict[Outage, Callable[[], Answer]] = {
    Outage.REFUSE: lambda: dropped(Delivery.RESET),
    Outage.HANG: never,
    Outage.ERROR: server_error,
    Outage.UNAVAILABLE: unavailable,
}
# PortOne has more under this path than payments by their id [documented]; none of these is an id.
NO_IMP_UIDS = frozenset({"cancel", "find", "findAll", "prepare", "status"})
_PATTERNS = [(re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", each.template)), each) for each in ENDPOINTS]


def _found(call: Call) -> tuple[Endpoint, Call] | Answer:
    """Return the endpoint of a call, with the values in its path; a trailing slash is ignored [seen].

    What PortOne has and this sandbox lacks is never "not found": a client would believe that.
    """
    path = call.path.rstrip("/")
    found = [(endpoint, match) for pattern, endpoint in _PATTERNS if (match := pattern.fullmatch(path))]
    found = [(endpoint, match) for endpoint, match in found if match.groupdict().get("imp_uid") not in NO_IMP_UIDS]
    for endpoint, match in found:
        if endpoint.method == call.method:
            values = {name: unquote(value) for name, value in match.groupdict().items()}
            return endpoint, call.with_path_values(values)
    if found:
        return refusal(texts.METHOD_NOT_ALLOWED.format(method=call.method, path=call.path), status=405)
    return not_in_sandbox(f"{call.method} {call.path}")


def _noted(sandbox: Sandbox, call: Call, found: tuple[Endpoint, Call] | Answer) -> int:
    """Record a request in the ledger as it arrives; returns its number there."""
    endpoint = f"{call.method} ?" if isinstance(found, Answer) else found[0].name
    values = {} if isinstance(found, Answer) else found[1].in_path
    ids = [values.get(name) or call.text(name) for name in ("merchant_uid", "customer_uid")]
    sql = "INSERT INTO requests (received_at, endpoint, merchant_uid, customer_uid) VALUES (?, ?, ?, ?)"
    return sandbox.ledger.execute(sql, (sandbox.moment(), endpoint, *ids)).lastrowid or 0
