"""The admin API under /_sandbox/: making billing keys, causing trouble, and reading the ledger."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from worker.sandbox.http import console
from worker.sandbox.rules import billing_keys, payments, stories
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows, payment_rows, reports

TOKEN_HEADER = "X-Sandbox-Admin-Token"  # noqa: S105 (a header's name)
CLOSED = (
    "The sandbox listens beyond loopback, so its admin API needs an admin token: "
    f"start it with one and send it as {TOKEN_HEADER}."
)
WRONG_TOKEN = f"The admin token in {TOKEN_HEADER} is missing or wrong."
JSON_ONLY = "Send application/json; that keeps web pages of other sites from changing the sandbox."

MOST_DIGITS = 15  # digits of a number in a query

Command = Callable[[Request, dict[str, Any]], Any]


class Admin:
    """The admin endpoints of one sandbox, and their access check."""

    def __init__(self, sandbox: Sandbox, *, bound_to_loopback: bool, token: str | None) -> None:
        self._sandbox = sandbox
        self._bound_to_loopback = bound_to_loopback
        self._token = token

    def routes(self) -> list[Route]:
        """List the endpoints; GET reads, POST changes."""
        return [
            self._route("GET", "/health", self._health, anyone=True),
            self._route("GET", "/ledger", self._ledger),
            self._route("GET", "/charges", self._charges),
            self._route("GET", "/payments", self._payments),
            self._route("GET", "/requests", self._requests),
            self._route("GET", "/keys", self._keys),
            self._route("POST", "/keys", self._make_keys),
            self._route("POST", "/behaviours", self._set_story),
            self._route(
                "POST", "/cancel_behaviours", lambda _, values: console.set_cancel_story(self._sandbox, values)
            ),
            self._route("GET", "/switches", self._switches),
            self._route("POST", "/switches", self._change_switches),
            self._route("POST", "/clock", lambda _, values: console.turn_clock(self._sandbox, values)),
            self._route("POST", "/token/end", self._end_token),
            self._route("POST", "/payments/correct", self._correct),
            self._route("GET", "/windows", self._windows),
            self._route("GET", "/webhooks", self._webhooks),
            self._route("POST", "/webhooks/resend", lambda _, values: console.resend(self._sandbox, values)),
            self._route("POST", "/payments/cancel", lambda _, values: console.cancel(self._sandbox, values)),
            self._route("POST", "/reset", self._reset),
        ]

    def _route(self, method: str, path: str, command: Command, *, anyone: bool = False) -> Route:
        async def endpoint(request: Request) -> Response:
            refused = None if anyone else self._refused(request)
            if refused is not None:
                return refused
            try:
                values = await request.json() if method == "POST" else {}
                return JSONResponse(command(request, _object(values)))
            except ValueError as error:  # bad JSON, BadBillingKey, BadBehaviour, BadSwitch
                return JSONResponse({"error": str(error)}, 400)

        return Route(path, endpoint, methods=[method])

    def _refused(self, request: Request) -> Response | None:
        if self._token is None and not self._bound_to_loopback:
            return JSONResponse({"error": CLOSED}, 403)
        given = request.headers.get(TOKEN_HEADER, "")
        if self._token is not None and not hmac.compare_digest(given.encode(), self._token.encode()):
            return JSONResponse({"error": WRONG_TOKEN}, 403)
        # Exactly this type: `text/plain; x=json` may be sent by any page without a preflight.
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":
            return JSONResponse({"error": JSON_ONLY}, 415)
        return None

    # reading

    def _health(self, _: Request, __: dict[str, Any]) -> Any:
        """Return that this is the sandbox, without a token: a client that takes it for PortOne has to find out."""
        return {"sandbox": "PortOne V1", "now": self._sandbox.now()}

    def _ledger(self, _: Request, __: dict[str, Any]) -> Any:
        return reports.summary(self._sandbox.ledger)

    def _charges(self, _: Request, __: dict[str, Any]) -> Any:
        return reports.charges_by_merchant_uid(self._sandbox.ledger)

    def _payments(self, request: Request, _: dict[str, Any]) -> Any:
        query = request.query_params
        return reports.payments(
            self._sandbox.ledger,
            after=_number(request, "after", 0),
            merchant_uid=query.get("merchant_uid"),
            customer_uid=query.get("customer_uid"),
            charged_only=query.get("charged_only") == "true",
            limit=_number(request, "limit", -1),
        )

    def _requests(self, request: Request, _: dict[str, Any]) -> Any:
        query = request.query_params
        return reports.requests(
            self._sandbox.ledger,
            after=_number(request, "after", 0),
            merchant_uid=query.get("merchant_uid"),
            endpoint=query.get("endpoint"),
            limit=_number(request, "limit", -1),
        )

    def _keys(self, _: Request, __: dict[str, Any]) -> Any:
        return [
            {**billing_keys.customer(key), "behaviours": stories.written(key.story), "calls": key.calls}
            for key in key_rows.everything(self._sandbox.ledger)
        ]

    def _switches(self, _: Request, __: dict[str, Any]) -> Any:
        return self._sandbox.switches.as_json()

    def _windows(self, request: Request, _: dict[str, Any]) -> Any:
        return console.windows(self._sandbox, merchant_uid=request.query_params.get("merchant_uid"))

    def _webhooks(self, request: Request, _: dict[str, Any]) -> Any:
        query = request.query_params
        return console.webhooks(
            self._sandbox,
            after=_number(request, "after", 0),
            merchant_uid=query.get("merchant_uid"),
            imp_uid=query.get("imp_uid"),
        )

    # changing

    def _make_keys(self, _: Request, values: dict[str, Any]) -> Any:
        if unknown := sorted(set(values) - {"keys"}):
            raise ValueError(f"Making keys takes no {', '.join(unknown)}; it takes keys, a list of billing keys.")
        now = self._sandbox.now()
        keys = [billing_keys.read(each, now=now) for each in _list(values, "keys")]
        key_rows.put(self._sandbox.ledger, keys)
        return {"made": len(keys)}

    def _set_story(self, _: Request, values: dict[str, Any]) -> Any:
        uids = None if values.get("customer_uids") is None else _list(values, "customer_uids")
        story = stories.read(values.get("behaviours"))
        return {"told": key_rows.set_story(self._sandbox.ledger, story, uids)}

    def _change_switches(self, _: Request, values: dict[str, Any]) -> Any:
        self._sandbox.change_switches(values)
        return self._sandbox.switches.as_json()

    def _end_token(self, _: Request, __: dict[str, Any]) -> Any:
        self._sandbox.end_token()
        return {}

    def _correct(self, _: Request, values: dict[str, Any]) -> Any:
        """Turn a failed payment into a paid one, as PortOne does when it corrects a record."""
        ledger, now = self._sandbox.ledger, self._sandbox.now()
        payment = payment_rows.find(ledger, str(values.get("imp_uid")))
        if payment is None or payment["status"] != "failed":
            raise ValueError("Only a failed payment can be corrected; there is none with that imp_uid.")
        payment_rows.change(ledger, payments.paid(payment, at=now), at=now)
        return {}

    def _reset(self, _: Request, __: dict[str, Any]) -> Any:
        self._sandbox.reset()
        return {}


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name)
    if text is not None and not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError(f"{name} is a whole number.")
    return usual if text is None else int(text)


def _object(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ValueError("The body is a JSON object.")  # noqa: TRY004 (a caller's mistake, not a program's)
    return values


def _list(values: dict[str, Any], name: str) -> list[Any]:
    if not isinstance(values.get(name), list):
        raise ValueError(f"{name} is a list.")  # noqa: TRY004 (a caller's mistake, not a program's)
    return list(values[name])
