"""`again consent`: what customers have agreed to, word by word, and a consent that is written down by an operator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json, Limit

if TYPE_CHECKING:
    from worker.domain.shown_terms import ShownTerms
    from worker.ledger.consent_terms import KeptConsent

app = typer.Typer(help="Consents: what customers have agreed to, when and to which text.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(metavar="CODE", help="The subscription's code.")]


@app.command("list")
def list_consents(code: Code, limit: Limit = 50, *, as_json: Json = False) -> None:
    """List the consents of a subscription, the newest first."""
    from dataclasses import asdict

    from worker.cli.context import command_runtime
    from worker.domain.identifiers import read_code
    from worker.ledger.consent_terms import consents_of

    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        found = consents_of(session, read_code(code), limit=limit)
    if as_json:
        console.print_json([asdict(each) for each in found])
        return
    console.table(
        "ID",
        "AGREED",
        "WORDING",
        "BY",
        "AMOUNT",
        "AT ONCE",
        "TEXT",
        rows=[
            (
                str(each.id),
                formats.local(each.agreed_at, each.time_zone),
                each.wording,
                each.source.value,
                formats.money(each.amount, each.currency),
                formats.money(each.due_now, each.currency) if each.due_now else "",
                "kept" if each.shown is not None else "",
            )
            for each in found
        ],
        right=("ID", "AMOUNT", "AT ONCE"),
    )


@app.command("show")
def show(
    consent: Annotated[str, typer.Argument(metavar="ID", help="The consent's id; `again consent list` shows it.")],
    *,
    as_json: Json = False,
) -> None:
    """Show a consent with the text that was agreed to, and how the customer was told to withdraw."""
    from dataclasses import asdict

    from worker.cli.context import command_runtime
    from worker.domain.errors import Refused
    from worker.domain.identifiers import read_id
    from worker.ledger import consent_terms

    consent_id = read_id(consent)
    with command_runtime(as_json=as_json) as runtime, runtime.sessions() as session:
        found = None if consent_id is None else consent_terms.consent(session, consent_id)
    if found is None:
        raise Refused(f"There is no consent {consent!r:.40}. `again consent list CODE` shows those of a subscription.")
    if as_json:
        console.print_json(asdict(found))
        return
    _print(found)


@app.command("add")
def add(
    code: Code,
    *,
    wording: Annotated[str, typer.Option(help="What the customer agreed to, by the name or version of its text.")],
    amount: Annotated[
        int | None, typer.Option(metavar="WON", min=1, help="The price of a period as it was shown; checked.")
    ] = None,
    text: Annotated[Path | None, typer.Option(metavar="FILE", help="The text as it was shown, in UTF-8.")] = None,
    withdrawal: Annotated[str | None, typer.Option(help="How to withdraw, as it was shown; needs --text.")] = None,
    as_json: Json = False,
) -> None:
    """Write down that the customer has agreed, once more, to what the subscription costs."""
    from worker.changes.terms_consent import agree_to_terms
    from worker.cli.context import command_runtime
    from worker.domain.identifiers import read_code
    from worker.domain.states import ConsentSource

    if (text is None) != (withdrawal is None):
        raise typer.BadParameter("--text and --withdrawal belong together; give both or neither")
    terms = None if text is None or withdrawal is None else _terms(text, withdrawal)
    with command_runtime(as_json=as_json) as runtime:
        given = agree_to_terms(
            runtime.sessions,
            read_code(code),
            amount=amount,
            wording=wording,
            source=ConsentSource.OPERATOR,
            terms=terms,
            now=runtime.clock(),
        )
    if as_json:
        console.print_json({"consent": given.id, "agreed_at": given.agreed_at})
    else:
        console.say(f"Consent {given.id} is on record; `again consent show {given.id}` shows it.")


def _terms(text: Path, withdrawal: str) -> ShownTerms:
    """Return what was shown, out of a file. Raises Refused for one that cannot be read."""
    from worker.domain.errors import Refused
    from worker.domain.shown_terms import ShownTerms

    try:
        return ShownTerms(text.read_text("utf-8"), withdrawal)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"The text {str(text)!r:.200} cannot be read as UTF-8: {error}.") from None


def _print(found: KeptConsent) -> None:
    at = formats.in_zone(found.time_zone)
    console.details(
        {
            "consent": str(found.id),
            "subscription": found.subscription,
            "agreed": at(found.agreed_at),
            "by": f"{found.source.value} ({found.agreed_by})",
            "wording": found.wording,
            "amount": f"{formats.money(found.amount, found.currency)} a period, {found.cadence}",
            "next charge": None if found.next_charge_at is None else at(found.next_charge_at),
            "charged at once": formats.money(found.due_now, found.currency) if found.due_now else None,
            "text": found.shown or "not handed in: the wording names it",
            "withdrawal": found.withdrawal,
        }
    )
