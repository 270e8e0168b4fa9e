"""Valid plans, and how all problems of an invalid one are listed at once."""

from __future__ import annotations

import pickle
import unicodedata
from dataclasses import FrozenInstanceError
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schedules.cadences import Anchored, Cron, Unit
from schedules.dunning import DEFAULT_DUNNING, DunningCalendar
from schedules.plans import CatchUp, InvalidPlan, Plan

GOLD = {"code": "gold", "name": "골드 멤버십", "amount": "9900", "cadence": "month"}


def gold(**changes: Any) -> Plan:
    terms: dict[str, Any] = {"code": "gold", "name": "골드 멤버십", "amount": 9900, "cadence": Anchored(1, Unit.MONTH)}
    return Plan(**(terms | changes))


def test_plan_from_four_texts_takes_the_defaults():
    assert Plan.parse(GOLD) == gold(
        tax_free=0,
        vat_amount=None,
        currency="KRW",
        time_zone=ZoneInfo("Asia/Seoul"),
        charge_hour=10,
        trial_days=0,
        catch_up=CatchUp.ALL,
        dunning=DEFAULT_DUNNING,
    )


def test_plan_is_read_from_texts_alone():
    plan = Plan.parse(
        {
            "code": " team_2026 ",
            "name": " 팀 요금제 ㈜어게인 ★ ",
            "amount": "110000",
            "tax_free": "10000",
            "vat_amount": "9091",
            "currency": "krw",
            "cadence": "cron 0 9 L * *",
            "time_zone": "America/New_York",
            "charge_hour": "0",
            "trial_days": "730",
            "catch_up": "Latest",
            "dunning": "none",
        },
    )
    assert plan == Plan(
        code="team_2026",
        name="팀 요금제 ㈜어게인 ★",
        amount=110_000,
        tax_free=10_000,
        vat_amount=9_091,
        cadence=Cron("0 9 L * *"),
        time_zone=ZoneInfo("America/New_York"),
        charge_hour=0,
        trial_days=730,
        catch_up=CatchUp.LATEST,
        dunning=DunningCalendar(()),
    )


def test_empty_text_counts_as_absent():
    assert Plan.parse(GOLD | {"tax_free": "", "vat_amount": " ", "dunning": ""}) == Plan.parse(GOLD)
    assert Plan.parse(GOLD | {"vat_amount": "None"}).vat_amount is None


def test_decomposed_korean_name_is_composed():
    name = "가" * 40
    apart = unicodedata.normalize("NFD", name)
    assert len(apart) == 80
    assert Plan.parse(GOLD | {"name": apart}).name == name


def test_plan_is_immutable():
    plan = gold()
    for field in ("amount", "cadence"):
        with pytest.raises(FrozenInstanceError):
            setattr(plan, field, 1)


@pytest.mark.parametrize(
    "right",
    [
        {"code": "a"},
        {"code": "a-b_0" * 8},  # 40 characters
        {"name": "가" * 40},
        {"name": "Café 50% (월)"},
        {"amount": 100},
        {"amount": 1_000_000_000},
        {"tax_free": 9900},  # all of it
        {"vat_amount": 0},
        {"vat_amount": 9900},
        {"tax_free": 9000, "vat_amount": 900},
        {"charge_hour": 23},
    ],
)
def test_plan_terms_at_their_limits_are_allowed(right):
    assert gold(**right)


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": ""},
        {"code": "Gold"},
        {"code": "a" * 41},
        {"code": "gold\n"},
        {"code": 7},
        {"name": ""},
        {"name": " 골드"},  # PortOne might trim it and our comparison fail
        {"name": "가" * 41},
        {"name": "골드\t멤버십"},
        {"name": "골드\u2028멤버십"},
        {"name": "골드\u200d멤버십"},  # an invisible joiner
        {"name": "골드 🥇"},  # outside the Basic Multilingual Plane
        {"name": "골드 ✅"},  # an emoji inside it
        {"name": "골드 1\ufe0f\u20e3"},  # a digit made an emoji
        {"name": "𠮷野家"},  # a rare character that UTF-8 columns of three bytes lose
        {"name": "골드\ud83e"},  # half a character
        {"name": None},
        {"amount": 99},
        {"amount": -9900},
        {"amount": 1_000_000_001},
        {"amount": 9900.0},
        {"amount": True},
        {"amount": "9900"},
        {"tax_free": -1},
        {"tax_free": 9901},
        {"tax_free": 0.5},
        {"tax_free": False},
        {"vat_amount": -1},
        {"vat_amount": 9901},
        {"vat_amount": 900.0},
        {"currency": "USD"},
        {"charge_hour": 24},
        {"charge_hour": -1},
        {"trial_days": 731},
        {"trial_days": -1},
    ],
)
def test_invalid_term_is_rejected_by_name(wrong):
    with pytest.raises(InvalidPlan) as refused:
        gold(**wrong)
    ((field, value),) = wrong.items()
    (problem,) = refused.value.problems
    assert (problem.field, problem.value) == (field, value)
    assert problem.expected in str(refused.value)


