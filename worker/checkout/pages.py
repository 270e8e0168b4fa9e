"""The pages themselves: what a checkout shows, put into words and HTML. Every word of a stranger is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from worker.checkout import spoken
from worker.checkout.wording import WORDS, Language, wording_version
from worker.checkouts import View
from worker.lifecycle import CheckoutPurpose, CheckoutStatus
from worker.pg_facts import WindowUse
from worker.pg_profiles import PGS, charges_in_window

KOREAN_NAMES = {"kakaopay": "카카오페이", "payco": "페이코(PAYCO)", "naverpay": "네이버페이", "tosspay_v2": "토스페이"}

BUYER = frozenset({"buyer_name", "buyer_tel", "buyer_email"})

MOODS = {"done": "good", "pending": "waiting"}


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same on all pages: who charges, and where things are."""

    base: str  # the path that everything begins with; "" at the top of a host
    sdk_url: str
    merchant: str  # PortOne's code for the merchant, which the SDK is initialised with
    company: str
    contact: str
    sandbox: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of what is agreed to."""

    id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know before the window of one of these PGs opens."""

    text: str
    pgs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that the payment windows of some PGs are told about who pays."""

    name: str
    label: str
    type: str
    autocomplete: str
    inputmode: str
    most: int
    pgs: tuple[str, ...] = ()


def agreement(site: Site, view: View, token: str, language: Language, *, notice: str = "") -> str:
    """Write the page that is agreed to, with its form, and what went wrong the last time."""
    words = WORDS[language]
    kind = _kind(view)
    amount, how_often = spoken.won(view.amount, language), spoken.cadence(view.cadence, language)
    only_once = view.purpose is CheckoutPurpose.PAY
    return _render(
        "agreement.html",
        site,
        language,
        title=words[f"{kind}_title"],
        lead=words[f"{kind}_lead"],
        address=f"{site.base}/c/{token}",
        wording=wording_version(language),
        check=view.status is CheckoutStatus.OPENED,
        plan_name=view.name,
        price=amount,
        per="" if only_once else f"/ {how_often}" if language is Language.KOREAN else how_often,
        vat=_vat(view, language),
        facts=list(_facts(view, site, language)),
        notes=list(_notes(view, language)),
        cancel=_cancel(site, language),
        choices=[{"pg": pg, "name": pg_name(pg, language)} for pg in view.pgs],
        fields=_fields(view, words),
        consent=_consent(view, language),
        button=_button(view, kind, amount, language),
        notice=notice,
    )


def done(site: Site, view: View, token: str, language: Language) -> str:
    """Say that everything is settled, the first time and every later one."""
    words, kind = WORDS[language], _kind(view)
    amount = spoken.won(view.amount, language)
    return result(
        site,
        language,
        "done",
        title=words[f"done_{kind}_title"],
        lead=words[f"done_{kind}"].format(amount=amount),
        facts=list(_done_facts(view, site, language)),
        token=token,
    )


def result(
    site: Site,
    language: Language,
    state: str,
    *,
    title: str = "",
    lead: str = "",
    facts: list[Fact] | None = None,
    token: str = "",
    check: bool = False,
) -> str:
    """Write a page that says how it stands. `check` lets it ask the server until that is known."""
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


def pg_name(pg: str, language: Language) -> str:
    """Name a PG as its customers know it."""
    name = PGS[pg].name if pg in PGS else pg
    return KOREAN_NAMES.get(pg, name) if language is Language.KOREAN else name


def declined(view: View, language: Language) -> str:
    """Say that a window ended without success, and with which words of the PG."""
    words = WORDS[language]
    said = words["said"].format(said=view.said) if view.said else ""
    return f"{words['declined']} {said}".strip()


def required_of_buyer(view: View, pg: str) -> frozenset[str]:
    """Give what a PG's window has to be told about who pays, by its names there.

    What it insists on for a payment is asked for with a key too: PAYCO's documents leave open whether it is needed.
    """
    window = PGS[pg].window
    return frozenset(need for need in window.needs(_use(view)) | window.payment_needs if need in BUYER)


def _use(view: View) -> WindowUse:
    if view.purpose is CheckoutPurpose.PAY:
        return WindowUse.PAYMENT
    return WindowUse.REGISTRATION_WITH_PAYMENT if view.with_payment else WindowUse.REGISTRATION


def _kind(view: View) -> str:
    return {
        CheckoutPurpose.REGISTER: "register",
        CheckoutPurpose.REPLACE: "replace",
        CheckoutPurpose.PAY: "overdue",
    }[view.purpose]


def _vat(view: View, language: Language) -> str:
    words = WORDS[language]
    return words["vat_included"].format(vat=spoken.won(view.vat, language)) if view.vat else words["no_vat"]


def _facts(view: View, site: Site, language: Language) -> Iterator[Fact]:
    words = WORDS[language]
    yield from _when(view, language)
    if len(view.pgs) == 1:
        yield Fact("pg", words["pay_with"], pg_name(view.pgs[0], language))
    yield Fact("seller", words["seller"], site.company or words["the_company"])


def _when(view: View, language: Language) -> Iterator[Fact]:
    """Give the dates of what is agreed to, by the clocks of the plan's zone."""
    words, zone = WORDS[language], view.time_zone
    if view.purpose is CheckoutPurpose.PAY:
        if view.period_start and view.period_end:
            last = view.period_end - timedelta(days=1)  # on the day on which a period ends the next begins
            start, end = (spoken.day(each, zone, language) for each in (view.period_start, last))
            yield Fact("period", words["overdue_period"], words["from_to"].format(start=start, end=end))
        return
    yield Fact("cadence", words["cadence"], spoken.cadence(view.cadence, language))
    if view.purpose is CheckoutPurpose.REGISTER and view.charges_now:
        yield Fact("first-charge", words["first_charge"], words["first_now"])
    elif view.purpose is CheckoutPurpose.REGISTER and view.first_charge_at:
        if view.trial_days:
            until = spoken.day(view.first_charge_at, zone, language)
            yield Fact("trial", words["trial"], words["trial_until"].format(date=until))
        yield Fact("first-charge", words["first_charge"], spoken.moment(view.first_charge_at, zone, language))
    if view.next_charge_at:
        yield Fact("next-charge", words["next_charge"], spoken.moment(view.next_charge_at, zone, language))


