"""The terms that a customer agrees to, in words: facts, dates, notes, consent, and the form's fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from worker.checkout import CheckoutView
from worker.domain.states import CheckoutPurpose
from worker.pg.catalog import PGS, charges_in_window
from worker.pg.facts import WindowUse
from worker.web.pages import formats
from worker.web.pages.wording import WORDS, Language

BUYER = frozenset({"buyer_name", "buyer_tel", "buyer_email"})
MOST_DATES = 3
"""Dates that are listed one by one."""
EXAMPLES: Mapping[str, str] = {"tel": "010-1234-5678", "email": "name@example.com"}


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
    """One detail of the buyer that the payment windows of some PGs require."""

    name: str
    label: str
    type: str
    autocomplete: str
    inputmode: str
    most: int
    example: str = ""
    pgs: tuple[str, ...] = ()


def pg_name(pg: str, language: Language) -> str:
    """Return a PG's name as its customers know it."""
    if pg not in PGS:
        return pg
    facts = PGS[pg]
    return facts.name_ko or facts.name if language is Language.KOREAN else facts.name


def required_of_buyer(view: CheckoutView, pg: str) -> frozenset[str]:
    """Return the buyer's details that a PG's window requires, by its parameters; no others are asked for."""
    return frozenset(need for need in PGS[pg].window.required_for(_use(view)) if need in BUYER)


def _use(view: CheckoutView) -> WindowUse:
    if view.purpose is CheckoutPurpose.PAY:
        return WindowUse.PAYMENT
    return WindowUse.REGISTRATION_WITH_PAYMENT if view.with_payment else WindowUse.REGISTRATION


def pays_in_window(view: CheckoutView, pg: str | None = None) -> bool:
    """Return whether a PG's window, by default the one opened last, takes a payment, or registers a key alone."""
    pg = pg or view.pg
    if view.purpose is CheckoutPurpose.PAY:
        return True
    return view.with_payment and pg is not None and charges_in_window(pg)


def kind_of(view: CheckoutView) -> str:
    return {
        CheckoutPurpose.REGISTER: "register",
        CheckoutPurpose.REPLACE: "replace",
        CheckoutPurpose.PAY: "overdue",
    }[view.purpose]


def vat_of(view: CheckoutView, language: Language) -> str:
    words = WORDS[language]
    return words["vat_included"].format(vat=formats.won(view.vat, language)) if view.vat else words["no_vat"]


def facts_of(view: CheckoutView, company: str, language: Language) -> Iterator[Fact]:
    words = WORDS[language]
    yield from _when(view, language)
    if len(view.pgs) == 1:
        yield Fact("pg", words["pay_with"], pg_name(view.pgs[0], language))
    yield Fact("seller", words["seller"], company or words["the_company"])


def _when(view: CheckoutView, language: Language) -> Iterator[Fact]:
    """Yield the dates of what is agreed to, in the plan's time zone."""
    words, zone = WORDS[language], view.time_zone
    if view.purpose is CheckoutPurpose.PAY:
        if view.period_start and view.period_end:
            last = view.period_end - timedelta(days=1)  # on the day on which a period ends the next begins
            start, end = (formats.day(each, zone, language) for each in (view.period_start, last))
            yield Fact("period", words["overdue_period"], words["from_to"].format(start=start, end=end))
        return
    if view.owed:
        owed = words["periods" if view.owed_periods > 1 else "one_period"]
        amount = formats.won(view.owed, language)
        yield Fact("owed", words["owed"], owed.format(amount=amount, count=view.owed_periods))
    if view.given_up:
        yield Fact("given-up", words["given_up"], _given_up(view, language))
    yield Fact("cadence", words["cadence"], formats.cadence(view.cadence, language))
    if view.purpose is CheckoutPurpose.REGISTER and view.charges_now:
        yield Fact("first-charge", words["first_charge"], words["first_now"])
    elif view.purpose is CheckoutPurpose.REGISTER and view.first_charge_at:
        if view.trial_days:
            until = formats.day(view.first_charge_at, zone, language)
            yield Fact("trial", words["trial"], words["trial_until"].format(date=until))
        yield Fact("first-charge", words["first_charge"], formats.moment(view.first_charge_at, zone, language))
    if view.next_charge_at:
        yield Fact("next-charge", words["next_charge"], formats.moment(view.next_charge_at, zone, language))
    yield from _ahead(view, language)