def test_vat_is_bounded_by_the_taxed_part():
    with pytest.raises(InvalidPlan, match="vat_amount is 901 but must be none, or a whole number of won from 0"):
        gold(tax_free=9000, vat_amount=901)


def test_invalid_amount_blames_no_other_field():
    with pytest.raises(InvalidPlan) as refused:
        gold(amount=-5, tax_free=10, vat_amount=1)
    assert [problem.field for problem in refused.value.problems] == ["amount"]


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("amount", "1,000.50", "without decimals or separators"),
        ("amount", "9,900", "without decimals or separators"),  # which is it, nine or nine thousand?
        ("amount", "9900.0", "without decimals"),
        ("amount", "₩9900", "a whole number of won"),
        ("amount", "٩٩٠٠", "a whole number of won"),  # digits to Python, not to us
        ("amount", "1e4", "a whole number of won"),
        ("amount", "9" * 5000, "a whole number of won"),
        ("amount", "-9900", "from 100 to 1000000000"),
        ("tax_free", "9901", "from 0 to the amount"),
        ("vat_amount", "some", "none, or a whole number"),
        ("cadence", "monthly", "('monthly' is not a unit; the units are day, week, month, year)"),
        ("dunning", "1,3; balance 3,1", "(in 'balance 3,1': each day must be at least 1"),
        ("dunning", "3,1", "(each day must be at least 1 and later than the one before)"),
        ("time_zone", "Seoul", "such as Asia/Seoul"),
        ("time_zone", "Asia", "such as Asia/Seoul"),  # a folder
        ("time_zone", "../Asia/Seoul", "such as Asia/Seoul"),
        ("time_zone", "A" * 300, "such as Asia/Seoul"),  # too long for a file's name
        ("time_zone", "localtime", "such as Asia/Seoul"),  # another one on each machine
        ("charge_hour", "10:30", "a whole hour"),
        ("trial_days", "two weeks", "a whole number of days"),
        ("catch_up", "some", "all, latest or skip"),
        ("colour", "red", "left out; a plan has code, name, amount"),
    ],
)
def test_unreadable_text_is_rejected_with_what_was_expected(field, text, expected):
    with pytest.raises(InvalidPlan) as refused:
        Plan.parse(GOLD | {field: text})
    (problem,) = refused.value.problems
    assert problem.field == field
    assert expected in problem.expected
    assert f"{field} is " in str(refused.value)
    assert len(str(refused.value)) < 500


def test_all_problems_of_a_plan_are_listed_at_once():
    with pytest.raises(InvalidPlan) as refused:
        Plan.parse({"code": "Gold!", "amount": "50", "cadence": "monthly", "charge_hour": "25", "tax_free": "1.5"})
    assert {problem.field for problem in refused.value.problems} == {
        "code", "name", "amount", "cadence", "charge_hour", "tax_free",
    }  # fmt: skip
    sentence = str(refused.value)
    assert sentence.startswith("Plan 'Gold!' has 6 problems: name is missing but must be 1 to 40 characters")
    assert "amount is 50 but must be a whole number of won from 100" in sentence
    assert sentence.endswith(". Correct this and try again.")


def test_single_problem_of_a_plan_is_named_in_the_singular():
    with pytest.raises(InvalidPlan, match=r"^Plan '' has a problem: code is missing but must be 1 to 40 characters of"):
        Plan.parse({field: text for field, text in GOLD.items() if field != "code"})


def test_invalid_plan_survives_pickling():
    with pytest.raises(InvalidPlan) as refused:
        gold(amount=50)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


@pytest.mark.parametrize(
    ("cadence", "dunning", "never"),
    [
        ("day", "1,3 at 9-21", "1,3 at 9-21"),
        ("week", "7; no weekends", "7"),
        ("week", "1,3; balance payday; limit 7,10", "7,10"),
        ("2 weeks", "none; limit 14", "14"),
        ("month", "1; balance 31,40", "31,40"),
        ("cron 0 9 * * *", "1 at 9", "1 at 9"),
        ("cron 0 9 * * 1-5", "3 at 9", "3 at 9"),
    ],
)
def test_calendar_whose_tries_all_come_after_the_next_period_is_refused(cadence, dunning, never):
    with pytest.raises(InvalidPlan) as refused:
        Plan.parse(GOLD | {"cadence": cadence, "dunning": dunning})
    assert f"no try of '{never}' comes before the next period of a cadence of '{cadence}'" in str(refused.value)


@pytest.mark.parametrize(
    ("cadence", "dunning"),
    [
        ("day", "1,3,5,7"),  # days alone are not cut
        ("week", "6,7,8; no weekends"),
        ("week", "payday"),
        ("month", "30; limit none"),
        ("cron 0 9 * * 1-5", "2 at 9"),  # from Friday to Monday
        ("cron 0 9 29 2 *", "30 at 9"),
    ],
)
def test_calendar_of_which_a_try_may_come_before_the_next_period_is_kept(cadence, dunning):
    assert str(Plan.parse(GOLD | {"cadence": cadence, "dunning": dunning}).dunning) == dunning
