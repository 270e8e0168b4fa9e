"""What a charge lacks by the rules of the consent gate, at their limits, in the plan's time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedules.plans import SEOUL, GateMode
from worker.domain.consent_gate.facts import (
    ChargeFacts,
    EarlierCharge,
    GivenConsent,
    Verdict,
    event_of,
    longest_trial_on_one_consent,
    missing,
    verdict,
)
from worker.domain.consent_gate.rules import BY_CODE, RULES, Event, Rule, RuleCode, Wanted
from worker.domain.previews import Sentence

DUE = datetime(2026, 3, 31, 10, tzinfo=SEOUL)
TO_PAID, TO_MORE, NOTICE = RuleCode.CONSENT_TO_PAID, RuleCode.CONSENT_TO_INCREASE, RuleCode.NOTICE_OF_PAID

CONVERTED = ChargeFacts(due_at=DUE, zone=SEOUL, regular=9_900, before=None, in_trial=True, consents=(), notices=())
RAISED = replace(CONVERTED, in_trial=False, before=EarlierCharge(9_000, was_free=False))


def consent(at: datetime, amount: int = 9_900) -> GivenConsent:
    return GivenConsent(at, amount)


def day(text: str, time: str = "12:00") -> datetime:
    return datetime.fromisoformat(f"2026-{text}T{time}").replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("facts", "event"),
    [
        (CONVERTED, Event.FREE_TO_PAID),
        (replace(CONVERTED, in_trial=False), None),  # the first of one that was never free
        (replace(CONVERTED, before=EarlierCharge(9_900, was_free=False)), None),
        (replace(CONVERTED, in_trial=False, before=EarlierCharge(9_900, was_free=True)), Event.FREE_TO_PAID),
        (RAISED, Event.PRICE_INCREASE),
        (replace(RAISED, regular=9_000), None),
        (replace(RAISED, regular=8_000), None),
    ],
)
def test_event_follows_from_the_charge_before(facts: ChargeFacts, event: Event | None):
    assert event_of(facts) is event


def test_conversion_wants_consent_and_message_and_increase_consent_only():
    assert missing(CONVERTED, now=DUE) == (TO_PAID, NOTICE)
    assert missing(RAISED, now=DUE) == (TO_MORE,)
    assert missing(replace(RAISED, regular=9_000), now=DUE) == ()


@pytest.mark.parametrize(
    ("agreed_at", "lacking"),
    [
        (day("03-01", "00:00"), ()),  # 30 days before, whatever the hour
        (day("02-28", "23:59"), (TO_MORE,)),
        (day("03-31", "09:59"), ()),
        (day("04-02"), (TO_MORE,)),  # not given yet
    ],
)
def test_consent_counts_from_thirty_days_before_in_the_plans_zone(agreed_at: datetime, lacking: tuple[RuleCode, ...]):
    assert missing(replace(RAISED, consents=(consent(agreed_at),)), now=DUE) == lacking


def test_days_of_a_consent_are_those_of_the_plans_zone():
    at = datetime(2026, 2, 28, 15, 30, tzinfo=UTC)  # 1 March in Seoul
    assert missing(replace(RAISED, consents=(consent(at),)), now=DUE) == ()
    there = replace(RAISED, zone=ZoneInfo("America/New_York"), consents=(consent(at),))
    assert missing(there, now=DUE) == ()  # due on the 30th there, 30 days after 28 February
    assert missing(there, now=DUE) == missing(replace(there, zone=ZoneInfo("America/New_York")), now=DUE)
    early = consent(at - timedelta(days=1))
    assert missing(replace(there, consents=(early,)), now=DUE) == (TO_MORE,)


def test_consent_to_less_than_the_price_does_not_count():
    assert missing(replace(RAISED, consents=(consent(day("03-20"), 9_899),)), now=DUE) == (TO_MORE,)
    assert missing(replace(RAISED, consents=(consent(day("03-20"), 9_901),)), now=DUE) == ()


def test_late_consent_counts_as_soon_as_it_is_given():
    late = replace(RAISED, consents=(consent(day("05-20")),))
    assert missing(late, now=day("05-20", "11:59")) == (TO_MORE,)
    assert missing(late, now=day("05-20", "12:00")) == ()


@pytest.mark.parametrize(
    ("sent_at", "now", "lacking"),
    [
        (day("03-24", "23:59"), DUE, ()),  # seven days before, whatever the hour
        (day("03-25", "00:00"), DUE, (NOTICE,)),
        (day("03-25", "00:00"), day("04-01", "00:00"), ()),  # late: its days are over by then
        (day("03-25", "00:00"), day("03-31", "23:59"), (NOTICE,)),
    ],
)
def test_message_counts_once_seven_days_have_passed(sent_at: datetime, now: datetime, lacking: tuple[RuleCode, ...]):
    told = replace(CONVERTED, consents=(consent(day("03-20")),), notices=(sent_at,))
    assert missing(told, now=now) == lacking


def test_rules_are_those_in_force_when_the_period_begins():
    before = replace(CONVERTED, due_at=datetime(2025, 2, 13, 10, tzinfo=SEOUL))
    assert missing(before, now=DUE) == (NOTICE,)
    assert missing(replace(before, due_at=datetime(2025, 2, 14, 10, tzinfo=SEOUL)), now=DUE) == (TO_PAID, NOTICE)
    assert missing(replace(before, due_at=datetime(2021, 11, 17, 10, tzinfo=SEOUL)), now=DUE) == ()


def test_rule_that_has_ended_is_asked_for_no_more():
    ended = replace(BY_CODE[TO_MORE], until=date(2026, 3, 31))
    assert missing(RAISED, now=DUE, rules=[ended]) == ()
    assert missing(replace(RAISED, due_at=day("03-30")), now=DUE, rules=[ended]) == (TO_MORE,)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (GateMode.STRICT, Verdict(True, (TO_MORE,))),
        (GateMode.WARN, Verdict(False, (TO_MORE,))),
        (GateMode.OFF, Verdict(False, ())),
    ],
)
def test_mode_decides_whether_a_charge_is_held_or_noted(mode: GateMode, expected: Verdict):
    assert verdict(RAISED, mode, now=DUE) == expected
    assert verdict(replace(RAISED, regular=9_000), mode, now=DUE) == Verdict(False, ())


def test_longest_trial_on_one_consent_follows_the_rules_in_force():
    assert longest_trial_on_one_consent() == 30
    shorter = replace(BY_CODE[TO_PAID], days=14)
    assert longest_trial_on_one_consent([replace(shorter, days=10, until=date(2026, 1, 1)), shorter]) == 14


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
def test_rules_are_complete_in_both_languages(rule: Rule):
    for said in (rule.says, rule.lacks):
        assert isinstance(said, Sentence)
        assert said.ko
        assert str(rule.days) in said.en
        assert str(rule.days) in said.ko
    assert rule.source
    assert rule.wanted in Wanted
    assert BY_CODE[rule.code] is rule
