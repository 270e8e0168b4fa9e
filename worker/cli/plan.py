"""`again plan`: what is sold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import confirm, console, formats
from worker.cli.options import Json, Reason
from worker.cli.plan_details import dunning_terms, end_in_short, hour_in_words, stop_in_words

if TYPE_CHECKING:
    from schedules.plans import Plan
    from worker.ledger.standing_stops import PlanStop

SHOWN_CHARGES = 5

app = typer.Typer(help="Plans: amount, cadence, trial, dunning.", no_args_is_help=True)


@app.command("add")
def add(
    code: Annotated[str, typer.Argument(metavar="CODE", help="1 to 40 of a-z, 0-9, - and _.")],
    *,
    name: Annotated[str, typer.Option(help="Order name that customers see on their statement; at most 40 characters.")],
    amount: Annotated[str, typer.Option(metavar="WON", help="Whole won per period, taxes included.")],
    cadence: Annotated[str, typer.Option(help="'day', '2 weeks', 'month', '3 months', 'year' or 'cron 0 9 1 * *'.")],
    tax_free: Annotated[str, typer.Option(metavar="WON", help="The tax-free part of the amount.")] = "0",
    vat_amount: Annotated[
        str, typer.Option(metavar="WON", help="VAT included in the amount; 'none' lets PortOne compute it.")
    ] = "none",
    time_zone: Annotated[str, typer.Option(help="Time zone of its days and hours.")] = "Asia/Seoul",
    charge_hour: Annotated[
        str, typer.Option(metavar="HOUR", help="Hour at which a period is charged, 0-23; a cron cadence has its own.")
    ] = "10",
    trial_days: Annotated[str, typer.Option(metavar="DAYS", help="Free days before the first period.")] = "0",
    catch_up: Annotated[
        str, typer.Option(help="Which periods missed during a downtime to charge: all, latest or skip.")
    ] = "all",
    dunning: Annotated[
        str,
        typer.Option(
            help="Days after the first decline on which to retry, such as '1,3,payday; no weekends', or 'none'."
        ),
    ] = "1,3,5,7",
    max_open_charges: Annotated[
        str, typer.Option(metavar="N", help="Once this many charges are unpaid, later periods are not owed.")
    ] = "3",
    dunning_end: Annotated[
        str, typer.Option(help="What becomes of a subscription that dunning has failed for: leave, cancel or pause.")
    ] = "leave",
    dunning_end_charges: Annotated[
        str, typer.Option(help="What is given up becomes uncollectible, and can be paid by hand; or void.")
    ] = "uncollectible",
    key_deadline_days: Annotated[
        str,
        typer.Option(metavar="DAYS", help="Dunning ends too when a dead key is not replaced in so many, or 'none'."),
    ] = "none",
    grace_days: Annotated[str, typer.Option(metavar="DAYS", help="Of access beyond what is paid.")] = "0",
    arrears: Annotated[
        str, typer.Option(help="What of the unpaid periods a new key pays: all, 'newest N' or none.")
    ] = "all",
    notices: Annotated[
        str, typer.Option(metavar="LIST", help="What customers are told, such as 'renewal 7, declined', or none.")
    ] = "none",
    gate: Annotated[
        str, typer.Option(help="Of the consent gate: strict, warn or off; none for the deployment's mode.")
    ] = "none",
    as_json: Json = False,
) -> None:
    """Add a plan. Once it is added, only how its dunning ends, its notices and its consent gate can be changed."""
    from schedules.plans import Plan
    from worker.cli.context import command_runtime
    from worker.subscriptions import plans
    from worker.subscriptions.plans import add_plan

    given = {"code": code, "name": name, "amount": amount, "cadence": cadence, "tax_free": tax_free}
    given |= {"vat_amount": vat_amount, "time_zone": time_zone, "charge_hour": charge_hour, "trial_days": trial_days}
    given |= {"catch_up": catch_up, "dunning": dunning, "max_open_charges": max_open_charges}
    given |= {"dunning_end": dunning_end, "dunning_end_charges": dunning_end_charges, "arrears": arrears}
    given |= {"key_deadline_days": key_deadline_days, "grace_days": grace_days, "notices": notices, "gate": gate}
    with command_runtime(as_json=as_json) as runtime:
        plan, now = Plan.parse(given), runtime.clock()
        add_plan(runtime.sessions, plan, max_amount=runtime.settings.max_amount, now=now)
    _show(plan, now, as_json=as_json)
    if (warned := plans.overlong_trials([plan])) and not as_json:
        console.note(f"{warned} {plans.TRIAL_REMEDY}", style="yellow")
    if (held := plans.unannounced_trials([plan], runtime.settings.consent_gate)) and not as_json:
        console.note(f"{held} {plans.NOTICE_REMEDY}", style="yellow")


@app.command("set")
def change(
    code: Annotated[str, typer.Argument(metavar="CODE")],
    *,
    dunning_end: Annotated[str, typer.Option(help="leave, cancel or pause.")] = "",
    dunning_end_charges: Annotated[str, typer.Option(help="uncollectible or void.")] = "",
    key_deadline_days: Annotated[str, typer.Option(metavar="DAYS", help="Or 'none'.")] = "",
    grace_days: Annotated[str, typer.Option(metavar="DAYS", help="Of access beyond what is paid.")] = "",
    arrears: Annotated[str, typer.Option(help="all, 'newest N' or none.")] = "",
    notices: Annotated[str, typer.Option(metavar="LIST", help="Such as 'renewal 7, declined', or none.")] = "",
    gate: Annotated[str, typer.Option(help="Of the consent gate: strict, warn or off; none: the deployment's.")] = "",
    past_due_too: Annotated[
        bool,
        typer.Option(
            "--past-due-too", help="End dunning also where it has failed already; key deadlines count from now."
        ),
    ] = False,
    reason: Reason = "changed by hand",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, with --past-due-too.")] = False,
    as_json: Json = False,
) -> None:
    """Change what becomes of who does not pay or agree, and what customers are told. Nothing else ever changes."""
    from worker.cli.context import command_runtime
    from worker.subscriptions.plan_terms import change_terms, preview_terms

    given = {"dunning_end": dunning_end, "dunning_end_charges": dunning_end_charges, "arrears": arrears}
    given |= {"key_deadline_days": key_deadline_days, "grace_days": grace_days, "notices": notices, "gate": gate}
    terms = {name: text for name, text in given.items() if text.strip()}
    if not terms and not past_due_too:
        raise typer.BadParameter("nothing is to be changed; give an option such as --dunning-end cancel")
    with command_runtime(as_json=as_json) as runtime:
        now = runtime.clock()
        if past_due_too and not yes:
            found = preview_terms(runtime.sessions, code, terms, past_due_too=True, now=now).scheduled
            if found:
                what = f"Dunning has failed for {formats.counted(found, 'subscription')} already, and would end"
                confirm.require(f"{what}. Go on?", unasked=what, declined="Nothing was changed.")
        changed = change_terms(
            runtime.sessions, code, terms, reason=reason, past_due_too=past_due_too, now=runtime.clock()
        )
    if as_json:
        console.print_json({**_document(changed.plan), "scheduled": changed.scheduled})
        return
    _show(changed.plan, now, as_json=False)
    if changed.scheduled:
        what = f"{formats.counted(changed.scheduled, 'subscription')} whose dunning has failed already"
        console.say(f"The end is scheduled for {what}; `again change list --kind end_dunning` shows them.")


@app.command("list")
def list_plans(*, as_json: Json = False) -> None:
    """List every plan."""
    from worker.cli.context import command_runtime
    from worker.subscriptions import plan_queries

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        known = plan_queries.known(session)
        problems = {row.code: problem for row in known if (problem := plan_queries.problem(row)) is not None}
    if as_json:
        said = {code: {"problem": problem} for code, problem in problems.items()}
        console.print_json([plan_queries.columns_of(row) | said.get(row.code, {}) for row in known])
        return
    console.table(
        "CODE",
        "NAME",
        "AMOUNT",
        "CADENCE",
        "TRIAL",
        "DUNNING",
        "THEN",
        "GRACE",
        "NEW KEY PAYS",
        "NOTICES",
        rows=[
            (
                plan.code,
                plan.name,
                formats.money(plan.amount, plan.currency),
                str(plan.cadence),
                f"{plan.trial_days} days" if plan.trial_days else "",
                str(plan.dunning),
                end_in_short(plan.dunning_end, plan.dunning_end_charges, plan.key_deadline_days),
                f"{plan.grace_days} days" if plan.grace_days else "",
                str(plan.arrears),
                "" if plan.notices == "none" else plan.notices,
            )
            for plan in known
        ],
        right=("AMOUNT",),
        whole=("AMOUNT",),
    )
    for code, problem in problems.items():
        console.note(f"plan {code} cannot be read here, so nothing of it is charged: {problem}", style="yellow")


@app.command("show")
def show(code: Annotated[str, typer.Argument(metavar="CODE")], *, as_json: Json = False) -> None:
    """Show a plan, and when a subscription that starts today would be charged."""
    from worker.cli.context import command_runtime
    from worker.database.mapping import plan_of
    from worker.domain.errors import Refused
    from worker.ledger import standing_stops
    from worker.subscriptions.plan_queries import problem
    from worker.subscriptions.plans import plan_row

    with command_runtime(as_json=as_json) as runtime:
        with runtime.sessions() as session:
            row = plan_row(session, code)
            if said := problem(row):
                raise Refused(f"Plan {code!r:.60} cannot be read here, so nothing of it is charged: {said}.")
            plan = plan_of(row)
            stopped = standing_stops.of_plan(session, row.id)
        _show(plan, runtime.clock(), stopped, as_json=as_json)


def _show(plan: Plan, now: datetime, stopped: PlanStop | None = None, *, as_json: bool) -> None:
    from worker.subscriptions import plans
    from worker.subscriptions.plans import next_charges

    charges = next_charges(plan, now=now, count=SHOWN_CHARGES)
    if as_json:
        warned = plans.overlong_trials([plan])
        coming = {"next_charges": charges, "warnings": [warned] if warned else []}
        console.print_json({**_document(plan), **coming, "stopped": stopped and asdict(stopped)})
        return
    vat = "as PortOne computes it" if plan.vat_amount is None else formats.money(plan.vat_amount, plan.currency)
    console.details(
        {
            "plan": plan.code,
            "name": plan.name,
            "amount": formats.money(plan.amount, plan.currency),
            "tax-free": formats.money(plan.tax_free, plan.currency) if plan.tax_free else None,
            "VAT": vat,
            "cadence": f"{plan.cadence}, {hour_in_words(plan)}{plan.time_zone}",
            "trial": f"{plan.trial_days} days" if plan.trial_days else "none",
            "catch-up": plan.catch_up.value,
            "open charges": f"{plan.max_open_charges:,} at most may be unpaid; later periods are not owed",
            **dunning_terms(plan),
            "notices": str(plan.notices),
            "consent gate": "as the setting AGAIN_CONSENT_GATE says" if plan.gate is None else plan.gate.value,
            "stopped": stop_in_words(stopped, plan),
            "started today": "\n".join(formats.local(at, plan.time_zone) for at in charges),
        }
    )


def _document(plan: Plan) -> Mapping[str, Any]:
    from worker.database.mapping import plan_columns

    return plan_columns(plan)
