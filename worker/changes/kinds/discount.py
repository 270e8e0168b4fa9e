"""Discounts: percent or won off the plan's price, for some periods or for ever; by a code, or given by an operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from schedules.plans import SEOUL
from worker.changes.discount_codes import MOST_PERIODS, known_code, read_off
from worker.changes.kind import Circumstances, OrdinaryKind, Subject
from worker.changes.kinds.removal import read_removal, remove
from worker.changes.parameters import name_of, only_one, optional_whole
from worker.changes.wording import day_en, refuse_parameters, won
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Effect, Sentence
from worker.domain.pricing.adjustments import AdjustmentKind
from worker.ledger import adjustments, discounts
from worker.ledger.discounts import DiscountCode
from worker.ledger.terms import own_terms

_BEFORE = timedelta(microseconds=1)
"""A code that ends at midnight was redeemed on the day before for the last time."""

DEFAULT_NAME = "할인"
"""What a discount is called if nothing else is said; customers read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountTerms:
    """What is to be given: by a code, or as said; or the adjustment that is to be removed."""

    code: str | None = None
    percent: int | None = None
    amount: int | None = None
    periods: int | None = None
    name: str = DEFAULT_NAME
    remove: int | None = None


class Discount(OrdinaryKind):
    """From the next charge on, unless a time is given. Discounts add up: each is of what the ones before it leave."""

    kind = ChangeKind.DISCOUNT
    supersedes = False
    default = Moment.NOW

    def read(self, parameters: Mapping[str, Any]) -> DiscountTerms:
        refuse_parameters(parameters, ("code", "percent", "amount", "periods", "name", "remove"))
        match only_one(parameters, ("code", "percent", "amount", "remove")):
            case "remove":
                refuse_parameters(parameters, ("remove",))
                return DiscountTerms(remove=read_removal(parameters))
            case "code":
                refuse_parameters(parameters, ("code",))
                return DiscountTerms(code=str(parameters["code"]))
        percent, amount = read_off(parameters)
        periods = optional_whole(parameters, "periods", 1, MOST_PERIODS, unit="periods")
        name = name_of(parameters, default=DEFAULT_NAME)
        return DiscountTerms(percent=percent, amount=amount, periods=periods, name=name)

    def apply(self, session: Session, subject: Subject, parameters: DiscountTerms, given: Circumstances) -> Effect:
        if parameters.remove is not None:
            return remove(session, subject, AdjustmentKind.DISCOUNT, parameters.remove, given)
        code = None if parameters.code is None else known_code(session, parameters.code)
        terms = parameters if code is None else _of_code(code)
        price = own_terms(session, subject.id).plan.amount
        if terms.amount is not None and terms.amount > price:
            raise Refused(
                f"The discount of {won(terms.amount)} is above the price of subscription {subject.code}, {won(price)} "
                "each period; give at most that, or --percent 100."
            )
        if code is not None:
            _redeem(session, code, subject, given.at)
        row = {
            "subscription_id": subject.id,
            "kind": AdjustmentKind.DISCOUNT,
            "description": terms.name,
            "percent": terms.percent,
            "amount": terms.amount,
            "periods": terms.periods,
            "discount_id": None if code is None else code.id,
            "change_id": given.change_id,
        }
        adjustments.add(session, [row], now=given.now)
        return Effect(sentence=_sentence(terms))


def _of_code(code: DiscountCode) -> DiscountTerms:
    return DiscountTerms(percent=code.percent, amount=code.amount, periods=code.periods, name=code.name)


def _redeem(session: Session, code: DiscountCode, subject: Subject, at: datetime) -> None:
    """Count a use of a code.

    Raises Refused for one that is for other plans, is over, used up, or was redeemed by this subscription before.
    """
    if code.plans and subject.plan.code not in code.plans:
        raise Refused(
            f"Discount code {code.code} is for the plans {', '.join(code.plans)} only, and subscription {subject.code} "
            f"is to {subject.plan.code}; use another one.",
            code=RefusalCode.DISCOUNT_CODE,
        )
    if discounts.is_redeemed(session, code.id, subject.id):
        raise Refused(
            f"Subscription {subject.code} has redeemed discount code {code.code} already.",
            code=RefusalCode.DISCOUNT_CODE,
        )
    if discounts.redeem(session, code.id, now=at):
        return
    code = known_code(session, code.code)
    ended = min(filter(None, (code.ended_at, code.ends_at)), default=None)
    if ended is not None and ended <= at:
        raise Refused(
            f"Discount code {code.code} ended on {day_en(ended - _BEFORE, SEOUL)}; use another one.",
            code=RefusalCode.DISCOUNT_CODE,
        )
    raise Refused(
        f"Discount code {code.code} was used {code.uses:,} times, as often as it may be; use another one.",
        code=RefusalCode.DISCOUNT_CODE,
    )


def _sentence(terms: DiscountTerms) -> Sentence:
    off_en = f"{terms.percent} %" if terms.percent is not None else won(terms.amount or 0)
    off_ko = f"{terms.percent}%" if terms.percent is not None else f"{terms.amount or 0:,}원"
    if terms.periods is None:
        return Sentence(
            f"Each charge that is opened from now on has a discount of {off_en} ({terms.name}).",
            f"앞으로의 정기결제 금액이 매번 {off_ko} 할인됩니다. ({terms.name})",
        )
    count = "next charge has" if terms.periods == 1 else f"next {terms.periods:,} charges have"
    return Sentence(
        f"The {count} a discount of {off_en} ({terms.name}).",
        f"다음 {terms.periods:,}회의 정기결제 금액이 {off_ko} 할인됩니다. ({terms.name})",
    )
