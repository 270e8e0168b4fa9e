"""What every command that acts has in common: its options, its preview, the question, and what it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import cancellation, confirm, console, formats
from worker.cli.options import Reason

if TYPE_CHECKING:
    from worker.changes.request import ChangeRequest, RequestedChange
    from worker.domain.changes import When
    from worker.domain.previews import Preview
    from worker.runtime import Runtime

At = Annotated[
    str | None,
    typer.Option("--at", metavar="WHEN", help="now, period-end, or a date in the plan's zone such as 2027-03-01."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what it would come to, and change nothing.")]
Key = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="Asked for twice under one key, it is done once."),
]
Comment = Annotated[str | None, typer.Option("--comment", help="The customer's own words, kept with the change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before money moves.")]

__all__ = ["At", "Comment", "DryRun", "Key", "Reason", "Yes", "read_at", "run"]


def read_at(text: str | None) -> When | None:
    """Return when a change takes effect as it was typed; None for the kind's own default. Raises Refused."""
    from worker.domain.changes import read_when

    return None if text is None else read_when(text)


def run(
    runtime: Runtime,
    request: ChangeRequest,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    ask: Callable[[ChangeRequest], RequestedChange] | None = None,
) -> None:
    """Preview a change, ask before money moves, and request what was shown; then print what became of it.

    `ask` requests it where more is to be done than to write it down.
    """
    from worker.changes.request import asked_before, preview_change, request_change

    policy = runtime.change_policy
    if (known := asked_before(runtime.sessions, request)) is not None:
        _print_requested(runtime, known, as_json=as_json)
        return
    preview = preview_change(runtime.sessions, request, policy=policy, now=runtime.clock())
    if dry_run:
        _print_preview(preview, as_json=as_json)
        return
    if preview.moves_money and not yes:
        if not as_json:
            _print_preview(preview, as_json=False)
        confirm.require("Do it?", unasked="Money would move", declined="Nothing was changed.")
    agreed = replace(request, fingerprint=preview.fingerprint)
    if ask is None:
        requested = request_change(runtime.sessions, agreed, policy=policy, now=runtime.clock())
    else:
        requested = ask(agreed)
    _print_requested(runtime, requested, as_json=as_json)


def preview_document(preview: Preview) -> dict[str, Any]:
    """Return a preview as JSON has it."""
    return {
        "kind": preview.kind,
        "subscription": preview.subscription,
        "charge": preview.charge,
        "effective_at": preview.effective_at,
        "at_once": preview.at_once,
        **asdict(preview.effect),
        "paid_until": preview.paid_until,
        "replaces": [asdict(each) for each in preview.replaces],
        "next_periods": [asdict(period) for period in preview.periods],
        "fingerprint": preview.fingerprint,
    }


def _print_preview(preview: Preview, *, as_json: bool) -> None:
    if as_json:
        console.print_json(preview_document(preview))
        return
    console.say(preview.effect.sentence.en)
    for caution in preview.effect.cautions:
        console.note(caution.en, style="yellow")
    effect, at = preview.effect, formats.in_zone(preview.time_zone)
    money = {
        "charged": effect.charged,
        "refunded": effect.refunded,
        "credited": effect.credited,
        "no longer owed": effect.no_longer_owed,
    }
    console.details(
        {
            "takes effect": "at once" if preview.at_once else at(preview.effective_at),
            **{name: formats.money(amount) for name, amount in money.items() if amount},
            "takes the place of": "; ".join(
                f"change {each.id} for {at(each.effective_at)}, asked for by {each.requested_by}"
                for each in preview.replaces
            )
            or None,
            "paid until": None if preview.paid_until is None else at(preview.paid_until),
        }
    )
    if preview.periods:
        console.head("The next periods, if each is paid")
        console.table(
            "FROM",
            "TO",
            "AMOUNT",
            rows=[
                (at(each.start), at(each.end), formats.money(each.amount) if each.owed else "not owed")
                for each in preview.periods
            ],
            right=("AMOUNT",),
        )


def _print_requested(runtime: Runtime, requested: RequestedChange, *, as_json: bool) -> None:
    refund = cancellation.refund_of(runtime, requested.change)
    if as_json:
        console.print_json(_document(runtime, requested) | cancellation.document(refund))
    else:
        _say_requested(requested)
    if refund is not None:
        cancellation.tell(refund, as_json=as_json)


def _say_requested(requested: RequestedChange) -> None:
    change = requested.change
    if requested.repeated:
        console.note(f"asked for before, as change {change.id}: nothing was done now")
    console.say(change.preview["sentence"]["en"])
    for caution in change.preview["cautions"]:
        console.note(caution["en"], style="yellow")
    if change.status == "failed":
        console.complain(f"Change {change.id} has failed: {change.status_reason}")
    elif change.waits_for is not None:
        console.say(cancellation.WAITS[change.waits_for].format(id=change.id))
    elif change.status == "scheduled":
        console.say(f"It is change {change.id}; until then `again change undo {change.id}` undoes it.")


def _document(runtime: Runtime, requested: RequestedChange) -> dict[str, Any]:
    from worker.cli.subscription import shown_subscription

    change = requested.change
    return {
        "change": {
            "id": change.id,
            "kind": change.kind,
            "status": change.status,
            "waits_for": change.waits_for,
            "charge": change.charge_id,
            "effective_at": change.effective_at,
            "repeated": requested.repeated,
            "fingerprint": change.fingerprint,
            **change.preview,
        },
        "subscription": shown_subscription(runtime, change.code),
    }
