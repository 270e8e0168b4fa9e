"""Changes of every kind, in any order, between ticks, declines, lost answers, new keys and outages.

A state machine of hypothesis: each rule is one thing that an operator, a customer or PortOne does. After each, the
audit asks whether everything adds up, and whether what a preview said has come true.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.simulation.changes.acts_audit import Keyed
from tests.simulation.changes.beginnings import DEAD, DECLINED, LOST, NOT_CHARGED, PAYS, PLANS, SPENT, STORIES
from tests.simulation.changes.office import A_DAY
from tests.simulation.changes.sequence import Sequence
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused

which = st.integers(0, 1)
nths = st.integers(0, 9)
mostly = st.sampled_from([True, True, True, False])
days = st.integers(-2, 70)
sums = st.sampled_from([0, 1, 50, 99, 100, 990, 9900, 33_000, 200_000])
whens = st.one_of(st.none(), st.sampled_from(Moment), st.integers(-1, 70))
UNPAID = (DECLINED, SPENT, DEAD, LOST, NOT_CHARGED)
_HELD = "SELECT id FROM charges WHERE gate_held_since IS NOT NULL AND status NOT IN ('paid', 'void') ORDER BY id DESC"
_NEXT = "SELECT next_charge_at AS at FROM subscriptions WHERE code = :code"
_WAITING = "SELECT id FROM changes WHERE status = 'scheduled' AND waits_for = 'consent' ORDER BY id DESC"


class AnySequence(Sequence):
    """Everything that can be done to the subscriptions of a sequence."""

    # --- time and keys ------------------------------------------------------------------------------------------------

    @rule(days=st.sampled_from([0.05, 1, 3, 8, 31]))
    def live(self, days: float) -> None:
        self.office.live(days * A_DAY)
        self.promises.check()

    @rule(days=st.sampled_from([1, 9, 40]))
    def suffer_an_outage(self, days: int) -> None:
        self.promises.forget()
        self.office.wait(days * A_DAY)
        self.office.tick()

    @rule(which=which, story=st.sampled_from(STORIES))
    def behave(self, which: int, story: Any) -> None:
        self.promises.forget(self.codes[which])
        self.office.behave(self.codes[which], *story)

    @rule(which=which, story=st.sampled_from(UNPAID))
    def fall_due(self, which: int, story: Any) -> None:
        """Live until the next charge of a subscription is made, with a key that does not simply pay."""
        self.behave(which, story)
        row = self.office.world.sql(_NEXT, code=self.codes[which])[0]
        if row.at is not None and (left := self.office.world.since_start(row.at) - self.office.world.time) < 32 * A_DAY:
            self.live(max(left, 0) / A_DAY + 0.01)

    @rule(which=which, story=st.sampled_from([PAYS, DECLINED, SPENT]))
    def register_another_key(self, which: int, story: Any) -> None:
        uid = self.office.make_key(*story)
        before = self.office.everything()
        try:
            self.office.use_key(self.codes[which], uid)
            self.promises.forget(self.codes[which])
            self.agreed.keyed.append(Keyed(self.codes[which], self.office.world.now()))
        except Refused:
            self._require_unchanged(before)
        self.office.tick()

    # --- changes of a subscription ------------------------------------------------------------------------------------

    @rule(which=which, when=whens)
    def cancel(self, which: int, when: Any) -> None:
        self._ask(ChangeKind.CANCEL, which, when)

    @rule(which=which, when=whens, until=st.none() | days)
    def pause(self, which: int, when: Any, until: int | None) -> None:
        self._ask(ChangeKind.PAUSE, which, when, until=self._on(until))

    @rule(which=which, when=whens)
    def resume(self, which: int, when: Any) -> None:
        self._ask(ChangeKind.RESUME, which, when)

    @rule(
        which=which,
        when=whens,
        plan=st.none() | st.sampled_from(sorted(PLANS)),
        quantity=st.sampled_from([None, 1, 2, 3]),
        proration=st.sampled_from([None, "days", "none"]),
        renewal=st.sampled_from([None, "keep", "restart"]),
        anchor_day=st.sampled_from([None, None, 1, 15, 31]),
    )
    def change_plan(self, which: int, when: Any, **parameters: Any) -> None:
        self._ask(ChangeKind.CHANGE_PLAN, which, when, **parameters)

    @rule(which=which, when=whens, version=st.integers(1, 4), is_agreed=st.sampled_from([None, None, True]))
    def change_price(self, which: int, when: Any, version: int, is_agreed: bool | None) -> None:
        self._ask(ChangeKind.CHANGE_PRICE, which, when, version=version, agreed=is_agreed)

    @rule(nth=nths, days=st.sampled_from([0, 0, 2, 9]))
    def agree_to_price(self, nth: int, days: int) -> None:
        """Agree to a change of price that waits for it, some days later, in which nothing runs."""
        ids = [row.id for row in self.office.world.sql(_WAITING)]
        if days:
            self.suffer_an_outage(days)
        change_id, before = ids[nth % len(ids)] if ids else nth, self.office.everything()
        try:
            self.promises.forget(self.office.agree(change_id).code)
            self.agreed.consents[change_id] = self.office.world.now()
        except Refused:
            self._require_unchanged(before)
        self.office.tick()

    @rule(which=which, when=whens, on=days)
    def move_renewal(self, which: int, when: Any, on: int) -> None:
        self._ask(ChangeKind.MOVE_RENEWAL, which, when, on=self._on(on))

    @rule(which=which, when=whens, until=st.none() | days)
    def change_trial(self, which: int, when: Any, until: int | None) -> None:
        ending: dict[str, Any] = {"end_now": True} if until is None else {"until": self._on(until)}
        self._ask(ChangeKind.TRIAL, which, when, **ending)

    @rule(which=which, when=whens, percent=st.sampled_from([None, 1, 33, 100]), amount=sums, periods=st.none() | which)
    def discount(self, which: int, when: Any, percent: int | None, amount: int, periods: int | None) -> None:
        off = {"amount": amount} if percent is None else {"percent": percent}
        self._ask(ChangeKind.DISCOUNT, which, when, **off, periods=None if periods is None else 1 + periods)

    @rule(which=which, when=whens, amount=sums)
    def credit(self, which: int, when: Any, amount: int) -> None:
        self._ask(ChangeKind.CREDIT, which, when, amount=amount)

    @rule(which=which, when=whens, amount=sums)
    def charge_once(self, which: int, when: Any, amount: int) -> None:
        self._ask(ChangeKind.ONE_OFF, which, when, amount=amount, tax_free=amount // 3, name="설치비")

    @rule(which=which, nth=st.integers(1, 6), kind=st.sampled_from([ChangeKind.DISCOUNT, ChangeKind.ONE_OFF]))
    def take_back(self, which: int, nth: int, kind: ChangeKind) -> None:
        rows = self.office.world.sql("SELECT id FROM adjustments ORDER BY id")
        self._ask(kind, which, None, remove=rows[nth % len(rows)].id if rows else nth)

    # --- acts on a charge ---------------------------------------------------------------------------------------------

    @rule(nth=nths, unpaid=mostly, when=whens)
    def collect(self, nth: int, unpaid: bool, when: Any) -> None:
        self._ask(ChangeKind.COLLECT, self._charge(nth, unpaid), when)

    @rule(nth=nths, unpaid=mostly, when=whens)
    def void(self, nth: int, unpaid: bool, when: Any) -> None:
        self._ask(ChangeKind.VOID, self._charge(nth, unpaid), when)

    @rule(nth=nths, unpaid=mostly, when=whens)
    def write_off(self, nth: int, unpaid: bool, when: Any) -> None:
        self._ask(ChangeKind.WRITE_OFF, self._charge(nth, unpaid), when)

    @rule(nth=nths, unpaid=mostly, when=whens)
    def pay_elsewhere(self, nth: int, unpaid: bool, when: Any) -> None:
        self._ask(ChangeKind.PAID_ELSEWHERE, self._charge(nth, unpaid), when, reference="bank 1")

    @rule(nth=nths, unpaid=mostly, until=days)
    def postpone(self, nth: int, unpaid: bool, until: int) -> None:
        self._ask(ChangeKind.POSTPONE, self._charge(nth, unpaid), None, until=self._on(until))

    @rule(nth=nths, held=mostly)
    def override_gate(self, nth: int, held: bool) -> None:
        """Override the gate for a charge that it holds, if there is one; else it is refused."""
        ids = [row.id for row in self.office.world.sql(_HELD)] if held else []
        self._ask(ChangeKind.OVERRIDE_GATE, ids[nth % len(ids)] if ids else self._charge(nth, unpaid=True), None)

    @rule(nth=nths, amount=st.none() | sums, by_days=st.booleans())
    def refund(self, nth: int, amount: int | None, by_days: bool) -> None:
        wanted: dict[str, Any] = {"unused_days": True} if by_days else {"amount": amount}
        self._ask(ChangeKind.REFUND, self._charge(nth, unpaid=False), None, **wanted)

    @rule(nth=st.integers(0, 9))
    def undo(self, nth: int) -> None:
        ids = [row.id for row in self.office.world.sql("SELECT id FROM changes ORDER BY id DESC")]
        before = self.office.everything()
        try:
            self.office.undo(ids[nth % len(ids)] if ids else nth)
            self.promises.forget()
        except Refused:
            self._require_unchanged(before)
