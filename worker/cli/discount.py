"""`again discount`: codes that are redeemed for a discount."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Limit

if TYPE_CHECKING:
    from worker.ledger.discounts import DiscountCode

app = typer.Typer(help="Discount codes: what they give, how often, until when.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(metavar="CODE", help="1 to 40 of A-Z, 0-9, - and _; typed in any case.")]
ZONE = "Asia/Seoul"


@app.command("add")
def add(
    code: Code,
    *,
    percent: Annotated[str | None, typer.Option(metavar="PERCENT", help="Whole percent off the plan's price.")] = None,
    amount: Annotated[str | None, typer.Option(metavar="WON", help="Whole won off the plan's price.")] = None,
    periods: Annotated[
        str | None, typer.Option(metavar="N", help="For this many charges; without it, for ever.")
    ] = None,
    max_uses: Annotated[
        str | None, typer.Option(metavar="N", help="Redeemed this often at most; without it, any number.")
    ] = None,
    ends_on: Annotated[str | None, typer.Option(metavar="DATE", help="The last day in Seoul to redeem it.")] = None,
    plan: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Only for this plan; may be repeated. Without it, for any.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What customers read; without it, the code.")] = None,
    as_json: Json = False,
) -> None:
    """Add a discount code. What it gives never changes."""
    from worker.changes.discount_codes import add_discount
    from worker.cli.context import command_runtime

    terms: dict[str, Any] = {
        "code": code,
        "percent": percent,
        "amount": amount,
        "periods": periods,
        "max_uses": max_uses,
    }
    terms |= {"ends_on": ends_on, "plans": plan, "name": name}
    given = {key: value for key, value in terms.items() if value is not None}
    with command_runtime(as_json=as_json) as runtime:
        added = add_discount(runtime.sessions, given, now=runtime.clock())
    _show(added, as_json=as_json)


@app.command("list")
def list_codes(limit: Limit = 50, *, as_json: Json = False) -> None:
    """List discount codes."""
    from worker.cli.context import command_runtime
    from worker.ledger import discounts

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        listed = discounts.listed(session, limit=limit)
    if as_json:
        console.print_json([asdict(each) for each in listed])
        return
    console.table(
        "CODE",
        "DISCOUNT",
        "FOR",
        "USED",
        "UNTIL",
        "PLANS",
        rows=[
            (
                each.code,
                _off(each),
                _how_long(each),
                _uses(each),
                f"ended {_ends(each)}" if each.ended_at is not None else _ends(each),
                ", ".join(each.plans) or "any",
            )
            for each in listed
        ],
        whole=("CODE", "DISCOUNT", "USED"),
    )


@app.command("show")
def show(code: Code, *, as_json: Json = False) -> None:
    """Show a discount code, and how often it was redeemed."""
    from worker.changes.discount_codes import known_code
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        known = known_code(session, code)
    _show(known, as_json=as_json)


@app.command("end")
def end(code: Code, *, as_json: Json = False) -> None:
    """End a code: it is redeemed no more. What was redeemed stays."""
    from worker.changes.discount_codes import end_discount
    from worker.cli.context import command_runtime

    with command_runtime(as_json=as_json) as runtime:
        ended = end_discount(runtime.sessions, code, now=runtime.clock())
    _show(ended, as_json=as_json)


def _show(code: DiscountCode, *, as_json: bool) -> None:
    if as_json:
        console.print_json(asdict(code))
        return
    console.details(
        {
            "code": code.code,
            "name": code.name,
            "discount": f"{_off(code)}, {_how_long(code)}",
            "redeemed": _uses(code),
            "ended" if code.ended_at is not None else "last day": _ends(code) or "none",
            "plans": ", ".join(code.plans) or "any",
        }
    )


def _off(code: DiscountCode) -> str:
    return f"{code.percent} %" if code.percent is not None else formats.money(code.amount or 0)


def _how_long(code: DiscountCode) -> str:
    return "for ever" if code.periods is None else formats.counted(code.periods, "period")


def _uses(code: DiscountCode) -> str:
    return f"{code.uses:,}" if code.max_uses is None else f"{code.uses:,} of {code.max_uses:,}"


def _ends(code: DiscountCode) -> str:
    """Return when it was ended, or the last day in Seoul on which it is redeemed; empty for never."""
    if code.ended_at is not None:
        return formats.local(code.ended_at, ZONE)
    return "" if code.ends_at is None else formats.local_date(code.ends_at - timedelta(microseconds=1), ZONE)
