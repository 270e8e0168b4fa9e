"""How subscriptions begin."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from schedules.plans import Plan
from worker.domain.states import SubscriptionStatus
from worker.subscriptions.start_terms import (
    StartTerms,
    WrongDate,
    amount_objection,
    anchor_of,
    decide_start,
    pg_objection,
    starts_now,
)

NOW = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)  # noon in Seoul
ACTIVE, TRIALING = SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING


def plan(cadence: str = "month", **terms: str) -> Plan:
    return Plan.parse({"code": "gold", "name": "Gold", "amount": "9900", "cadence": cadence, **terms})


def on(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Seoul")).astimezone(UTC)


@pytest.mark.parametrize(
    ("terms", "start_on", "paid_until", "expected"),
    [
        # today, whose hour has passed already: it is due at once
        ({}, None, None, StartTerms(date(2026, 3, 15), ACTIVE, seoul("2026-03-15 10:00"))),
        ({}, "2026-04-30", None, StartTerms(date(2026, 4, 30), ACTIVE, seoul("2026-04-30 10:00"))),
        # a trial moves the anchor
        ({"trial_days": "14"}, None, None, StartTerms(date(2026, 3, 29), TRIALING, seoul("2026-03-29 10:00"))),
        # a cron fires when it fires
        ({"cadence": "cron 0 9 1 * *"}, None, None, StartTerms(date(2026, 3, 15), ACTIVE, seoul("2026-04-01 09:00"))),
        # today in the plan's zone is still yesterday here
        (
            {"time_zone": "Pacific/Honolulu"},
            None,
            None,
            StartTerms(date(2026, 3, 14), ACTIVE, datetime(2026, 3, 14, 20, tzinfo=UTC)),
        ),
        # paid elsewhere: the first period starts there, without a trial
        (
            {"trial_days": "14"},
            None,
            "2026-03-20",
            StartTerms(date(2026, 3, 20), ACTIVE, seoul("2026-03-20 10:00")),
        ),
        # the anchor keeps the 31st that the 30th of April stands for
        ({}, "2025-01-31", "2026-04-30", StartTerms(date(2025, 1, 31), ACTIVE, seoul("2026-04-30 10:00"))),
        # a cron's first fire after what was paid, however long it takes
        (
            {"cadence": "cron 0 9 1 * *"},
            None,
            "2026-03-20",
            StartTerms(date(2026, 3, 20), ACTIVE, seoul("2026-04-01 09:00")),
        ),
        # one period behind is one charge, no more
        ({}, "2026-02-16", None, StartTerms(date(2026, 2, 16), ACTIVE, seoul("2026-02-16 10:00"))),
        # what the catch-up policy skips is not owed
        ({"catch_up": "latest"}, "2020-01-15", None, StartTerms(date(2020, 1, 15), ACTIVE, seoul("2020-01-15 10:00"))),
    ],
)
def test_a_subscription_begins_with_its_anchor_status_and_first_charge(terms, start_on, paid_until, expected):
    assert decide_start(plan(**terms), start_on=on(start_on), paid_until=on(paid_until), now=NOW) == expected


@pytest.mark.parametrize(
    ("start_on", "paid_until", "column", "expected"),
    [
        ("1969-12-31", None, "start_on", "from 1970-01-01"),
        ("2036-03-13", None, "start_on", "to 2036-03-12"),  # 3,650 days from today
        (None, "9999-12-31", "paid_until", "to 2036-03-12"),
        ("2026-03-20", "2026-03-19", "paid_until", "start_on (2026-03-20) or later"),
        ("2025-01-31", "2026-04-15", "paid_until", "such as 2026-04-30"),
        ("2026-02-15", None, "start_on", "2 periods are due since 2026-02-15"),  # 15 February and 15 March
        ("2025-01-15", "2026-02-15", "paid_until", "give --backdate"),
    ],
)
def test_a_date_from_which_nothing_can_begin_is_named(start_on, paid_until, column, expected):
    with pytest.raises(WrongDate) as refused:
        decide_start(plan(), start_on=on(start_on), paid_until=on(paid_until), now=NOW)
    assert refused.value.column == column
    assert expected in refused.value.expected


def test_past_periods_are_owed_with_backdate():
    beginning = decide_start(plan(), start_on=date(2020, 1, 31), now=NOW, backdate=True)
    assert beginning.next_charge_at == seoul("2020-01-31 10:00")


def test_the_lower_of_two_limits_counts():
    dear = plan(amount="1500000")
    assert amount_objection(dear, "kakaopay", max_amount=2_000_000) is None
    assert "AGAIN_MAX_AMOUNT" in str(amount_objection(dear, "kakaopay", max_amount=1_000_000))
    assert "Kakao Pay" in str(amount_objection(plan(amount="2000001"), "kakaopay", max_amount=9_000_000))


@pytest.mark.parametrize(
    ("terms", "pg", "in_window", "expected"),
    [
        # both wallets work the VAT out: another one would stand on the receipt than in the consent
        ({"vat_amount": "500"}, "kakaopay", False, "Kakao Pay takes no vat_amount"),
        ({"vat_amount": "500"}, "payco", False, "would not come to 500 KRW"),
        ({"vat_amount": "0"}, "payco", True, "PAYCO takes no vat_amount"),
        # they come to the same
        ({"vat_amount": "900"}, "kakaopay", False, None),
        ({"tax_free": "9900", "vat_amount": "0"}, "payco", False, None),
        ({}, "kakaopay", False, None),
        # `again` takes it, and so does the window
        ({"vat_amount": "500"}, "html5_inicis", False, None),
        ({"vat_amount": "500"}, "nice", True, None),
        # `again` takes it, and the window does not
        ({"vat_amount": "500"}, "welcome", False, None),
        ({"vat_amount": "500"}, "welcome", True, "Welcome Payments takes no vat_amount"),
        # the amount is named first
        ({"amount": "2000001", "vat_amount": "5"}, "kakaopay", False, "no more than 2,000,000"),
    ],
)
def test_a_plan_whose_vat_a_pg_would_work_out_otherwise_is_not_charged_through_it(terms, pg, in_window, expected):
    said = pg_objection(plan(**terms), pg, in_window=in_window)
    assert said is None if expected is None else expected in str(said)
    if not in_window:
        assert amount_objection(plan(**terms), pg, max_amount=9_000_000) == said


REGISTERED_AT = datetime(2026, 1, 31, 16, 0, tzinfo=UTC)  # 1 February, 01:00 in Seoul
STARTS = [
    # cadence and trial; planned anchor; the anchor; whether the first period is today's
    ("month", 0, date(2026, 1, 10), date(2026, 2, 1), True),  # late: nothing of January was had
    ("month", 0, date(2026, 2, 1), date(2026, 2, 1), True),
    ("month", 0, date(2026, 3, 5), date(2026, 3, 5), False),
    ("month", 14, date(2026, 1, 24), date(2026, 2, 15), False),
    ("month", 14, date(2026, 4, 1), date(2026, 4, 1), False),
    ("cron 0 9 1 * *", 0, date(2026, 1, 10), date(2026, 2, 1), True),
    ("cron 0 9 5 * *", 0, date(2026, 1, 10), date(2026, 2, 1), False),
]


@pytest.mark.parametrize(("cadence", "trial", "planned", "anchor", "now"), STARTS)
def test_subscription_counts_from_its_registration_or_its_later_start(cadence, trial, planned, anchor, now):
    plan = Plan.parse({"code": "p", "name": "P", "amount": "9900", "cadence": cadence, "trial_days": str(trial)})
    assert anchor_of(plan, planned, now=REGISTERED_AT) == anchor
    assert starts_now(plan, anchor, now=REGISTERED_AT) is now
