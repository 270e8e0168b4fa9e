"""Rendering of the pages: a checkout's view in words and HTML. Text from outside is escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from worker.checkout import CheckoutView
from worker.checkout.view_status import KeyAvailability
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import CheckoutPurpose, CheckoutStatus
from worker.web.pages import formats, terms
from worker.web.pages.wording import WORDS, Language, wording_version

MAX_DECLINE_MESSAGE = 200

_CODE = re.compile(r"^\[[A-Za-z0-9_-]+\]")  # before many PGs' messages, as in [0002]한도초과; no news to a customer
_KOREAN = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")

MOODS = {"done": "good", "pending": "waiting"}


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same on all pages: the merchant, and where things are."""

    base: str  # the path that everything begins with; "" at the top of a host
    sdk_url: str
    merchant: str  # PortOne's code for the merchant, which the SDK is initialised with
    company: str
    contact: str
    sandbox: bool


def agreement(site: Site, view: CheckoutView, token: str, language: Language, *, notice: str = "") -> str:
    """Return the page that is agreed to, with its form, and what went wrong the last time."""
    words = WORDS[language]
    kind = terms.kind_of(view)
    amount, how_often = formats.won(view.amount, language), formats.cadence(view.cadence, language)
    only_once = view.purpose is CheckoutPurpose.PAY
    return _render(
        "agreement.html",
        site,
        language,
        title=words[f"{kind}_title"],
        lead=words[f"{kind}_lead{_key_suffix(view, kind)}"],
        address=f"{site.base}/c/{token}",
        wording=wording_version(language),
        owed=view.owed,
        given_up=view.given_up,
        check=view.status is CheckoutStatus.OPENED,
        plan_name=view.name,
        price=amount,
        per="" if only_once else f"/ {how_often}" if language is Language.KOREAN else how_often,
        vat=terms.vat_of(view, language),
        facts=list(terms.facts_of(view, site.company, language)),
        notes=list(terms.notes_of(view, language)),
        cancel=terms.cancel_of(site.contact, language),
        choices=[{"pg": pg, "name": terms.pg_name(pg, language)} for pg in view.pgs],
        fields=terms.fields_of(view, words),
        consent=terms.consent_of(view, language),
        button=terms.button_of(view, kind, amount, language),
        notice=notice,
    )


def shown_terms(site: Site, view: CheckoutView, language: Language) -> ShownTerms:
    """Return what the page has shown of the terms, line by line, for the record of the consent."""
    lines = [f"{view.name}: {formats.won(view.amount, language)}, {terms.vat_of(view, language)}"]
    lines += [f"{fact.name}: {fact.text}" for fact in terms.facts_of(view, site.company, language)]
    lines += [note.text for note in terms.notes_of(view, language)]
    lines.append(terms.consent_of(view, language))
    return ShownTerms("\n".join(lines), terms.cancel_of(site.contact, language))


def done(site: Site, view: CheckoutView, token: str, language: Language) -> str:
    """Return the page of a checkout that is done, the first time and every later one."""
    words, kind = WORDS[language], terms.kind_of(view)
    amount = formats.won(view.owed or view.paid or view.amount, language)
    return result(
        site,
        language,
        "done",
        title=words[f"done_{kind}_title"],
        lead=words[f"done_{kind}{_done_suffix(view, kind)}"].format(amount=amount),
        facts=list(terms.done_facts_of(view, site.company, language)),
        token=token,
    )


def result(
    site: Site,
    language: Language,
    state: str,
    *,
    title: str = "",
    lead: str = "",
    facts: list[terms.Fact] | None = None,
    token: str = "",
    check: bool = False,
) -> str:
    """Return a page that shows a state. `check` lets it ask the server until the outcome is known."""
    words = WORDS[language]
    return _render(
        "result.html",
        site,
        language,
        state=state,
        mood=MOODS.get(state, "bad" if state in {"invalid", "error", "mismatch"} else "plain"),
        title=title or words[f"{state}_title"],
        lead=lead or words[state],
        facts=facts or [],
        address=f"{site.base}/c/{token}",
        check=check,
    )


def declined(view: CheckoutView, language: Language) -> str:
    """Return the sentence about a window that ended without success, with the PG's message, which is mostly Korean."""
    words = WORDS[language]
    ended = words["declined" if terms.pays_in_window(view) else "declined_register"]
    said = _CODE.sub("", view.decline_message or "").strip()[:MAX_DECLINE_MESSAGE]
    if not said:
        return ended
    introduced = words["said_in_korean" if _KOREAN.search(said) else "said"]
    return f"{ended} {introduced.format(pg=terms.pg_name(view.pg or '', language), said=said)}"


def _done_suffix(view: CheckoutView, kind: str) -> str:
    """Return the suffix of the words for an end: paid with the first key, owed with another, or no working key."""
    if kind == "register":
        return "_paid" if view.paid else ""
    if kind == "replace":
        return "_owed" if view.owed else ""
    return _key_suffix(view, kind)


def _key_suffix(view: CheckoutView, kind: str) -> str:
    """Return the suffix of the words for a payment by hand: the subscription goes on only with a key that works."""
    if kind != "overdue" or view.key is KeyAvailability.WORKS:
        return ""
    return f"_{view.key}"


def _render(template: str, site: Site, language: Language, **values: Any) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            language=language.value,
            other_language=language.other.value,
            words=WORDS[language],
            base=site.base,
            sdk_url=site.sdk_url,
            merchant=site.merchant,
            company=site.company,
            contact=site.contact,
            sandbox=site.sandbox,
            **values,
        )
    )


@cache
def _environment() -> Environment:
    loader = PackageLoader("worker.web", "pages/templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
