"""PortOne's possible behaviours for one period, and its possible rules for a repeated merchant_uid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, Verdict, decline, misrecorded, pay, slow, troubled
from worker.sandbox.switches import Repeat

CLOSED = ("-751", "정기결제 비활성화")
EXPIRED = ("CC54", "유효기간 경과")
UNHEARD_OF = ("ZZ99", "알 수 없는 사유")

SPOILT = (
    *(Reply.HANG, Reply.DROP, Reply.RESET, Reply.CUT, Reply.TRUNCATED),
    *(Reply.EMPTY, Reply.ERROR, Reply.UNAVAILABLE),
)
LATE_SECONDS = 600.0
HIDDEN_SECONDS = 1200.0


@dataclass(frozen=True)
class Story:
    """`behaviours` are met call by call, the last one for ever.

    `told_by` names another story that continues as this one does from its first look-up on.
    """

    name: str
    behaviours: tuple[Behaviour, ...]
    told_by: str | None = None
    corrected_after: float | None = None  # seconds until PortOne corrects what it has recorded as failed

    @property
    def lateness(self) -> float:
        """Seconds between the arrival of a request and its payment, or its visibility."""
        return max(each.wait_seconds + each.hidden_seconds for each in self.behaviours)


STORIES = (
    Story("pays", (pay(),)),
    Story("soft decline", (decline(), pay())),
    Story("soft decline in a message", (decline(shape=Shape.MESSAGE), pay())),
    Story("soft decline without a record", (decline(shape=Shape.MESSAGE, recorded=False), pay())),
    Story("unknown words without a record", (decline(*UNHEARD_OF, shape=Shape.MESSAGE, recorded=False), pay())),
    Story("hard decline", (decline(*CLOSED), pay())),
    Story("hard decline in a message", (decline(*EXPIRED, shape=Shape.MESSAGE), pay())),
    *(
        Story(
            f"{reply} {moved}",
            (troubled(reply, charged=moved == "charged"), pay()),
            told_by=None if reply is Reply.DROP else f"drop {moved}",
        )
        for reply, moved in product(SPOILT, ("charged", "not charged"))
    ),
    *(
        Story(f"{reply} declined", (Behaviour(verdict=Verdict.DECLINED, text="한도초과", reply=reply), pay()))
        for reply in (Reply.HANG, Reply.CUT)
    ),
    Story("401 once", (troubled(Reply.UNAUTHORIZED, charged=False), pay())),
    Story("other payment, charged", (troubled(Reply.OTHER_PAYMENT, charged=True), pay())),
    Story("other payment, not charged", (troubled(Reply.OTHER_PAYMENT, charged=False), pay())),
    Story("wrong amount, charged", (troubled(Reply.WRONG_AMOUNT, charged=True), pay())),
    Story("paid, hidden from look-ups", (pay(hidden_seconds=HIDDEN_SECONDS),)),
    Story(
        "dropped, charged, hidden from look-ups",
        (Behaviour(reply=Reply.DROP, hidden_seconds=HIDDEN_SECONDS), pay()),
    ),
    Story("lands after the time-out", (slow(LATE_SECONDS), pay())),
    Story("lands in time, answered too late", (slow(1.0, answer_seconds=300.0), pay())),
    Story("dropped, charged, then declines", (troubled(Reply.DROP, charged=True), decline())),
    Story("failed, corrected before the retry", (misrecorded(), pay()), corrected_after=5 * 3600.0),
)

HIDDEN_FOR_HOURS = Story(
    "charged, answered 500, hidden beyond the quiet period",
    (Behaviour(reply=Reply.ERROR, hidden_seconds=3 * 3600.0), pay()),
)
"""Stories in which only PortOne's own rule about a merchant_uid keeps the second send from charging."""

RULES = tuple(
    {"repeated_paid": paid, "repeated_failed": failed, "repeated_in_flight": in_flight}
    for paid, failed, in_flight in (
        (Repeat.ACCEPT, Repeat.ACCEPT, Repeat.ACCEPT),
        (Repeat.REFUSE, Repeat.ACCEPT, Repeat.SERIALIZE),
        (Repeat.REFUSE_AS_PG, Repeat.REFUSE, Repeat.REFUSE),
        (Repeat.ACCEPT, Repeat.REFUSE_AS_PG, Repeat.REFUSE_AS_PG),
    )
)
"""The most trusting first: under it a merchant_uid is no barrier at all."""

GUARDED = tuple(
    {"repeated_paid": paid, "repeated_failed": Repeat.REFUSE_VAGUELY, "repeated_in_flight": Repeat.REFUSE_VAGUELY}
    for paid in (Repeat.REFUSE, Repeat.REFUSE_AS_PG, Repeat.REFUSE_VAGUELY)
)
"""Rules under which a paid merchant_uid is never paid again, whatever the error text."""
