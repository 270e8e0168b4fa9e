"""One change of each kind, asked for at once and for a later day, and the book that it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.changes.office import A_DAY, Office
from worker.changes.request import ChangeRequest
from worker.domain.changes import OF_A_CHARGE, ChangeKind, Moment, When
from worker.domain.errors import Refused
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

PLANS = {
    "monthly": {"amount": "9900"},
    "gold": {"amount": "33000"},
    "trial": {"amount": "5500", "trial_days": "14"},
    "gated": {"amount": "5500", "trial_days": "14", "gate": "strict"},
    "strict": {"amount": "9900", "dunning": "1", "dunning_end": "cancel"},
}
UNPAID = (decline(), pay())
_OTHER_PRICES = """
    INSERT INTO plan_prices (plan_id, version, amount, tax_free, vat_amount, sold_from, created_at)
    SELECT id, v.version, v.amount, 0, NULL, :now, :now
    FROM plans, (VALUES (2, 8800), (3, 12900)) v(version, amount) WHERE code = 'monthly'
"""
LATER = 3
"""Days from the request to a change that is scheduled for a day."""


@dataclass(frozen=True)
class Act:
    """A change, and the subscription that it is about: its plan, what its key does, and what was done before."""

    name: str
    kind: ChangeKind
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: Moment | int | None = None  # an int: so many days later
    plan: str = "monthly"
    story: tuple[Behaviour, ...] = (pay(),)
    before: Callable[[Office, str], object] | None = None
    lasts: float = 5.0  # days until it was asked for and applied
    later: Callable[[Office], object] | None = None  # what becomes of one that waits for its customer's consent
    later_days: float = 0.0
    ends: str = "applied"

    @property
    def asks_portone(self) -> bool:
        """Whether PortOne carries it out; what is charged after other changes is stopped in other histories."""
        return self.kind is ChangeKind.REFUND

    def request(self, office: Office, code: str) -> ChangeRequest:
        subject: str | int = code
        if self.kind in OF_A_CHARGE:
            subject = int(office.world.sql("SELECT max(id) AS id FROM charges")[0].id)
        when: When | None = self.when if not isinstance(self.when, int) else office.in_days(self.when)
        parameters = {
            name: office.in_days(value).isoformat() if name in ("until", "on") else value
            for name, value in self.parameters.items()
        }
        return office.request(self.kind, subject, when, parameters, key="ticket-1")


def subscribed(office: Office, act: Act) -> str:
    """Return a subscription that is ready for its change, ten days after it began."""
    world = office.world
    for code, terms in PLANS.items():
        world.book.plan(code, now=world.now(), **terms)
    if act.kind is ChangeKind.CHANGE_PRICE:
        world.change(_OTHER_PRICES, now=world.now())
    trial = int(PLANS[act.plan].get("trial_days", "0"))
    code = world.subscribe(*act.story, plan=act.plan, starts_on=office.in_days(trial))
    office.tick()
    if act.story[0].text == "":
        office.live(10 * A_DAY)
    if act.before is not None:
        act.before(office, code)
    return code


def _agree(office: Office) -> None:
    with suppress(Refused):  # asked again after a crash, when it was agreed to
        office.agree(_newest(office))


def _withdraw(office: Office) -> None:
    office.undo(_newest(office))


def _newest(office: Office) -> int:
    return int(office.world.sql("SELECT max(id) AS id FROM changes")[0].id)


def _pause(office: Office, code: str) -> None:
    office.ask(office.request(ChangeKind.PAUSE, code, Moment.NOW, {}))


def _until_held(office: Office, code: str) -> None:
    """Let the trial end, whose first charge the consent gate holds: no consent was given to it."""
    office.live(5 * A_DAY)
    held = office.world.sql("SELECT FROM charges WHERE gate_held_since IS NOT NULL")
    assert len(held) == 1, code


_KINDS: Mapping[ChangeKind, dict[str, Any]] = {
    ChangeKind.CANCEL: {},
    ChangeKind.PAUSE: {"parameters": {"until": 14}},
    ChangeKind.RESUME: {"before": _pause},
    ChangeKind.CHANGE_PLAN: {"parameters": {"plan": "gold"}},
    ChangeKind.MOVE_RENEWAL: {"parameters": {"on": 12}},
    ChangeKind.TRIAL: {"parameters": {"end_now": True}, "plan": "trial"},
    ChangeKind.CHANGE_PRICE: {"parameters": {"version": 2}},
    ChangeKind.DISCOUNT: {"parameters": {"percent": 33, "periods": 2}},
    ChangeKind.CREDIT: {"parameters": {"amount": 12_345}},
    ChangeKind.ONE_OFF: {"parameters": {"amount": 5000, "name": "설치비"}},
    ChangeKind.COLLECT: {"story": UNPAID},
    ChangeKind.POSTPONE: {"parameters": {"until": 9}, "story": UNPAID},
    ChangeKind.VOID: {"story": UNPAID},
    ChangeKind.WRITE_OFF: {"story": UNPAID},
    ChangeKind.OVERRIDE_GATE: {"plan": "gated", "before": _until_held},
    ChangeKind.PAID_ELSEWHERE: {"parameters": {"reference": "bank 1"}, "story": UNPAID},
}
_AT_ONCE = [Act(f"{kind} now", kind, when=Moment.NOW, **given) for kind, given in _KINDS.items()]
# What is past due is tried again after two days: what is to happen to it is scheduled for the day before.
_LATER = [
    Act(f"{kind} later", kind, when=1 if kind in OF_A_CHARGE else LATER, **given) for kind, given in _KINDS.items()
]

ACTS = (
    *_AT_ONCE,
    *_LATER,
    Act("cancel at the period's end", ChangeKind.CANCEL, lasts=22.0),
    Act("change_plan at the period's end", ChangeKind.CHANGE_PLAN, {"plan": "gold", "quantity": 2}, lasts=22.0),
    Act("change_plan to a new period", ChangeKind.CHANGE_PLAN, {"plan": "gold", "renewal": "restart"}, Moment.NOW),
    Act("change_price held until it is agreed to", ChangeKind.CHANGE_PRICE, {"version": 3}, lasts=22.0, later=_agree),
    Act(
        "change_price agreed to when its day is past",
        *(ChangeKind.CHANGE_PRICE, {"version": 3}, LATER),
        later=_agree,
        later_days=5.0,
    ),
    Act("change_price withdrawn", ChangeKind.CHANGE_PRICE, {"version": 3}, later=_withdraw, ends="undone"),
    Act("change_price never agreed to", ChangeKind.CHANGE_PRICE, {"version": 3}, ends="scheduled"),
    Act("change_price agreed to before", ChangeKind.CHANGE_PRICE, {"version": 3, "agreed": True}, Moment.NOW),
    Act("end of dunning", ChangeKind.END_DUNNING, plan="strict", story=(decline(),)),
    Act("refund of a part", ChangeKind.REFUND, {"amount": 3000}),
    Act("refund by days", ChangeKind.REFUND, {"unused_days": True}),
)

# Each kind is stopped at once, and the tick applies every kind alike: of those later, one of a subscription and one of
# a charge differ.
USUAL = tuple(
    act
    for act in ACTS
    if act.name != "refund of a part" and (act not in _LATER or act.kind in {ChangeKind.CREDIT, ChangeKind.COLLECT})
)
"""The acts that are stopped without `--thorough`."""
