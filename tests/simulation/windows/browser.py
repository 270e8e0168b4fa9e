"""A customer's browser: it agrees on our page, opens PortOne's window, and reports what it likes, when it likes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.simulation.engine.wire import PATIENT_TURN_SECONDS
from tests.simulation.windows.world import WindowWorld
from worker import checkout
from worker.domain.errors import Refused
from worker.domain.states import CheckoutPurpose
from worker.sandbox.charging import TURN_SECONDS
from worker.sandbox.http.endpoints import handle
from worker.sandbox.rules.answers import Delivery, Pause, Steps
from worker.sandbox.rules.calls import Call

Told = Callable[[Any], object]


@dataclass
class Window:
    """A window that was opened: by which link, when it was agreed to, and how its buyer has decided."""

    code: str
    window_id: str
    merchant_uid: str
    customer_uid: str | None
    agreed_at: float
    imp_uid: str
    ending: str = "open"


class Browser:
    """Every tab of one world's customers."""

    def __init__(self, world: WindowWorld) -> None:
        self.world = world
        self.windows: list[Window] = []
        self.refusals: list[str] = []
        self.registered: Told = lambda window: None

    def open(self, code: str, pg: str | None = None, *, asleep: float = 0.0, then: Told = lambda window: None) -> None:
        """Agree, and open the window with what the server answers; `asleep` is how long the tab waits in between."""
        at = self.world.time
        shown = self._read(code)

        def answered(answer: Any) -> None:
            if isinstance(answer, Refused):
                self.refusals.append(str(answer))
                return
            self.world.agreed[answer["merchant_uid"]] = at
            self.world.after(asleep, partial(self._request_pay, code, answer, at, then))

        self.world.page.agree(code, pg, answered, owed=shown)

    def decide(self, window: Window, choice: str = "approve", *, reports: Sequence[float] = (0.1,)) -> None:
        """Press a button in a window; its callback reaches our page after each of `reports` seconds, or never."""

        def decided(told: Any) -> None:
            window.ending = told["state"]
            if window.ending == "approved" and window.customer_uid:
                self.registered(window)
            for seconds in reports:
                self.world.after(seconds, partial(self.report, window))

        self._call(f"/v1/windows/{window.window_id}/decision", {"decision": choice}, decided)

    def report(self, window: Window) -> None:
        """Report to our page that a window has ended, as the callback and the redirect do."""
        self.world.page.complete(window.code, window.imp_uid)

    def _read(self, code: str) -> int:
        """Read on the page what a subscription is charged with at once, and remember it with what is agreed to."""
        world = self.world
        view = checkout.view(world.sessions, world.settings, code, now=world.now())
        first = view.amount if view.purpose is CheckoutPurpose.REGISTER and view.charges_now else 0
        world.promise(view.subscription, view.owed or first)
        return view.owed

    def _request_pay(self, code: str, param: dict[str, Any], agreed_at: float, then: Told) -> None:
        def opened(told: Any) -> None:
            if "window" not in told:
                self.refusals.append(told["refused"]["error_msg"])
                return
            ids = (told["window"]["window_id"], param["merchant_uid"], param.get("customer_uid"))
            window = Window(code, *ids, agreed_at, told["window"]["imp_uid"])
            self.windows.append(window)
            then(window)

        self._call("/v1/windows", {"code": "imp00000000", "param": param}, opened)

    def _call(self, path: str, fields: dict[str, Any], told: Told) -> None:
        self._step(handle(self.world.sandbox, Call("POST", path, fields=fields)), told)

    def _step(self, steps: Steps, told: Told) -> None:
        step = next(steps)
        if isinstance(step, Pause):
            seconds = PATIENT_TURN_SECONDS if step.seconds == TURN_SECONDS else step.seconds
            self.world.after(seconds, lambda: self._step(steps, told))
        elif step.status == 200 and step.delivery is Delivery.WHOLE:
            told(json.loads(step.body))