def _done_facts(view: View, site: Site, language: Language) -> Iterator[Fact]:
    words = WORDS[language]
    yield Fact("plan", words["plan"], view.name)
    if view.next_charge_at:
        following = spoken.moment(view.next_charge_at, view.time_zone, language)
        yield Fact("next-charge", words["next_charge"], following)
    yield Fact("seller", words["seller"], site.company or words["the_company"])


def _notes(view: View, language: Language) -> Iterator[Note]:
    """Give what a customer should know before the window opens: ours, and what the PGs' profiles hold."""
    words, use = WORDS[language], _use(view)
    if view.purpose is CheckoutPurpose.REPLACE and view.owed:
        yield Note(words["replace_owed"].format(owed=spoken.won(view.owed, language)), view.pgs)
    elif use is not WindowUse.PAYMENT:
        amount = spoken.won(view.amount, language)
        yield Note(words["charged_now"].format(amount=amount) if view.charges_now else words["no_charge_now"], view.pgs)
    for pg in view.pgs:
        window = PGS[pg].window
        for hint in (window.hint, window.key_hint if use is not WindowUse.PAYMENT else None):
            if hint is not None:
                yield Note(hint.ko if language is Language.KOREAN else hint.en, (pg,))


def _consent(view: View, language: Language) -> str:
    words, kind = WORDS[language], _kind(view)
    owed = "_owed" if kind == "replace" and view.owed else "_now" if kind == "register" and view.charges_now else ""
    return words[f"consent_{kind}{owed}"].format(
        amount=spoken.won(view.amount, language),
        cadence=spoken.cadence(view.cadence, language),
        owed=spoken.won(view.owed, language),
    )


def _cancel(site: Site, language: Language) -> str:
    words = WORDS[language]
    return words["cancel"].format(contact=site.contact) if site.contact else words["cancel_no_contact"]


def _fields(view: View, words: Mapping[str, str]) -> list[Field]:
    """Ask for what a window insists on and for nothing else: what is not asked for cannot leak."""
    every = (
        Field("name", words["name"], "text", "name", "text", 16),
        Field("tel", words["tel"], "tel", "tel", "tel", 16),
        Field("email", words["email"], "email", "email", "email", 64),
    )
    return [replace(field, pgs=pgs) for field in every if (pgs := _asking(view, f"buyer_{field.name}"))]


def _asking(view: View, need: str) -> tuple[str, ...]:
    return tuple(pg for pg in view.pgs if need in required_of_buyer(view, pg))


def _button(view: View, kind: str, amount: str, language: Language) -> str:
    words = WORDS[language]
    if len(view.pgs) != 1:
        return words["button_any"]
    pays = kind == "register" and view.with_payment and charges_in_window(view.pgs[0])
    name = "register_pay" if pays else kind
    return words[f"button_{name}"].format(pg=pg_name(view.pgs[0], language), amount=amount)


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
    loader = PackageLoader("worker.checkout", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
