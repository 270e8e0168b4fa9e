"""Client of a sandbox's admin API, for tests and demos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from worker.sandbox.http.admin import TOKEN_HEADER
from worker.sandbox.rules import stories
from worker.sandbox.rules.behaviours import Behaviour


class SandboxAdminError(RuntimeError):
    """The sandbox rejected an admin call; the message is the sandbox's own."""


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What really happened. A charge is money that moved, even if it was recorded as failed or refunded since."""

    payments: Mapping[str, Mapping[str, int]]  # by status: payments, amount, charged, refunded
    charges: int
    charged_krw: int
    refunded_krw: int
    kept_krw: int
    again_requests: int
    again_results: Mapping[str, int]
    charged_twice: Mapping[str, int]  # merchant_uid -> times, where more than once

    def count(self, status: str) -> int:
        """Return how many payments PortOne has in a status."""
        return self.payments.get(status, {}).get("payments", 0)


class SandboxAdmin:
    """A connection to a sandbox's admin API. `base_url` is the sandbox's, without a path."""

    def __init__(self, base_url: str, *, admin_token: str | None = None, timeout_seconds: float = 30.0) -> None:
        headers = {} if admin_token is None else {TOKEN_HEADER: admin_token}
        # trust_env: a proxy configured for the machine must not stand between a test and its sandbox. verify: loading
        # the certificate authorities takes longer than the calls, and plain HTTP does not use them.
        self._http = httpx.Client(
            base_url=base_url,
            headers=headers,
            timeout=timeout_seconds,
            trust_env=False,
            verify=not base_url.startswith("http://"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def is_up(self) -> bool:
        """Return whether a sandbox answers at all."""
        try:
            return "sandbox" in self._get("health")
        except (httpx.TransportError, SandboxAdminError):
            return False

    # billing keys and how they behave

    def create_key(
        self,
        customer_uid: str,
        *behaviours: Behaviour,
        pg: str = "kakaopay",
        instrument: str | None = None,
        sandbox: bool = True,
        **holder: str,
    ) -> None:
        """Make one billing key; without behaviours it pays."""
        key: dict[str, Any] = {"customer_uid": customer_uid, "pg": pg, "sandbox": sandbox, **holder}
        if instrument is not None:
            key["instrument"] = instrument
        self.create_keys([{**key, "behaviours": stories.written(behaviours)}])

    def create_keys(self, keys: Iterable[Mapping[str, Any]]) -> int:
        """Make any number of keys in one call: mappings with customer_uid, and pg, instrument, sandbox, behaviours."""
        made: int = self._post("keys", {"keys": [dict(key) for key in keys]})["made"]
        return made

    def keys(self) -> list[dict[str, Any]]:
        """Return all keys, each with its behaviours and the number of calls that met them."""
        return list(self._get("keys"))

    def behave(self, *behaviours: Behaviour, customer_uids: Sequence[str] | None = None) -> int:
        """Start a new story for keys (all of them, unless named); returns how many."""
        uids = None if customer_uids is None else list(customer_uids)
        body = {"customer_uids": uids, "behaviours": stories.written(behaviours)}
        told: int = self._post("behaviours", body)["told"]
        return told

    def behave_cancels(self, *behaviours: Behaviour) -> None:
        """Start a new story for `POST /payments/cancel`: `troubled(Reply.DROP, charged=True)` loses the answer."""
        self._post("cancel_behaviours", {"behaviours": stories.written(behaviours)})

    # troubles of the whole sandbox

    def switches(self) -> dict[str, Any]:
        return dict(self._get("switches"))

    def switch(self, **changes: Any) -> dict[str, Any]:
        """Change switches by name, such as outage="hang"; returns all of them."""
        return dict(self._post("switches", changes))

    def turn_clock(self, ahead: timedelta) -> bool:
        """Turn the sandbox's clock ahead of its machine's; False, and nothing done, while a call is carried out."""
        return bool(self._post("clock", {"ahead_seconds": ahead.total_seconds()})["turned"])

    def end_token(self) -> None:
        """Let the current access token expire."""
        self._post("token/end", {})

    def correct(self, imp_uid: str) -> None:
        """Turn a failed payment into a paid one, as PortOne does when it corrects a record."""
        self._post("payments/correct", {"imp_uid": imp_uid})

    # payment windows: what a browser does, without one

    def open_window(
        self, param: Mapping[str, Any], *, code: str = "imp00000000", mobile: bool = False, origin: str | None = None
    ) -> dict[str, Any]:
        """Do as `IMP.request_pay(param)` does on a page of `origin`: {"window": ...}, or {"refused": the callback}."""
        headers = {} if origin is None else {"Origin": origin}
        body = {"code": code, "param": dict(param), "mobile": mobile}
        return dict(_read(self._http.post("/v1/windows", json=body, headers=headers)))

    def decide(self, window_id: str, decision: str = "approve", **chosen: str) -> dict[str, Any]:
        """Press a button: approve, decline or close; `instrument` is card or money, `reason` such as limit.

        Returns what the window's page gets: state, and the callback and redirect address, if the page gets them.
        """
        return dict(_read(self._http.post(f"/v1/windows/{window_id}/decision", json={"decision": decision, **chosen})))

    def windows(self, **narrowed: str) -> list[dict[str, Any]]:
        """Return all windows that were opened, oldest first; narrowed by merchant_uid."""
        return list(self._get("windows", narrowed))

    # PortOne's console

    def cancel_in_console(
        self, imp_uid: str, *, amount: int | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        """Cancel a payment, wholly or by an amount in KRW, and send the merchant a webhook."""
        return dict(self._post("payments/cancel", {"imp_uid": imp_uid, "amount": amount, "reason": reason}))

    def webhooks(self, **narrowed: str | int) -> list[dict[str, Any]]:
        """Return the log of webhooks, oldest first; narrowed by merchant_uid, imp_uid, after."""
        return list(self._get("webhooks", narrowed))

    def resend_webhook(self, number: int) -> None:
        """Send a webhook once more."""
        self._post("webhooks/resend", {"number": number})

    def reset(self) -> None:
        """Forget everything: keys, payments, requests, token, changed switches."""
        self._post("reset", {})

    # the ledger

    def report(self) -> LedgerReport:
        return LedgerReport(**self._get("ledger"))

    def charges(self) -> dict[str, int]:
        """Return how often each merchant_uid was really charged; those never charged are missing."""
        return dict(self._get("charges"))

    def payments(self, **narrowed: str | int) -> list[dict[str, Any]]:
        """Return payments, oldest first; narrowed by merchant_uid, customer_uid, after, limit, charged_only="true"."""
        return list(self._get("payments", narrowed))

    def requests(self, **narrowed: str | int) -> list[dict[str, Any]]:
        """Return every request that arrived, oldest first; narrowed by merchant_uid, endpoint, after, limit."""
        return list(self._get("requests", narrowed))

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        return _read(self._http.get(f"/_sandbox/{path}", params=query))

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return _read(self._http.post(f"/_sandbox/{path}", json=body))


def _read(response: httpx.Response) -> Any:
    if response.status_code != httpx.codes.OK:
        raise SandboxAdminError(f"{response.status_code}: {response.text}")
    return response.json()
