"""A payment window of a PG: its purpose, its state, and the buyer's decisions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import ApiError, bad_request
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.window_requests import WindowRequest


class State(StrEnum):
    """The state of a window. Only an open one takes a decision; a window that was left stays open until it expires."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    CLOSED = "closed"


class Choice(StrEnum):
    """The buttons of a window."""

    APPROVE = "approve"
    DECLINE = "decline"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a PG declines: its code and text [documented], and the text in English."""

    code: str
    korean: str
    english: str


# Kakao Pay's codes for cards and money; PAYCO's as KCP writes them [documented]. What the callback shows of them is
# assumed.
REASONS: Mapping[str, Mapping[str, Reason]] = {
    "kakaopay": {
        "limit": Reason("0002", "한도초과", "Limit exceeded"),
        "balance": Reason("LACK_BALANCE", "잔액부족", "Low balance"),
        "expired": Reason("0004", "유효기간 경과", "Card expired"),
        "lost": Reason("0026", "분실·도난 카드", "Card lost or stolen"),
        "maintenance": Reason("-7", "서비스 점검중", "Under maintenance"),
    },
    "payco": {
        "limit": Reason("CC61", "한도초과", "Limit exceeded"),
        "balance": Reason("CC10", "잔액부족", "Low balance"),
        "expired": Reason("CC54", "유효기간 경과", "Card expired"),
        "lost": Reason("CC04", "분실 또는 사용불가 카드", "Card lost or not usable"),
        "maintenance": Reason("CC98", "카드사 장애", "Card company fault"),
    },
}
USUAL_REASON = "limit"


def reasons_of(pg_provider: str) -> Mapping[str, Reason]:
    """Return a PG window's decline reasons; PGs other than the two wallets write as KCP does [assumed]."""
    return REASONS.get(pg_provider, REASONS["payco"])


@dataclass(frozen=True, slots=True)
class Decision:
    """What the buyer did. `reason` matters to declines only, `instrument` to approvals."""

    choice: Choice
    instrument: Instrument
    reason: Reason


@dataclass(frozen=True, slots=True)
class Window:
    """One call of `request_pay`. Its id authorizes a decision; `opened_at` is in UNIX seconds."""

    window_id: str = field(repr=False)
    imp_uid: str
    request: WindowRequest
    host_origin: str | None  # of the page that opened it, from the browser's Origin header
    user_agent: str | None
    opened_at: int
    state: State = State.OPEN
    result: Mapping[str, Any] | None = field(default=None, repr=False)  # the callback's fields, once decided

    @property
    def number(self) -> int:
        """The number of the window's payment."""
        return int(self.imp_uid.rpartition("_")[2])

    @property
    def path(self) -> str:
        """Where the window is shown, on the sandbox."""
        return f"/v1/windows/{self.window_id}"

    @property
    def pg_provider(self) -> str:
        return self.request.channel.pg_provider

    def is_expired(self, now: int, *, life_seconds: float) -> bool:
        """Return whether it was left for too long; its payment then stays `ready` [documented for a window left]."""
        return self.state is State.OPEN and now - self.opened_at >= life_seconds


def read_decision(call: Call, window: Window) -> Decision:
    """Return the decision in a call; raises ApiError with HTTP 400."""
    reasons, only = reasons_of(window.pg_provider), window.request.instrument
    try:
        decision = Decision(
            choice=Choice(call.text("decision") or ""),
            instrument=Instrument(call.text("instrument") or only or Instrument.CARD),
            reason=reasons[call.text("reason") or USUAL_REASON],
        )
    except (ValueError, KeyError) as error:
        raise ApiError(bad_request(texts.NO_SUCH_DECISION.format(reasons=", ".join(reasons)))) from error
    if only is not None and decision.instrument is not only:
        raise ApiError(bad_request(texts.ONE_INSTRUMENT.format(instrument=only)))
    return decision
