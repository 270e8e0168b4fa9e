"""The access token's life: 30 minutes, one token at a time, extended in its last minute. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

LIFE_SECONDS = 1800  # [documented]
LAST_MINUTE_SECONDS = 60  # [documented]
EXTENSION_SECONDS = 300  # [documented]


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `expires_at` is in UNIX seconds, and from that second on the token is expired."""

    access_token: str = field(repr=False)
    expires_at: int

    def is_alive(self, now: int) -> bool:
        return now < self.expires_at


def granted(current: Token | None, *, now: int, fresh: Callable[[], str]) -> Token:
    """Return the token that a caller gets now [documented].

    The same one while it is alive; in its last minute the same one with five more minutes; after its end a new one.
    So concurrent callers never invalidate each other's token.
    """
    if current is None or not current.is_alive(now):
        return Token(fresh(), now + LIFE_SECONDS)
    if current.expires_at - now <= LAST_MINUTE_SECONDS:
        return replace(current, expires_at=current.expires_at + EXTENSION_SECONDS)
    return current
