"""What keeps window payments apart, broken on purpose: each way is one that a hurried change could bring."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from tests.simulation.windows.pages import PageServer
from tests.simulation.windows.world import WindowWorld
from worker import checkout
from worker.checkout import key_activation
from worker.checkout import queries as rows
from worker.checkout.queries import CheckoutRow
from worker.database.engine import Sessions
from worker.domain.gateway import Found, Gateway, LookUpFailed
from worker.domain.merchant_uid import derive
from worker.domain.states import CheckoutStatus
from worker.ledger import charges, claiming, consents
from worker.sandbox.store import key_rows

_ENDED = "WHERE id = :id AND status IN ('opened', 'expired')"
_KEY = "SELECT k.id, k.customer_uid FROM billing_keys k JOIN subscriptions s ON s.billing_key_id = k.id"


class _RolledBack:
    """Sessions whose transactions come to nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self.begin = sessions  # a session that is never committed


def open_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Let the window open first; what it may do is to be written down when its callback comes."""
    agree = checkout.agree

    def uncommitted(sessions: Any, *given: Any, **named: Any) -> Mapping[str, Any]:
        hasty: Any = _RolledBack(sessions)
        return agree(hasty, *given, **named)

    patch.setattr(checkout, "agree", uncommitted)


def take_a_new_merchant_uid_for_each_window(patch: pytest.MonkeyPatch) -> None:
    """As PortOne's documents ask for."""
    agree, numbers = checkout.agree, count(500)

    def anew(*given: Any, **named: Any) -> Mapping[str, Any]:
        parameters = agree(*given, **named)
        return {**parameters, "merchant_uid": f"{parameters['merchant_uid'][:-3]}{next(numbers)}"}

    patch.setattr(checkout, "agree", anew)


def hold_for_the_lease_only(patch: pytest.MonkeyPatch) -> None:
    """Take a window for dead after half an hour."""
    for module in [each for name, each in sys.modules.items() if name.startswith("worker.")]:
        if hasattr(module, "WINDOW_LIFE"):
            patch.setattr(module, "WINDOW_LIFE", timedelta(minutes=30))


def send_the_next_number_after_a_window(patch: pytest.MonkeyPatch) -> None:
    """Use a new merchant_uid for a charge whose window was left."""
    as_it_should = claiming._plan

    def under_a_new_number(row: Any, prefix: str) -> Any:
        plan = as_it_should(row, prefix)
        if plan.window is None:
            return plan
        number = plan.number + 1
        request = replace(plan.request, merchant_uid=derive(prefix, row.subscription_code, row.period_start, number))
        return replace(plan, number=number, request=request, window=None)

    patch.setattr(claiming, "_plan", under_a_new_number)


class _Believing:
    """A gateway that shows as paid what a browser has named."""

    def __init__(self, gateway: Gateway, imp_uid: str) -> None:
        self._gateway, self._imp_uid = gateway, imp_uid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def look_up(self, merchant_uid: str) -> Found | LookUpFailed:
        found = await self._gateway.look_up(merchant_uid)
        if isinstance(found, LookUpFailed):
            return found
        said = [each for each in found.records if each.imp_uid == self._imp_uid]
        return Found(
            tuple(
                replace(each, status="paid", paid_at=datetime.fromtimestamp(each.raw["started_at"], UTC))
                for each in said
            )
        )


def believe_the_browser(patch: pytest.MonkeyPatch) -> None:
    """Take a callback for the proof of what it says."""
    complete = checkout.complete

    async def believing(context: Any, code: str, *, imp_uid: str | None) -> Any:
        if imp_uid is not None:
            context = replace(context, gateway=_Believing(context.gateway, imp_uid))
        return await complete(context, code, imp_uid=imp_uid)

    patch.setattr(checkout, "complete", believing)


def complete_again_and_again(patch: pytest.MonkeyPatch) -> None:
    """Fulfil a checkout with each look-up, whether it is done already or another has followed."""
    find, lock, done = rows.find, rows.lock, str(rows._DONE)

    def undone(checkout: CheckoutRow | None) -> CheckoutRow | None:
        if checkout is None or checkout.status is not CheckoutStatus.DONE:
            return checkout
        return replace(checkout, status=CheckoutStatus.OPENED)

    patch.setattr(rows, "find", lambda *given: undone(find(*given)))
    patch.setattr(rows, "lock", lambda *given: undone(lock(*given)))
    assert _ENDED in done
    patch.setattr(rows, "_DONE", text(done.replace(_ENDED, "WHERE id = :id")))
    patch.setattr(key_activation, "_is_older", lambda *_: False)


def show_what_was_declined_only(patch: pytest.MonkeyPatch) -> None:
    """Overlook what opened behind a dead key on the page, in the consent, and when the new key is put to work."""
    _replace_in(patch, charges, "_OPEN", charges.OWED, "c.status = 'past_due'")
    charge_everything_that_is_open(patch)


def charge_everything_that_is_open(patch: pytest.MonkeyPatch) -> None:
    """Wake whatever a new key finds, agreed to or not."""
    _replace_in(
        patch, consents, "_WITHHOLD", "WHERE c.subscription_id = :id", "WHERE c.subscription_id = :id AND false"
    )


def _replace_in(patch: pytest.MonkeyPatch, module: Any, name: str, part: str, instead: str) -> None:
    sql = str(getattr(module, name))
    assert part in sql
    patch.setattr(module, name, text(sql.replace(part, instead)))


class HastyPages(PageServer):
    """Deletes the billing key that is to be replaced as soon as its customer has agreed to another one."""

    def agree(self, code: str, pg: str | None, answered: Any, **shown: Any) -> None:
        def then(answer: Any) -> None:
            self._forget(code)
            answered(answer)

        super().agree(code, pg, then, **shown)

    def _forget(self, code: str) -> None:
        world: WindowWorld = self.world
        of_link = f"{_KEY} JOIN checkouts c ON c.subscription_id = s.id WHERE c.code = :code AND c.purpose = 'replace'"
        for row in world.sql(of_link, code=code):
            key_rows.delete(world.sandbox.ledger, row.customer_uid, at=world.sandbox.now())
            world.change("UPDATE billing_keys SET status = 'deleted' WHERE id = :id", id=row.id)
