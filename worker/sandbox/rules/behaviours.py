"""How a billing key behaves when it is charged: what happens to the money, and to the answer.

The two are independent on purpose: a charge that went through behind a dropped connection, or a decline behind a
time-out, is what a client has to cope with. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Verdict(StrEnum):
    """What happens to the money."""

    PAID = "paid"
    DECLINED = "declined"
    UNTOUCHED = "untouched"  # the request never got as far as the PG; nothing is recorded
    MISRECORDED = "misrecorded"  # the money moved, PortOne recorded `failed` (seen in September 2023)


class Reply(StrEnum):
    """What happens to the answer."""

    PLAIN = "plain"
    HANG = "hang"  # nothing arrives; for PortOne the request is over, so its merchant_uid is not in flight
    DROP = "drop"
    RESET = "reset"
    CUT = "cut"  # half of the body, then the connection closes
    TRUNCATED = "truncated"  # well-formed HTTP around half of a JSON document
    EMPTY = "empty"  # 200 without a body
    ERROR = "error"  # 500
    UNAVAILABLE = "unavailable"  # 503, HTML
    UNAUTHORIZED = "unauthorized"  # the token expired between its check and its use
    OTHER_PAYMENT = "other_payment"  # an answer about another merchant's payment
    WRONG_AMOUNT = "wrong_amount"


class Shape(StrEnum):
    """The two shapes of a decline."""

    STATUS = "status"  # code 0, status failed, fail_reason [documented]
    MESSAGE = "message"  # code -1, response null, text in message [seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One step of a key's story. It lasts for `times` calls; the last step of a list stays."""

    verdict: Verdict = Verdict.PAID
    reply: Reply = Reply.PLAIN
    times: int = 1
    code: str = ""  # the PG's code of a decline; empty: `text` stands alone
    text: str = ""
    shape: Shape = Shape.STATUS
    recorded: bool = True  # whether a decline leaves a failed payment
    wait_seconds: float = 0.0  # before the money moves
    answer_seconds: float = 0.0  # between the money and the answer
    hidden_seconds: float = 0.0  # how long look-ups do not find the payment
    seed: int = 0  # of the mix
    mix: tuple[tuple[int, Behaviour], ...] = ()  # weights and behaviours to draw from; replaces the fields above

    @property
    def reason(self) -> str:
        """The decline's text with the PG's code in brackets before it [seen for onetime; assumed for `again`]."""
        return f"[{self.code}]{self.text}" if self.code else self.text


def current(story: Sequence[Behaviour], calls: int) -> Behaviour:
    """Return the step of the next call, after `calls` earlier ones. An empty story pays."""
    for step in story[:-1]:
        if calls < step.times:
            return step
        calls -= step.times
    return story[-1] if story else pay()


def drawn(step: Behaviour, customer_uid: str, calls: int) -> Behaviour:
    """Return a draw from a step's mix; it depends on nothing but seed, key and count of calls."""
    if not step.mix:
        return step
    draw = Random(f"{step.seed}:{customer_uid}:{calls}")  # noqa: S311 (reproducible on purpose)
    return draw.choices([each for _, each in step.mix], weights=[weight for weight, _ in step.mix])[0]


def pay(*, hidden_seconds: float = 0.0, times: int = 1) -> Behaviour:
    return Behaviour(hidden_seconds=hidden_seconds, times=times)


def decline(
    code: str = "CC61",
    text: str = "한도초과",
    *,
    shape: Shape = Shape.STATUS,
    recorded: bool = True,
    times: int = 1,
) -> Behaviour:
    """Decline with a PG's code and text; the default is a limit exceeded, which is soft."""
    return Behaviour(verdict=Verdict.DECLINED, code=code, text=text, shape=shape, recorded=recorded, times=times)


def slow(wait_seconds: float, *, answer_seconds: float = 0.0, times: int = 1) -> Behaviour:
    """Take time before the money moves, and after it; the client may be gone by then."""
    return Behaviour(wait_seconds=wait_seconds, answer_seconds=answer_seconds, times=times)


def troubled(reply: Reply, *, charged: bool, times: int = 1) -> Behaviour:
    """Charge or do not, and spoil the answer: `troubled(Reply.DROP, charged=True)`."""
    return Behaviour(verdict=Verdict.PAID if charged else Verdict.UNTOUCHED, reply=reply, times=times)


def misrecorded(code: str = "CC10", text: str = "계좌 잔액 부족", *, times: int = 1) -> Behaviour:
    """Take the money and record a failure."""
    return Behaviour(verdict=Verdict.MISRECORDED, code=code, text=text, times=times)


def flaky(seed: int, *, mix: Sequence[tuple[int, Behaviour]] = (), times: int = 1) -> Behaviour:
    """Draw each call's behaviour from a mix; the default has no hanging, which lasts until the client's time-out."""
    return Behaviour(seed=seed, mix=tuple(mix) or DEFAULT_MIX, times=times)


DEFAULT_MIX = (
    (70, pay()),
    (8, decline()),
    (4, decline("CC54", "유효기간 경과", shape=Shape.MESSAGE)),
    (3, slow(1.0)),
    (3, troubled(Reply.DROP, charged=True)),
    (2, troubled(Reply.RESET, charged=False)),
    (2, troubled(Reply.CUT, charged=True)),
    (2, troubled(Reply.ERROR, charged=True)),
    (2, troubled(Reply.ERROR, charged=False)),
    (2, troubled(Reply.UNAVAILABLE, charged=False)),
    (2, troubled(Reply.TRUNCATED, charged=True)),
)
