"""`again stop` and `again start`: the kill switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import confirm, console, formats
from worker.cli.exits import ExitCode
from worker.cli.options import Json, Reason, read_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.charging.kill_switch import Stopped
    from worker.ledger.stops import MayStillMove
    from worker.runtime import Runtime

Scope = Annotated[
    str, typer.Argument(metavar="[all|PG]", help="Everything, or one PG by its name.", show_default="all")
]
PlanScope = Annotated[str, typer.Option("--plan", metavar="CODE", help="What is on this plan now, instead of a PG.")]
SubscriptionScope = Annotated[
    str, typer.Option("--subscription", metavar="CODE", help="One subscription, instead of a PG.")
]


def stop(
    scope: Scope = "",
    *,
    plan: PlanScope = "",
    subscription: SubscriptionScope = "",
    reason: Annotated[
        str, typer.Option(callback=read_reason, help="Reason, shown by `again status`.")
    ] = "stopped by hand",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until no call is in flight.")] = True,
    as_json: Json = False,
) -> None:
    """Stop charging: nothing more is claimed; returns when no call is in flight any more.

    Reports at the end where money may still move: unknown outcomes and open payment windows.
    """
    from worker.charging import kill_switch as stopping
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        stopped = _set(runtime, _scope(scope, plan, subscription), reason)
        stopping.wait_for_claims(runtime.sessions, stopped.scope)
        if not as_json:
            before = (
                f", since {stopped.stopped_at:%Y-%m-%d %H:%M} UTC by {stopped.stopped_by}" if stopped.was_set else ""
            )
            console.say(f"Stopped: {stopped.scope} ({stopped.reason}){before}. Nothing more of it is claimed.")
        stopping.clear_queues(runtime.sessions, stopped.scope)
        if wait:
            with _telling(as_json=as_json) as tell:
                stopping.wait_until_quiet(runtime.sessions, stopped.scope, clock=runtime.clock, tell=tell)
        left = stopping.may_still_move(
            runtime.sessions, stopped.scope, quiet_period=runtime.settings.quiet_period, now=runtime.clock()
        )
    if as_json:
        console.print_json(_document(stopped, left, waited=wait))
        return
    if wait:
        console.say("No call is in flight.")
    _say_what_may_still_move(left)


def start(
    scope: Scope = "",
    *,
    plan: PlanScope = "",
    subscription: SubscriptionScope = "",
    reason: Reason = "started by hand",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Resume charging. `all` lifts the global stop only; what was stopped by name has to be resumed by name."""
    from worker.charging import kill_switch as stopping
    from worker.cli.context import command_runtime
    from worker.cli.subscription import release_held

    named = _scope(scope, plan, subscription)
    with command_runtime(as_json=as_json) as runtime:
        if runtime.settings.live and not yes:
            confirm.require(
                f"Start charging real money again ({named})?",
                unasked="This would charge real money again",
                declined="Not started.",
            )
        if subscription:
            release_held(runtime, subscription, reason, as_json=as_json)
            return
        started = stopping.start_charging(runtime.sessions, named, reason=reason, now=runtime.clock())
    if as_json:
        console.print_json({"scope": named, "still_stopped": [stop.scope for stop in started.left]})
        return
    said = " A charge limit had stopped it; its charges of today are counted from zero." if started.resets_count else ""
    if started.returned:
        said = f" {formats.counted(started.returned, 'charge')} that waited can be claimed again."
    console.say(f"Started: {named}.{said}")
    for each in started.left:
        console.note(f"still stopped: {each.scope} ({each.reason})", style="yellow")


def _scope(scope: str, plan: str, subscription: str) -> str:
    """Return the scope that is meant; everything, when none is named. One command stops one thing."""
    from worker.domain import stop_scopes

    if sum(map(bool, (scope, plan, subscription))) > 1:
        raise typer.BadParameter("give one of a PG, --plan and --subscription")
    if plan:
        return stop_scopes.of_plan(plan)
    return stop_scopes.of_subscription(subscription) if subscription else scope or stop_scopes.EVERYTHING


def _set(runtime: Runtime, scope: str, reason: str) -> Stopped:
    from worker.charging import kill_switch as stopping
    from worker.cli.context import actor
    from worker.domain import stop_scopes
    from worker.subscriptions import holds

    if not scope.startswith(stop_scopes.SUBSCRIPTION):
        return stopping.set_switch(runtime.sessions, scope, reason=reason, stopped_by=actor(), now=runtime.clock())
    code = scope.removeprefix(stop_scopes.SUBSCRIPTION)
    held, was_set = holds.hold(runtime.sessions, code, reason=reason, by=actor(), now=runtime.clock())
    return stopping.Stopped(stop_scopes.of_subscription(held.code), held.reason, held.held_by, held.held_at, was_set)


def _document(stopped: Stopped, left: MayStillMove, *, waited: bool) -> Mapping[str, Any]:
    return {
        "scope": stopped.scope,
        "reason": stopped.reason,
        "stopped_by": stopped.stopped_by,
        "stopped_at": stopped.stopped_at,
        "was_set": stopped.was_set,
        "waited": waited,
        "unknown": left.unknown,
        "unknown_until": left.lands_until,
        "open_windows": left.windows,
        "open_windows_until": left.windows_until,
    }


def _say_what_may_still_move(left: MayStillMove) -> None:
    from schedules.plans import SEOUL

    if left.unknown:
        one = left.unknown == 1
        until = "" if left.lands_until is None else f" until {formats.local(left.lands_until, SEOUL)}"
        console.say(
            f"{left.unknown} {'outcome is' if one else 'outcomes are'} unknown: money may still move for "
            f"{'it' if one else 'them'}{until}. {'It is' if one else 'They are'} looked up and not charged again; "
            "`again charge list --status charging` shows which."
        )
    if left.windows:
        one = left.windows == 1
        console.say(
            f"{left.windows} payment {'window is' if one else 'windows are'} open: what a customer pays in "
            f"{'it' if one else 'them'} until {formats.local(left.windows_until, SEOUL)} counts for its period."
        )


@contextmanager
def _telling(*, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Show on one line how many calls are still in flight; in a log, a line for each number."""
    told: list[int] = []

    def text(count: int) -> str:
        return f"{count} {'call' if count == 1 else 'calls'} still in flight"

    with console.live_line("waiting", shown=not as_json) as update:

        def tell(count: int) -> None:
            if count and told[-1:] != [count]:
                told.append(count)
                update(text(count))

        try:
            yield tell
        except KeyboardInterrupt:
            console.complain("Not waited for; the switch stays set, and calls may still be in flight.")
            raise typer.Exit(ExitCode.REFUSED) from None
