"""Charge limits: what is within them, what exceeds them, and the message for the operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tests.support.attempts import attempt, changed, planned, request
from worker.domain.charge_limits import (
    ChargeLimits,
    LimitCheck,
    LimitExceeded,
    SubscriptionLimitsExceeded,
    Total,
    amount_exceeded,
    day_exceeded,
    day_of,
    enforce_run_limits,
    run_exceeded,
    subscription_exceeded,
    subscription_most,
    totals,
)

LIMITS = ChargeLimits(
    amount=10_000,
    run_charges=10,
    run_sum=100_000,
    day_charges=20,
    day_sum=200_000,
    subscription_charges_per_day=3,
)
ON = date(2026, 1, 5)


def charges(*amounts: int, pg: str = "kakaopay"):
    return [attempt(charge_id=number, request=request(amount=each, pg=pg)) for number, each in enumerate(amounts)]


@pytest.mark.parametrize(
    ("amount", "exceeds"),
    [
        (9_900, False),
        (10_000, False),  # the limit itself is allowed
        (10_001, True),
        (50_000_000, True),
    ],
)
def test_charge_at_its_limit_is_allowed_and_above_it_is_not(amount: int, exceeds: bool):
    (one,) = charges(amount)
    assert (amount_exceeded(LIMITS, one) is not None) == exceeds


@pytest.mark.parametrize(
    ("before", "more", "setting"),
    [
        (Total(), Total(10, 100_000), None),  # both limits reached and not exceeded
        (Total(9, 9), Total(1, 9), None),
        (Total(10, 10), Total(1, 1), "AGAIN_MAX_RUN_CHARGES"),
        (Total(), Total(11, 11), "AGAIN_MAX_RUN_CHARGES"),  # a first claim that is too much by itself
        (Total(1, 90_000), Total(1, 10_001), "AGAIN_MAX_RUN_SUM"),
        (Total(10, 100_000), Total(10, 100_000), "AGAIN_MAX_RUN_CHARGES"),  # both: the first is named
    ],
)
def test_run_may_reach_its_charge_limits_and_not_exceed_them(before: Total, more: Total, setting: str | None):
    sentence = run_exceeded(LIMITS, "kakaopay", before, more)
    assert (sentence is None) if setting is None else str(sentence).startswith(f"{setting} allows ")


@pytest.mark.parametrize(
    ("before", "more", "setting"),
    [
        (Total(10, 100_000), Total(10, 100_000), None),
        (Total(20, 20), Total(1, 1), "AGAIN_MAX_DAY_CHARGES"),
        (Total(1, 200_000), Total(1, 1), "AGAIN_MAX_DAY_SUM"),
    ],
)
def test_day_may_reach_its_charge_limits_and_not_exceed_them(before: Total, more: Total, setting: str | None):
    sentence = day_exceeded(LIMITS, "payco", ON, before, more)
    assert (sentence is None) if setting is None else str(sentence).startswith(f"{setting} allows ")


@pytest.mark.parametrize(("times", "exceeds"), [(1, False), (3, False), (4, True)])
def test_subscription_may_be_charged_as_often_as_its_limit(times: int, exceeds: bool):
    (attempt,) = charges(100)
    assert (subscription_exceeded(LIMITS, attempt, times) is not None) == exceeds


def test_limit_message_names_limit_planned_charge_and_release_command():
    (dear,) = charges(50_000_000)
    assert amount_exceeded(LIMITS, planned(changed(dear, charge_id=17))) == (
        "AGAIN_MAX_AMOUNT allows 10,000 KRW, and charge 17 is over 50,000,000 KRW: it is not claimed, nor is anything "
        "else of this subscription. If it is right, raise the setting and restart the workers, then `again "
        "subscription release {code}`; if not, `again subscription cancel {code}` makes it void."
    )
    assert run_exceeded(LIMITS, "payco", Total(8, 80_000), Total(5, 50_000)) == (
        "AGAIN_MAX_RUN_CHARGES allows 10 charges: of this run, 8 of 80,000 KRW were claimed, and 5 of 50,000 KRW more "
        "were about to be, which were not. If they are right, `again start payco` starts the count over; when it stops "
        "again, raise the setting and restart the workers."
    )
    day = day_exceeded(LIMITS, "payco", ON, Total(), Total(1, 200_001))
    assert str(day).startswith("AGAIN_MAX_DAY_SUM allows 200,000 KRW: of 2026-01-05 in Seoul, 0 of 0 KRW were claimed")
    often = subscription_exceeded(LIMITS, changed(dear, charge_id=17, request=replace(dear.request, amount=100)), 4)
    assert "would have been charged 4 times today" in str(often)
    assert "`again subscription release {code}`" in str(often)


def test_claim_is_added_up_by_pg():
    both = [*charges(100, 200), *charges(300, pg="payco")]
    assert totals(both) == {"kakaopay": Total(2, 300), "payco": Total(1, 300)}
    assert totals([]) == {}


def test_each_channel_has_its_own_charge_limits():
    check = LimitCheck(LIMITS, {"payco": Total(10, 10)})
    enforce_run_limits(charges(*[100] * 10), check)
    with pytest.raises(LimitExceeded, match="AGAIN_MAX_RUN_CHARGES") as exceeded:
        enforce_run_limits([*charges(100), *charges(100, pg="payco")], check)
    assert exceeded.value.pg == "payco"


@pytest.mark.parametrize(
    ("instant", "day", "began"),
    [
        # a day in Seoul begins at 15:00 UTC
        (datetime(2026, 1, 5, 14, 59, 59, tzinfo=UTC), date(2026, 1, 5), datetime(2026, 1, 4, 15, tzinfo=UTC)),
        (datetime(2026, 1, 5, 15, 0, tzinfo=UTC), date(2026, 1, 6), datetime(2026, 1, 5, 15, tzinfo=UTC)),
    ],
)
def test_day_of_the_charge_limits_is_one_in_seoul(instant: datetime, day: date, began: datetime):
    assert day_of(instant) == (day, began)


def test_charges_above_their_limit_are_named_by_subscription_and_stop_no_channel():
    small, dear, dearer = charges(100, 50_000_000, 60_000_000)
    named = [changed(each, subscription_id=number) for number, each in enumerate((small, dear, dearer), start=7)]
    with pytest.raises(SubscriptionLimitsExceeded) as exceeded:
        enforce_run_limits([planned(each) for each in named], LimitCheck(LIMITS, {}))
    assert set(exceeded.value.reasons) == {8, 9}


@pytest.mark.parametrize("setting", ["run_sum", "day_sum"])
def test_single_charge_above_a_sum_limit_stops_no_channel(setting: str):
    small, dear = charges(100, 9_900)
    named = [changed(small, subscription_id=7), changed(dear, subscription_id=8)]
    limits = replace(LIMITS, **{setting: 5_000})
    with pytest.raises(SubscriptionLimitsExceeded) as exceeded:
        enforce_run_limits([planned(each) for each in named], LimitCheck(limits, {}))
    assert list(exceeded.value.reasons) == [8]
    assert exceeded.value.reasons[8].startswith(f"AGAIN_MAX_{setting.upper()} allows 5,000 KRW")


@pytest.mark.parametrize(
    ("limits", "amount", "expected"),
    [
        (LIMITS, 100, (3, "AGAIN_MAX_SUBSCRIPTION_CHARGES_PER_DAY")),
        (replace(LIMITS, subscription_charges_per_day=60), 100, (5, "half of AGAIN_MAX_RUN_CHARGES")),
        (replace(LIMITS, subscription_charges_per_day=60, day_charges=6), 100, (3, "half of AGAIN_MAX_DAY_CHARGES")),
        (replace(LIMITS, subscription_charges_per_day=60), 25_000, (2, "half of AGAIN_MAX_RUN_SUM")),
        (replace(LIMITS, subscription_charges_per_day=60, day_sum=60_000), 15_000, (2, "half of AGAIN_MAX_DAY_SUM")),
        (replace(LIMITS, day_charges=1), 100, (1, "half of AGAIN_MAX_DAY_CHARGES")),  # never less than one
    ],
)
def test_subscription_uses_at_most_half_of_its_channels_limits(limits: ChargeLimits, amount: int, expected):
    assert subscription_most(limits, amount) == expected
