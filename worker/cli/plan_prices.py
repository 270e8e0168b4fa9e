"""`again plan price`, `prices` and `move`: another price of a plan, and moving those who have subscribed to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import confirm, console, formats
from worker.cli.acts import DryRun, Yes
from worker.cli.options import Json, Reason
from worker.cli.plan import app

if TYPE_CHECKING:
    from datetime import date

    from worker.changes.price_move import MoveTotals

__all__ = ["app"]

Code = Annotated[str, typer.Argument(metavar="CODE", help="The plan's code.")]


@app.command("price")
def price(
    code: Code,
    amount: Annotated[int, typer.Option(metavar="WON", help="Whole won per period, taxes included.")],
    tax_free: Annotated[int, typer.Option(metavar="WON", help="The tax-free part of it.")] = 0,
    vat_amount: Annotated[
        int | None, typer.Option(metavar="WON", help="VAT included in it; without, PortOne computes it.")
    ] = None,
    on: Annotated[str | None, typer.Option("--from", metavar="DATE", help="New subscriptions get it from here on.")] = (
        None
    ),
    *,
    as_json: Json = False,
) -> None:
    """Add another price of a plan, for new subscriptions; those there are keep theirs until `again plan move`."""
    from worker.changes.prices import NewPrice, add_price
    from worker.cli.context import command_runtime
    from worker.domain.pricing.amounts import Amounts

    new = NewPrice(Amounts(amount, tax_free, vat_amount), _date(on))
    with command_runtime(as_json=as_json) as runtime:
        added = add_price(runtime.sessions, code, new, max_amount=runtime.settings.max_amount, now=runtime.clock())
    if as_json:
        console.print_json({"plan": code, "version": added.version, "sold_from": added.sold_from})
        return
    sold = formats.local(added.sold_from, "Asia/Seoul")
    console.say(
        f"Version {added.version} of the price of plan {code} is {formats.money(added.amount)}; new subscriptions get "
        f"it from {sold} on."
    )
    console.say(f"Those there are keep their price until `again plan move {code} --to {added.version}`.")


@app.command("prices")
def prices(code: Code, *, as_json: Json = False) -> None:
    """List the versions of a plan's price."""
    from worker.changes.prices import prices as listed
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        versions = listed(runtime.sessions, code)
    if as_json:
        console.print_json([{name: getattr(each, name) for name in each.__slots__} for each in versions])
        return
    console.table(
        "VERSION",
        "AMOUNT",
        "SOLD FROM",
        rows=[
            (str(each.version), formats.money(each.amount), formats.local(each.sold_from, "Asia/Seoul"))
            for each in versions
        ],
        right=("VERSION", "AMOUNT"),
    )


@app.command("move")
def move(
    code: Code,
    to: Annotated[int, typer.Option(metavar="VERSION", help="The version of the price.")],
    on: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Of periods that begin on this day or later.")
    ] = None,
    signed_up_from: Annotated[str | None, typer.Option(metavar="DATE", help="Only who signed up from here on.")] = None,
    signed_up_before: Annotated[str | None, typer.Option(metavar="DATE", help="Only who signed up before.")] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="Only these subscriptions, one code a line.")
    ] = None,
    reason: Reason = "the price of the plan has changed",
    agreed: Annotated[
        bool, typer.Option("--agreed", help="The customers have agreed to a higher price; do not wait for consent.")
    ] = False,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Move a plan's subscriptions to another version of its price, each from a period's beginning on."""
    from worker.changes.price_move import PriceMove, move_prices
    from worker.cli.context import command_runtime

    wanted = PriceMove(
        plan=code,
        version=to,
        on=_date(on),
        signed_up_from=_date(signed_up_from),
        signed_up_before=_date(signed_up_before),
        codes=None if listed is None else _codes(listed),
        is_agreed=agreed,
    )
    with command_runtime(as_json=as_json) as runtime:

        def run(*, dry: bool) -> MoveTotals:
            with console.live_line("looking at subscriptions ...", shown=not as_json) as update:
                return move_prices(
                    runtime.sessions,
                    wanted,
                    reason=reason,
                    max_amount=runtime.settings.max_amount,
                    now=runtime.clock(),
                    dry_run=dry,
                    progress=lambda totals: update(f"{totals.seen:,} subscriptions"),
                )

        totals = run(dry=True)
        if not dry_run and totals.moved:
            if not yes:
                _print(totals, to, as_json=False)
                confirm.require("Move them?", unasked="Prices would change", declined="Nothing was changed.")
            totals = run(dry=False)
        _print(totals, to, as_json=as_json)


def _print(totals: MoveTotals, version: int, *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "bulk": totals.bulk_id,
                "version": version,
                "moved": totals.moved,
                "waiting_for_consent": totals.waiting_for_consent,
                "before": totals.before,
                "after": totals.after,
                "skipped": dict(totals.skipped),
                "failed": dict(totals.failed),
            }
        )
        return
    if not totals.seen:
        console.say("No subscription of the plan is meant by that: nothing to do.")
        return
    verb = "would be" if totals.bulk_id is None else formats.is_or_are(totals.moved)
    console.say(
        f"{formats.counted(totals.moved, 'subscription')} {verb} moved to version {version}: a period of all of them "
        f"comes to {formats.money(totals.after)} instead of {formats.money(totals.before)}."
    )
    if totals.waiting_for_consent:
        console.say(f"{totals.waiting_for_consent:,} of them wait for the customer's consent; the old price goes on.")
    for why, count in (*totals.skipped.items(), *totals.failed.items()):
        console.say(f"{count:,} not moved: {why}.")
    if totals.bulk_id is not None:
        console.say(f"`again bulk show {totals.bulk_id}` lists each; `again change list --kind change_price` too.")


def _date(text: str | None) -> date | None:
    from datetime import date

    from worker.domain.errors import Refused

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r:.40} is no date; write it as 2027-03-01.") from None


def _codes(path: Path) -> tuple[str, ...]:
    from worker.domain.errors import Refused
    from worker.domain.identifiers import is_code, read_code

    try:
        codes = tuple(dict.fromkeys(read_code(line) for line in path.read_text("utf-8").splitlines() if line.strip()))
    except (OSError, UnicodeError) as error:
        raise Refused(f"{path} cannot be read: {error}.") from None
    if wrong := [code for code in codes if not is_code(code)]:
        raise Refused(f"{path}: {wrong[0]!r:.40} is no code of a subscription. Write one code a line.")
    return codes