def _ahead(view: CheckoutView, language: Language) -> Iterator[Fact]:
    """Yield what the next periods come to, where that differs from the price, and what is planned."""
    words = WORDS[language]
    if view.coming:
        amounts = " → ".join(formats.won(amount, language) for amount in view.coming)
        yield Fact("coming", words["coming"], words["coming_are"].format(amounts=amounts))
    for number, sentence in enumerate(view.planned, 1):
        text = sentence.ko if language is Language.KOREAN else sentence.en
        yield Fact(f"planned-{number}", words["planned"], text)


def _given_up(view: CheckoutView, language: Language) -> str:
    """Return the sum that no new key is charged with, and the periods: each by its first day, or the first and last."""
    days = [formats.day(each, view.time_zone, language) for each in view.given_up_periods]
    dates = ", ".join(days)
    if len(days) > MOST_DATES:
        dates = WORDS[language]["from_to"].format(start=days[0], end=days[-1])
    amount = formats.won(view.given_up, language)
    return WORDS[language]["given_up_periods"].format(amount=amount, count=len(days), dates=dates)


def done_facts_of(view: CheckoutView, company: str, language: Language) -> Iterator[Fact]:
    words = WORDS[language]
    yield Fact("plan", words["plan"], view.name)
    if view.next_charge_at:
        following = formats.moment(view.next_charge_at, view.time_zone, language)
        yield Fact("next-charge", words["next_charge"], following)
    yield Fact("seller", words["seller"], company or words["the_company"])


def notes_of(view: CheckoutView, language: Language) -> Iterator[Note]:
    """Yield what a customer should know before the window opens: ours, and what the PGs' profiles hold."""
    words, use = WORDS[language], _use(view)
    if view.purpose is CheckoutPurpose.REPLACE and view.owed:
        yield Note(words["replace_owed"].format(owed=formats.won(view.owed, language)), view.pgs)
    elif use is not WindowUse.PAYMENT:
        amount = formats.won(view.first_amount, language)
        yield Note(words["charged_now"].format(amount=amount) if view.charges_now else words["no_charge_now"], view.pgs)
    if view.given_up:
        yield Note(words["given_up_note"].format(given_up=formats.won(view.given_up, language)), view.pgs)
    for pg in view.pgs:
        window = PGS[pg].window
        for notice in (window.notice, window.key_notice if use is not WindowUse.PAYMENT else None):
            if notice is not None:
                yield Note(notice.ko if language is Language.KOREAN else notice.en, (pg,))
        check_from = PGS[pg].call_confirmation_from
        if use is not WindowUse.REGISTRATION and check_from is not None and view.first_amount >= check_from:
            name, amount = pg_name(pg, language), formats.won(check_from, language)
            yield Note(words["spoken_check"].format(pg=name, amount=amount), (pg,))


def consent_of(view: CheckoutView, language: Language) -> str:
    words, kind = WORDS[language], kind_of(view)
    owed = "_owed" if kind == "replace" and view.owed else "_now" if kind == "register" and view.charges_now else ""
    return words[f"consent_{kind}{owed}"].format(
        amount=formats.won(view.amount, language),
        first=formats.won(view.first_amount, language),
        cadence=formats.cadence(view.cadence, language),
        owed=formats.won(view.owed, language),
    )


def cancel_of(contact: str, language: Language) -> str:
    words = WORDS[language]
    return words["cancel"].format(contact=contact) if contact else words["cancel_no_contact"]


def fields_of(view: CheckoutView, words: Mapping[str, str]) -> list[Field]:
    """Return the fields that some window requires, and no others: what is not asked for cannot leak."""
    every = (
        Field("name", words["name"], "text", "name", "text", 16),
        Field("tel", words["tel"], "tel", "tel", "tel", 16, EXAMPLES["tel"]),
        Field("email", words["email"], "email", "email", "email", 64, EXAMPLES["email"]),
    )
    return [replace(field, pgs=pgs) for field in every if (pgs := _pgs_requiring(view, f"buyer_{field.name}"))]


def _pgs_requiring(view: CheckoutView, need: str) -> tuple[str, ...]:
    return tuple(pg for pg in view.pgs if need in required_of_buyer(view, pg))


def button_of(view: CheckoutView, kind: str, amount: str, language: Language) -> str:
    words = WORDS[language]
    if len(view.pgs) != 1:
        return words["button_any"]
    pays = kind == "register" and view.first_amount > 0 and pays_in_window(view, view.pgs[0])
    amount = formats.won(view.first_amount, language) if pays else amount
    name = "register_pay" if pays else kind
    return words[f"button_{name}"].format(pg=pg_name(view.pgs[0], language), amount=amount)
