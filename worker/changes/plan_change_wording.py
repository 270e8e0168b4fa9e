"""What a change of plan comes to, in words."""

from __future__ import annotations

from schedules.first_periods import FirstPeriod
from schedules.plans import Plan
from worker.changes.kind import Circumstances, Subject
from worker.changes.prorated import Prorated
from worker.changes.wording import day_en, day_ko, joined, won
from worker.domain.previews import Effect, Sentence
from worker.subscriptions.terms_queries import Standing, Terms


def day(subject: Subject, before: Standing) -> str:
    """Return the day of the next charge, as English sentences have it."""
    at = before.terms.next_charge_at
    return "it is resumed" if at is None else day_en(at, subject.zone)


def later(subject: Subject, plan: Plan, terms: Terms, given: Circumstances) -> Effect:
    """Return the effect of other terms that are charged from the next period on; `plan` has the amount of a period."""
    at = terms.next_charge_at or given.at
    zone = plan.time_zone
    return Effect(
        sentence=joined(
            [
                _changes(subject, plan, terms, given),
                Sentence(
                    f"From {day_en(at, zone)} on a period costs {won(plan.amount)}; nothing is charged before.",
                    f"{day_ko(at, zone)} 결제부터 {plan.amount:,}원이 청구되며, 그 전에는 추가로 결제되지 않습니다.",
                ),
            ]
        )
    )


def at_once(
    subject: Subject, plan: Plan, terms: Terms, first: FirstPeriod, opened: Prorated, given: Circumstances
) -> Effect:
    """Return the effect of other terms of which a period is charged at once."""
    sentences = [_changes(subject, plan, terms, given), _charged(plan, first, opened, given)]
    if opened.credited:
        sentences.append(
            Sentence(
                f"{won(opened.credited)} are left to the customer's credit, which the next charges use up.",
                f"남은 {opened.credited:,}원은 다음 결제에서 차감됩니다.",
            )
        )
    if opened.carried:
        sentences.append(
            Sentence(
                f"{won(opened.carried)} are too little to be charged, and come with the next charge.",
                f"{opened.carried:,}원은 소액이어서 다음 결제에 합산됩니다.",
            )
        )
    sentences.append(_renews(plan, first))
    return Effect(sentence=joined(sentences), charged=opened.amount, credited=opened.credited)


def _changes(subject: Subject, plan: Plan, terms: Terms, given: Circumstances) -> Sentence:
    times = "" if terms.quantity == 1 else f" in quantity {terms.quantity:,}"
    times_ko = "" if terms.quantity == 1 else f" {terms.quantity:,}개"
    zone = plan.time_zone
    return Sentence(
        f"Subscription {subject.code} is to plan {plan.code}{times} from {day_en(given.at, zone)} on.",
        f"{day_ko(given.at, zone)}부터 '{plan.name}'{times_ko} 요금제가 적용됩니다.",
    )


def _charged(plan: Plan, first: FirstPeriod, opened: Prorated, given: Circumstances) -> Sentence:
    until, zone = first.period.end, plan.time_zone
    en = [f"Until {day_en(until, zone)} it costs {won(opened.line)}"]
    ko = [f"{day_ko(until, zone)}까지의 요금은 {opened.line:,}원"]
    if not first.is_whole:
        en.append(f" for {first.days.unused} of {first.days.total} days")
        ko.append(f"({first.days.total}일 중 {first.days.unused}일)")
    if first.given_from is not None:
        en.append(f", for the days from {day_en(first.given_from, zone)} on are given")
        ko.append(f"({day_ko(first.given_from, zone)}부터는 무료로 제공되는 기간)")
    if opened.deducted:
        en.append(f", less {won(opened.deducted)} that were paid for days that are left")
        ko.append(f"이며, 이미 결제하신 남은 기간의 요금 {opened.deducted:,}원을 뺍니다. 그래서")
    else:
        ko.append("이며,")
    if opened.has_more:
        en.append(", with discounts, credits and other items")
        ko.append(" 할인과 적립금 등을 반영하여")
    on_en, on_ko = ("now", "바로") if given.at_once else (f"on {day_en(given.at, zone)}", f"{day_ko(given.at, zone)}에")
    if opened.amount:
        en.append(f": {won(opened.amount)} are charged {on_en}.")
        ko.append(f" {opened.amount:,}원이 {on_ko} 결제됩니다.")
    else:
        en.append(f": nothing is charged {on_en}.")
        ko.append(f" {'지금' if given.at_once else on_ko} 결제되는 금액은 없습니다.")
    return Sentence("".join(en), "".join(ko))


def _renews(plan: Plan, first: FirstPeriod) -> Sentence:
    until, zone = first.period.end, plan.time_zone
    return Sentence(
        f"The next period begins on {day_en(until, zone)} and costs {won(plan.amount)}.",
        f"다음 결제일은 {day_ko(until, zone)}이며, 결제 금액은 {plan.amount:,}원입니다.",
    )
