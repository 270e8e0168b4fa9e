"""The sandbox itself: ledger, clock and switches in one place, without a socket, a thread or a wait of its own."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha1
from random import Random
from typing import Any

from worker.domain.clock import Clock
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.tokens import Token, granted
from worker.sandbox.store import payment_rows
from worker.sandbox.store.layout import TABLES
from worker.sandbox.store.ledger import Ledger
from worker.sandbox.switches import Settings, Switches


class Sandbox:
    """One merchant's account at PortOne. Not thread-safe; other requests may run between two steps of one."""

    def __init__(self, ledger: Ledger, clock: Clock, settings: Settings | None = None) -> None:
        self.ledger = ledger
        self._clock = clock
        self.settings = settings or Settings()
        self.news: Callable[[], None] = lambda: None  # called when there is a webhook to be sent
        self.epoch = 0  # counts resets: a request from before a reset charges nothing after it
        self._in_flight: Counter[str] = Counter()
        self._calls = 0
        self._last_number = payment_rows.last_number(ledger)
        self._switches: Switches
        self._token: Token | None
        self._ahead: timedelta
        self._start()

    def clock(self) -> datetime:
        """Return the time, as far ahead as it was turned."""
        return self._clock() + self._ahead

    def now(self) -> int:
        """Return the time in whole UNIX seconds, as PortOne writes it."""
        return int(self.moment())

    def moment(self) -> float:
        """Return the time in UNIX seconds, with the clock's precision."""
        return self.clock().timestamp()

    # switches

    @property
    def switches(self) -> Switches:
        return self._switches

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Set switches for this ledger, restarts included; raises BadSwitch and then changes nothing."""
        self._switches = self._switches.changed(changes)
        kept = {**json.loads(self.ledger.read_state("switches") or "{}"), **changes}
        self.ledger.write_state("switches", as_json(kept))

    # the clock, and the calls that it must not be turned under

    @contextmanager
    def carrying_out(self) -> Iterator[None]:
        """Mark a call of the API while it is carried out."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def turn_clock(self, ahead: timedelta) -> bool:
        """Turn the clock, for this ledger, restarts included; False, and nothing done, while a call is carried out.

        The token lives on for as long as it would have: its caller counts that in real time.
        """
        if self._calls:
            return False
        if self._token is not None:
            turned_by = round((ahead - self._ahead).total_seconds())
            self._keep(Token(self._token.access_token, self._token.expires_at + turned_by))
        self._ahead = ahead
        self.ledger.write_state("clock_ahead_seconds", str(ahead.total_seconds()))
        return True

    # tokens

    def grant_token(self) -> Token:
        """Return the token a caller with the right key and secret gets now."""
        token = granted(self._token, now=self.now(), fresh=lambda: self.unique_hex("token"))
        if token != self._token:
            self._keep(token)
        return token

    def accepts(self, access_token: str | None) -> bool:
        token = self._token
        return token is not None and access_token == token.access_token and token.is_alive(self.now())

    def end_token(self) -> None:
        """Let the current token expire; the next request for one gets a new token."""
        if self._token is not None:
            self._keep(Token(self._token.access_token, self.now()))

    # numbers and random values

    def next_number(self) -> int:
        """Return the number of the next payment, never one that was used before."""
        self._last_number += 1
        return self._last_number

    def unique_hex(self, purpose: str) -> str:
        """Return 40 hex characters that were never used before; the same ones for the same seed and history."""
        drawn = int(self.ledger.read_state("drawn") or 0) + 1
        self.ledger.write_state("drawn", str(drawn))
        return self.hex_of(f"{purpose}:{drawn}")

    def hex_of(self, name: str) -> str:
        return sha1(f"{self._seed}:{name}".encode()).hexdigest()  # noqa: S324 (40 hex characters, not a secret)

    def latency(self) -> float:
        """Return the latency of the next call, in seconds."""
        low, high = self.switches.latency_seconds
        return self._random.uniform(low, high) if high else 0.0

    # merchant_uids whose charge is in progress

    def is_in_flight(self, merchant_uid: str) -> bool:
        return self._in_flight[merchant_uid] > 0

    @contextmanager
    def in_flight(self, merchant_uid: str) -> Iterator[None]:
        """Mark a merchant_uid while its charge is being decided."""
        self._in_flight[merchant_uid] += 1
        try:
            yield
        finally:
            self._in_flight[merchant_uid] -= 1
            if not self._in_flight[merchant_uid]:
                del self._in_flight[merchant_uid]

    def reset(self) -> None:
        """Delete keys, payments, requests, the token and changed switches; requests in progress are dropped."""
        with self.ledger.transaction():
            for table in TABLES:
                self.ledger.execute(f"DELETE FROM {table}")  # noqa: S608 (our own tables)
        self.epoch += 1
        self._start()

    def _start(self) -> None:
        kept = json.loads(self.ledger.read_state("switches") or "{}")
        token = self.ledger.read_state("token")
        self._ahead = timedelta(seconds=float(self.ledger.read_state("clock_ahead_seconds") or 0))
        self._switches = Switches().changed({**self.settings.switches.as_json(), **kept})
        self._token = Token(**json.loads(token)) if token else None
        self._seed = self.settings.seed or self._kept_seed()
        self._random = Random(self._seed)  # noqa: S311 (latencies)

    def _kept_seed(self) -> str:
        seed = self.ledger.read_state("seed") or secrets.token_hex(16)
        self.ledger.write_state("seed", seed)
        return seed

    def _keep(self, token: Token) -> None:
        self._token = token
        self.ledger.write_state("token", as_json({"access_token": token.access_token, "expires_at": token.expires_at}))
