"""The pages themselves: what a checkout shows, put into words and HTML. Every word of a stranger is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from worker.checkout import spoken
from worker.checkout.wording import WORDS, Language, wording_version
from worker.checkouts import View
from worker.lifecycle import CheckoutPurpose, CheckoutStatus
from worker.pg_facts import WindowUse
from worker.pg_profiles import PGS

KOREAN_NAMES = {"kakaopay": "카카오페이", "payco": "페이코(PAYCO)", "naverpay": "네이버페이", "tosspay_v2": "토스페이"}

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
class Field:
    """One thing that a payment window is told about who pays."""

    name: str
    label: str
    type: str
    autocomplete: str
    inputmode: str
    most: int


def agreement(site: Site, view: View, token: str, language: Language, *, notice: str = "") -> str:
    """Write the page that is agreed to, with its form. `notice` is a key of the words."""
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
        plan_name=view.plan_name,
        price=amount,
        per="" if only_once else f"/ {how_often}" if language is Language.KOREAN else how_often,
        vat=_vat(view, language),
        facts=list(_facts(view, site, language)),
        notes=list(_notes(view, language)),
        cancel=_cancel(site, language),
        choices=[{"pg": pg, "name": pg_name(pg, language)} for pg in view.pgs],
        fields=_fields(view, words),
        consent=words[f"consent_{kind}"].format(amount=amount, cadence=how_often),
        button=_button(view, kind, amount, language),
        notice=words[notice] if notice else "",
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
        mood=MOODS.get(state, "bad" if state in {"invalid", "error", "failed"} else "plain"),
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


def required_of_buyer(view: View) -> frozenset[str]:
    """Give what any of the offered windows insists on knowing about who pays, by its names there."""
    use = _use(view)
    return frozenset(need for pg in view.pgs if pg in PGS for need in PGS[pg].window.needs(use) if "buyer" in need)


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
    if view.vat_amount == 0:
        return words["no_vat"]
    return words["vat_included"].format(vat=spoken.won(view.vat_amount, language))


def _facts(view: View, site: Site, language: Language) -> Iterator[Fact]:
    words, zone = WORDS[language], view.time_zone
    if view.purpose is CheckoutPurpose.PAY and view.period_start and view.period_end:
        days = {
            "start": spoken.day(view.period_start, zone, language),
            "end": spoken.day(view.period_end, zone, language),
        }
        yield Fact("period", words["overdue_period"], words["from_to"].format(**days))
    elif view.purpose is CheckoutPurpose.REGISTER:
        yield Fact("cadence", words["cadence"], spoken.cadence(view.cadence, language))
        if view.with_payment:
            yield Fact("first-charge", words["first_charge"], words["first_now"])
        elif view.first_charge_at:
            yield Fact("first-charge", words["first_charge"], spoken.moment(view.first_charge_at, zone, language))
        else:
            yield Fact("first-charge", words["first_charge"], words["first_at_once"])
    else:
        yield Fact("cadence", words["cadence"], spoken.cadence(view.cadence, language))
    if view.next_charge_at and view.purpose is not CheckoutPurpose.PAY:
        yield Fact("next-charge", words["next_charge"], spoken.moment(view.next_charge_at, zone, language))
    if len(view.pgs) == 1:
        yield Fact("pg", words["pay_with"], pg_name(view.pgs[0], language))
    yield Fact("seller", words["seller"], site.company or words["the_company"])


def _done_facts(view: View, site: Site, language: Language) -> Iterator[Fact]:
    words = WORDS[language]
    yield Fact("plan", words["plan"], view.plan_name)
    if view.next_charge_at:
        following = spoken.moment(view.next_charge_at, view.time_zone, language)
        yield Fact("next-charge", words["next_charge"], following)
    yield Fact("seller", words["seller"], site.company or words["the_company"])


def _notes(view: View, language: Language) -> Iterator[str]:
    """Give what a customer should know before the window opens: ours, and what the PGs' profiles hold."""
    words, use = WORDS[language], _use(view)
    if use is WindowUse.REGISTRATION:
        yield words["no_charge_now"]
    if view.purpose is CheckoutPurpose.REPLACE:
        yield words["replace_overdue"]
    for pg in view.pgs:
        window = PGS[pg].window
        for hint in (window.hint, window.key_hint if use is not WindowUse.PAYMENT else None):
            if hint is not None:
                yield hint.ko if language is Language.KOREAN else hint.en


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
    return [field for field in every if f"buyer_{field.name}" in required_of_buyer(view)]


def _button(view: View, kind: str, amount: str, language: Language) -> str:
    words = WORDS[language]
    if len(view.pgs) != 1:
        return words["button_any"]
    name = f"{kind}_pay" if kind == "register" and view.with_payment else kind
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
