"""`again notices`: what customers were told, and what they will be."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Limit

if TYPE_CHECKING:
    from worker.notices.told_queries import ListedNotice

KOREA = "Asia/Seoul"

app = typer.Typer(help="Notices: what customers are told of their subscriptions.", no_args_is_help=True)


@app.callback()
def notices() -> None:
    """Keep `list` a command of its own, as more are to come."""


@app.command("list")
def list_notices(
    subscription: Annotated[str | None, typer.Option(metavar="CODE", help="Only this subscription.")] = None,
    days: Annotated[int, typer.Option(min=0, max=365, help="How many days to come are shown.")] = 7,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List the newest notices, and those of the days to come as things are planned."""
    from worker.cli.context import command_runtime
    from worker.notices import listing
    from worker.notices.listing import Listing

    with command_runtime(as_json=as_json) as runtime:
        wanted = Listing(subscription=subscription, days=days, limit=limit)
        found = listing.list_notices(runtime.sessions, wanted, policy=runtime.notice_policy, now=runtime.clock())
    if as_json:
        console.print_json([asdict(each) for each in found])
        return
    console.table(
        "WHEN",
        "STATE",
        "NOTICE",
        "SUBSCRIPTION",
        "ABOUT",
        "SAYS",
        rows=[
            (
                formats.local(each.sent_at or each.due_at, KOREA),
                _state(each),
                each.kind.value,
                each.subscription,
                formats.local(each.about, KOREA),
                "" if each.content is None else each.content["texts"]["ko"]["body"].partition("\n")[0],
            )
            for each in found
        ],
    )
    if not found:
        console.note("No plan has notices that fall into these days; `again plan set CODE --notices` sets them.")


def _state(notice: ListedNotice) -> str:
    if notice.sent_at is not None:
        return "sent"
    return "kept" if notice.content is None else "to come"
