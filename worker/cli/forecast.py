"""`again forecast`: what will be charged tomorrow, and in the days to come."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import console, formats
from worker.cli.options import Json

if TYPE_CHECKING:
    from datetime import date

    from worker.domain.charge_limits import Total
    from worker.domain.forecast import Coming, Forecast, Mark

KOREA = "Asia/Seoul"

COLUMNS = ("day", "subscription", "plan", "pg", "amount", "period_start", "marks", "held")
"""What each line of the CSV file has; `held` is empty for a charge that will be made."""

_CHARGED, _KRW, _BEFORE = "CHARGES", "KRW", "PAID A MONTH BEFORE"


def forecast(
    first: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="First day, in Seoul; tomorrow by default.")
    ] = "",
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day; the first one by default.")] = "",
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", dir_okay=False, help="Write a line for each charge.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show what will be charged tomorrow, or from one day to another, beside what was paid a month before.

    Nothing is written. It is what will be tried as things stand; nothing is known of declines yet to come.
    """
    from worker.charging.run_limits import limits_of
    from worker.cli.context import command_runtime
    from worker.domain.forecast import days_from
    from worker.forecast.asked import Asked
    from worker.forecast.forecast import forecast as made

    first_on, last_on = _date("--from", first), _date("--to", last)
    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        asked = Asked(
            days=days_from(first_on, last_on, now=now),
            now=now,
            policy=runtime.change_policy,
            gate=runtime.settings.consent_gate,
        )
        limits = limits_of(runtime.settings)
        with _lines(csv_file) as write, console.live_line("reading charges ...", shown=not as_json) as update:
            found = made(
                runtime.sessions,
                asked,
                tell=write,
                progress=lambda number, of: _each_hundred(update, number, of),
            )
    exceeded = found.exceeded(limits)
    if as_json:
        console.print_json({**document(found), "limits": exceeded})
        return
    _print(found)
    for each in exceeded:
        console.note(f"a charge limit will stop it: {each}", style="red")
    if csv_file is not None:
        console.note(f"{csv_file} has a line for each charge")


def _each_hundred(update: Callable[[str], None], number: int, of: int) -> None:
    if number % 100 == 0:
        update(f"{number:,} of {of:,} subscriptions that have to be played")


def _date(option: str, text: str) -> date | None:
    from worker.domain.errors import Refused
    from worker.subscriptions.csv_import.rows import read_date

    try:
        return read_date(text) if text else None
    except ValueError:
        raise Refused(f"{option} {text!r:.60} must be a date written as 2026-01-31.") from None


@contextmanager
def _lines(path: Path | None) -> Iterator[Callable[[Coming], None]]:
    """Open the CSV file, and return what writes the lines of charges into it."""
    from worker.domain.errors import Refused
    from worker.domain.forecast import day_of

    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.") from None
    with file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)

        def write(coming: Coming) -> None:
            marks, held = " ".join(sorted(coming.marks)), coming.held or ""
            day, start = day_of(coming.at), coming.period_start.isoformat()
            rows.writerows(
                (day, code, coming.plan, coming.pg, coming.amount, start, marks, held) for code in coming.subscriptions
            )

        yield write


def _print(found: Forecast) -> None:
    days = found.days
    until = "" if days.first == days.last else f" to {days.last}"
    console.say(f"{days.first}{until}, as things stand on {formats.local(found.at, KOREA)}")
    console.head("What will be charged")
    rows = [(str(day), total, before) for day, total, before in found.by_day]
    if len(rows) > 1:
        rows.append(("all", found.total, found.total_before))
    _print_compared("DAY", rows)
    if found.total.charges or found.total_before.charges:
        console.head("By plan")
        _print_compared("PLAN", found.by_plan)
        console.head("By PG")
        _print_compared("PG", found.by_pg)
    if found.marked:
        console.head("Among them")
        _print_sums([(_MARKS[mark], total) for mark, total in sorted(found.marked.items())])
    if found.held:
        console.head("Held, and in no sum above")
        _print_sums([(formats.spaced(each), total) for each, total in found.held_by.items()])
    if found.changes:
        console.head("Changes that take effect until then")
        rows_of_changes = [(formats.spaced(kind), f"{times:,}") for kind, times in found.changes.items()]
        console.table("CHANGE", "COUNT", rows=rows_of_changes, right=("COUNT",))
    if found.unreadable:
        those = formats.counted(found.unreadable, "subscription")
        console.note(f"{those} cannot be billed: the plan cannot be read, see the log", style="red")


_MARKS: dict[Mark | str, str] = {
    "first": "first charges of their subscriptions",
    "new_price": "first charges after a price change",
    "retry": "tried before",
    "change": "decided by a change to come",
}


def _print_compared(title: str, rows: Sequence[tuple[str, Total, Total]]) -> None:
    console.table(
        title,
        _CHARGED,
        _KRW,
        _BEFORE,
        "KRW THEN",
        rows=[
            (name or "-", f"{total.charges:,}", f"{total.amount:,}", f"{before.charges:,}", f"{before.amount:,}")
            for name, total, before in rows
        ],
        right=(_CHARGED, _KRW, _BEFORE, "KRW THEN"),
    )


def _print_sums(rows: Sequence[tuple[str, Total]]) -> None:
    console.table(
        "",
        _CHARGED,
        _KRW,
        rows=[(name, f"{total.charges:,}", f"{total.amount:,}") for name, total in rows],
        right=(_CHARGED, _KRW),
    )


def document(found: Forecast) -> dict[str, Any]:
    """Return a forecast as the JSON document of `--json`; amounts are KRW."""
    return {
        "from": found.days.first,
        "to": found.days.last,
        "at": found.at,
        "total": _sum(found.total),
        "month_before": _sum(found.total_before),
        "days": [_compared("day", day, total, before) for day, total, before in found.by_day],
        "plans": [_compared("plan", plan, total, before) for plan, total, before in found.by_plan],
        "pgs": [_compared("pg", pg, total, before) for pg, total, before in found.by_pg],
        "charges": [
            {"day": place.day, "plan": place.plan, "pg": place.pg, **_sum(total)}
            for place, total in sorted(found.charges.items())
        ],
        "marked": {mark: _sum(total) for mark, total in found.marked.items()},
        "held": {each: _sum(total) for each, total in found.held_by.items()},
        "changes": dict(found.changes),
        "unreadable": found.unreadable,
    }


def _compared(name: str, value: object, total: Total, before: Total) -> dict[str, Any]:
    return {name: value, **_sum(total), "month_before": _sum(before)}


def _sum(total: Total) -> dict[str, int]:
    return {"charges": total.charges, "amount": total.amount}
