"""Discount codes, as operators add and end them: `again discount`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from schedules.local_time import instant_of
from schedules.plans import SEOUL
from worker.changes.parameters import name_of, only_one, optional_whole, whole
from worker.changes.wording import day_en, refuse_parameters
from worker.database.engine import Sessions
from worker.domain.errors import RefusalCode, Refused
from worker.ledger import discounts
from worker.ledger.discounts import DiscountCode, NewDiscount
from worker.subscriptions.plans import plan_row

HIGHEST_AMOUNT = 1_000_000_000  # KRW, as of a plan
MOST_PERIODS = 1200  # a hundred years of months
MOST_USES = 1_000_000_000
LONGEST = timedelta(days=3653)  # ten years


def add_discount(sessions: Sessions, terms: Mapping[str, Any], *, now: datetime) -> DiscountCode:
    """Add a discount code and return it. Raises Refused for terms that cannot be, and for a code that is taken.

    `terms` are `code`, `percent` or `amount` (won off each period), `periods` (for ever without it), `max_uses`,
    `ends_on` (the last day in Seoul on which it is redeemed), `plans` (the codes of the only plans that it is for) and
    `name`, which customers read.
    """
    refuse_parameters(terms, ("code", "name", "percent", "amount", "periods", "max_uses", "ends_on", "plans"))
    code = read_discount_code(terms.get("code"))
    percent, amount = read_off(terms)
    plans = _plans(terms.get("plans", ()))
    new = NewDiscount(
        code=code,
        name=name_of(terms, default=code),
        percent=percent,
        amount=amount,
        periods=optional_whole(terms, "periods", 1, MOST_PERIODS, unit="periods"),
        max_uses=optional_whole(terms, "max_uses", 1, MOST_USES, unit="uses"),
        ends_at=_ends_at(terms.get("ends_on"), now),
        plans=plans,
    )
    with sessions.begin() as session:
        for plan in plans:
            plan_row(session, plan)
        if not discounts.add(session, new, now=now):
            raise Refused(f"Discount code {code} exists already and stays as it is. Choose another code.")
        return known_code(session, code)


def end_discount(sessions: Sessions, code: str, *, now: datetime) -> DiscountCode:
    """End a code, and return it: it is redeemed no more; what was redeemed stays. Raises Refused."""
    with sessions.begin() as session:
        known = known_code(session, code)
        if not discounts.end(session, known.code, now=now):
            assert known.ended_at is not None, "only a code that has ended is not ended again"
            raise Refused(f"Discount code {known.code} was ended on {day_en(known.ended_at, SEOUL)} already.")
        return known_code(session, known.code)


def known_code(session: Session, code: object) -> DiscountCode:
    """Return a code. Raises Refused for an unknown one."""
    found = discounts.found(session, read_discount_code(code))
    if found is None:
        raise Refused(
            f"There is no discount code {code!r:.60}. `again discount list` shows those there are.",
            code=RefusalCode.DISCOUNT_CODE,
        )
    return found


def read_discount_code(text: object) -> str:
    """Return a code as it is stored: customers type it in any case."""
    code = text.strip().upper() if isinstance(text, str) else ""
    if not re.fullmatch(r"[A-Z0-9_-]{1,40}", code):
        raise Refused(
            f"The discount code is {text!r:.60} but must be 1 to 40 of A-Z, 0-9, - and _.",
            code=RefusalCode.DISCOUNT_CODE,
        )
    return code


def read_off(terms: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return what is taken off each period: a percentage, or won. Raises Refused unless it is exactly one of them."""
    if only_one(terms, ("percent", "amount")) == "percent":
        return whole(terms, "percent", 1, 100, unit="percent"), None
    return None, whole(terms, "amount", 1, HIGHEST_AMOUNT)


def _plans(codes: object) -> list[str]:
    """Return the codes of plans, each once. Raises Refused for what is no list of them; none: any plan."""
    if not isinstance(codes, Sequence) or isinstance(codes, str) or not all(isinstance(each, str) for each in codes):
        raise Refused(f"The plans are {codes!r:.60} but must be a list of plans' codes.")
    return sorted(set(codes))


def _ends_at(ends_on: object, now: datetime) -> datetime | None:
    """Return the end of the last day on which a code is redeemed, in Seoul."""
    if ends_on is None:
        return None
    try:
        last = ends_on if isinstance(ends_on, date) else date.fromisoformat(str(ends_on))
    except ValueError:
        raise Refused(f"The end is {ends_on!r:.40} but must be a date such as 2027-03-01.") from None
    today = now.astimezone(SEOUL).date()
    if not today <= last <= today + LONGEST:
        raise Refused(f"The end, {last}, is in the past or more than ten years ahead; give a date from {today} on.")
    return instant_of(datetime.combine(last + timedelta(days=1), time.min), SEOUL)
