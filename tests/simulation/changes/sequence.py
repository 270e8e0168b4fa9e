"""The state of a sequence, how its changes are asked for, and what is looked at after each step."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import Engine

from tests.simulation.changes.audit import Agreed, problems
from tests.simulation.changes.beginnings import BEGINNINGS, PLANS, PRICES, Beginning, offer
from tests.simulation.changes.office import A_DAY, Office, agreed
from tests.simulation.changes.promises import Promises
from tests.simulation.changes.reached import Reached
from tests.simulation.engine.database import emptied
from worker.changes.request import ChangeRequest
from worker.domain.changes import OF_A_CHARGE, ChangeKind, Moment
from worker.domain.errors import Refused
from worker.domain.previews import Preview

_CHARGES = "SELECT id, status NOT IN ('paid', 'void') AS is_unpaid FROM charges ORDER BY id DESC"


class Sequence(RuleBasedStateMachine):
    """Two subscriptions, one worker, and what has become of them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._exit = ExitStack()
        self._exit.enter_context(emptied(engine))
        self.office = Office(engine)
        self._exit.callback(self.office.world.close)
        self.codes: list[str] = []
        self.agreed = Agreed(PRICES)
        self.promises = Promises(self.office)
        self.reached = Reached()

    def teardown(self) -> None:
        self.close()

    def close(self) -> None:
        self._exit.close()

    @initialize(
        plans=st.tuples(*(st.sampled_from(sorted(PLANS)) for _ in range(2))),
        beginnings=st.tuples(*(st.sampled_from(BEGINNINGS) for _ in range(2))),
    )
    def subscribe(self, plans: tuple[str, ...], beginnings: tuple[Beginning, ...]) -> None:
        world = self.office.world
        offer(self.office)
        for plan, beginning in zip(plans, beginnings, strict=True):
            trial = int(PLANS[plan].get("trial_days", "0"))
            code = world.subscribe(*beginning.story, plan=plan, starts_on=self.office.in_days(trial))
            self.codes.append(code)
            self.agreed.began_with[code] = plan
        self.office.tick()
        self.office.live(max(each.days for each in beginnings) * A_DAY)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _ask(self, kind: ChangeKind, subject: int, when: Any, **parameters: Any) -> None:
        """Preview a change and ask for it: it comes to what was shown, or both are refused and nothing is changed."""
        of_charge = kind in OF_A_CHARGE
        named = subject if of_charge else self.codes[subject]
        at = when if when is None or isinstance(when, Moment) else self.office.in_days(when)
        request = self.office.request(kind, named, at, {k: v for k, v in parameters.items() if v is not None})
        before, state = self.office.everything(), self.reached.state_of(self.office.world, named)
        preview = self._previewed(request)
        self._require_unchanged(before)
        answer = self.office.ask(request if preview is None else agreed(request, preview))
        _note(answer.refused)
        self.reached.add(kind, state, done=answer.requested is not None)
        if preview is None:
            assert answer.requested is None, "its preview was refused, and it was not"
            self._require_unchanged(before)
        elif answer.requested is None:
            assert kind is ChangeKind.REFUND, f"previewed, and then refused: {answer.refused}"
        else:
            self.promises.forget(preview.subscription)
            self.promises.make(preview, answer.requested.change)

    def _previewed(self, request: ChangeRequest) -> Preview | None:
        """Return what a change would come to; None where it is refused."""
        try:
            return self.office.preview(request)
        except Refused as refused:
            _note(str(refused))
            return None

    def _require_unchanged(self, before: str) -> None:
        assert self.office.everything() == before, "what was refused or previewed has changed something"

    def _on(self, days: int | None) -> str | None:
        return None if days is None else self.office.in_days(days).isoformat()

    def _charge(self, nth: int, unpaid: bool) -> int:
        """Return a charge, the newest first; of those that are unpaid if there are any and it is to be one."""
        rows = self.office.world.sql(_CHARGES)
        ids = [row.id for row in rows if row.is_unpaid or not unpaid] or [row.id for row in rows]
        return int(ids[nth % len(ids)]) if ids else 1

    @invariant()
    def everything_adds_up(self) -> None:
        found = [*problems(self.office.world, self.agreed), *self.promises.broken]
        assert not found, "\n".join(found)


def _note(said: str) -> None:
    """Show it with a failing sequence of hypothesis; breakages are told by hand."""
    if currently_in_test_context():
        note(said)
