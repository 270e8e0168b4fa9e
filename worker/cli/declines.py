"""`again declines`: the rules by which refusals are classified, why one is, and a merchant's own rules checked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console, formats
from worker.cli.options import Json

if TYPE_CHECKING:
    from worker.domain.declines import DeclineRules
    from worker.domain.declines.explanation import Explanation, Step
    from worker.domain.declines.listing import ListedRule

app = typer.Typer(help="Declines: what a refusal means, by which rule, and what follows.", no_args_is_help=True)

Pg = Annotated[str | None, typer.Option("--pg", help="As PortOne calls the PG: kakaopay, payco, kcp, html5_inicis ...")]
Kind = Annotated[
    str | None, typer.Option(help="One of soft, hard, config, transient, unmatched, duplicate and look_up.")
]


@app.command("list")
def list_rules(pg: Pg = None, kind: Kind = None, *, as_json: Json = False) -> None:
    """List the rules in the order in which they are asked: your own, then ours, codes before words."""
    from worker.domain.declines import listing
    from worker.domain.declines.verdicts import VERDICTS
    from worker.domain.errors import Refused

    if kind is not None and kind not in VERDICTS:
        raise Refused(f"{kind!r:.40} is no kind; there are {', '.join(VERDICTS)}.")
    rules = _rules(pg)
    packs, found = list(listing.packs(rules)), list(listing.listed(rules, pg=pg, kind=kind))
    if as_json:
        console.print_json({"packs": [asdict(each) for each in packs], "rules": [asdict(each) for each in found]})
        return
    for pack in packs:
        version = "" if pack.version is None else f", version {pack.version}"
        console.note(f"{pack.file}{version}: {formats.counted(pack.rules, 'rule')}")
    console.table("PG", "RULE", "OF", "KIND", "ABOUT", "WHY", rows=[_row(each) for each in found])


def _row(rule: ListedRule) -> tuple[str, ...]:
    of = ", ".join((*rule.codes, *(f'"{word}"' for word in rule.words))) or "words"
    return ", ".join(rule.pgs), rule.place, of, ", ".join(rule.kinds), rule.about or "", rule.why


@app.command(context_settings={"ignore_unknown_options": True})  # a text may begin with a code such as -750
def explain(
    text: Annotated[str, typer.Argument(help="What the PG said, as `again charge show` has it.")],
    pg: Pg = None,
    code: Annotated[str | None, typer.Option(help="The PG's code, where it stands apart from the text.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show which rule decides about a refusal, why the others do not, and what happens then."""
    from worker.domain.decline_effects import effect_of
    from worker.domain.declines.explanation import explain as explained

    found = explained(_rules(pg), pg or "", code, text)
    then = effect_of(found.decision)
    if as_json:
        console.print_json(_document(found, then))
    else:
        _show(found, then)


@app.command()
def check(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A TOML file of rules, before AGAIN_DECLINE_RULES names it.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Check a file of your own rules: every problem with its line, and what is expected there."""
    from worker.config.decline_packs import read_decline_file
    from worker.domain.errors import Refused

    try:
        own = read_decline_file(file).rules.own
    except ValueError as error:
        raise Refused(str(error)) from None
    assert own is not None, "a file that is read has rules"
    if as_json:
        console.print_json({"file": file, "version": own.version, "rules": len(own.rules)})
    else:
        console.say(f"{file}: {formats.counted(len(own.rules), 'rule')}, in order.")


def _rules(pg: str | None) -> DeclineRules:
    from worker.config.decline_packs import rules_with
    from worker.devstack.addresses import effective_settings
    from worker.domain.errors import Refused
    from worker.pg.catalog import PGS

    if pg is not None and pg not in PGS:
        raise Refused(f"{pg!r:.40} is no PG; there are {', '.join(sorted(PGS))}.")
    return rules_with(effective_settings().decline_rules)


def _show(found: Explanation, then: str) -> None:
    from worker.domain.declines.listing import name_of

    decision, decided = found.decision, found.decided_by
    place = "" if decided is None else decided.place or "Again itself"
    console.details(
        {
            "means": ", ".join(filter(None, (name_of(decision.verdict), decision.about))),
            "decided by": "no rule knows it" if decided is None else f"{place}: {decided.says}",
            "then": then,
            "codes in it": ", ".join(found.codes) or None,
        }
    )
    others = [step for step in found.steps if step.not_because]
    if others:
        console.head("Not by")
        rows = [(step.place, step.says, _kind(step), step.not_because) for step in others]
        console.table("RULE", "SAYS", "KIND", "BECAUSE", rows=rows)


def _document(found: Explanation, then: str) -> dict[str, object]:
    from worker.domain.declines.listing import name_of

    decided = found.decided_by
    return {
        "kind": name_of(found.decision.verdict),
        "about": found.decision.about,
        "decided_by": None if decided is None else _step(decided),
        "then": then,
        "codes": found.codes,
        "not_by": [_step(step) | {"because": step.not_because} for step in found.steps if step.not_because],
    }


def _step(step: Step) -> dict[str, object]:
    return {"rule": step.place, "asked": step.asked, "says": step.says, "kind": _kind(step)}


def _kind(step: Step) -> str:
    from worker.domain.declines.listing import name_of

    return "" if step.verdict is None else name_of(step.verdict)
