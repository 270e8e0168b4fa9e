"""The effect of every outcome on an attempt and its charge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.dunning import UNMATCHED_RETRIES, DunningCalendar
from schedules.dunning_text import parse_dunning
from tests.support.attempts import POLICY, SEOUL, STARTED_AT, attempt, changed
from worker.domain.outcomes import (
    NO_ANSWER,
    About,
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.domain.retry_policy import LONGEST_DELAY, backoff
from worker.domain.settlement import settle
from worker.domain.states import AttemptStatus, ChargeStatus, WaitReason

NOW = STARTED_AT + timedelta(seconds=2)
SAID = Answer(http_status=200, code="-1", message="[8326]한도초과")
FIRST_DECLINED_AT = STARTED_AT - timedelta(days=2)
ONCE_DECLINED = attempt(declines=1, first_declined_at=FIRST_DECLINED_AT, deferrals=3)


def seoul(day: int, hour: int, minute: int = 0, *, month: int = 1, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SEOUL).astimezone(UTC)


def walk(
    kind: DeclineKind, *, dunning: DunningCalendar, late: timedelta = timedelta(seconds=3), about: About | None = None
) -> list[datetime]:
    """Decline again and again, each time `late` after the retry was due; returns when the retries were due."""
    tried, retries, now = attempt(dunning=dunning), [], NOW
    while (
        settlement := settle(tried, Declined(kind, SAID, about), now=now, policy=POLICY)
    ).next_attempt_at is not None:
        retries.append(settlement.next_attempt_at)
        now = settlement.next_attempt_at + late
        tried = attempt(dunning=dunning, declines=settlement.declines, first_declined_at=settlement.first_declined_at)
    assert settlement.charge_status is ChargeStatus.UNCOLLECTIBLE
    return retries


# --- paid -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tried", [attempt(), ONCE_DECLINED, attempt(sends=3, lookups=9)])
def test_payment_ends_the_charge_for_good(tried):
    settlement = settle(tried, Paid(STARTED_AT, SAID), now=NOW, policy=POLICY)
    assert (settlement.attempt_status, settlement.charge_status) == (AttemptStatus.PAID, ChargeStatus.PAID)
    assert settlement.paid_at == STARTED_AT, "when it was paid, not when we heard of it"
    assert (settlement.next_attempt_at, settlement.next_lookup_at, settlement.flag) == (None, None, None)
    assert (settlement.declines, settlement.first_declined_at) == (tried.retry.declines, tried.retry.first_declined_at)
    assert not settlement.kills_key
    assert not settlement.blames_configuration


# --- declined -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "tried", "charge", "declines", "deferrals", "retry_at"),
    [
        # soft: the calendar, counted from the first decline
        (DeclineKind.SOFT, attempt(), ChargeStatus.PAST_DUE, 1, 0, seoul(3, 10)),
        (DeclineKind.SOFT, ONCE_DECLINED, ChargeStatus.PAST_DUE, 2, 0, seoul(3, 10)),  # day 3 after 31 December
        # unmatched: the same, as far as it goes
        (DeclineKind.UNMATCHED, attempt(), ChargeStatus.PAST_DUE, 1, 0, seoul(3, 10)),
        # hard: no retry before there is another key
        (DeclineKind.HARD, attempt(), ChargeStatus.PAST_DUE, 1, 0, None),
        (DeclineKind.HARD, ONCE_DECLINED, ChargeStatus.PAST_DUE, 2, 0, None),
        # config and transient: not the customer's fault, so no retry is used up and no subscription becomes past due
        (DeclineKind.CONFIG, attempt(), ChargeStatus.DUE, 0, 1, NOW + timedelta(minutes=10)),
        (DeclineKind.CONFIG, ONCE_DECLINED, ChargeStatus.PAST_DUE, 1, 4, NOW + timedelta(minutes=80)),
        (DeclineKind.TRANSIENT, attempt(), ChargeStatus.DUE, 0, 1, NOW + timedelta(minutes=10)),
        (DeclineKind.TRANSIENT, ONCE_DECLINED, ChargeStatus.PAST_DUE, 1, 4, NOW + timedelta(minutes=80)),
    ],
)
def test_decline_has_the_consequence_of_its_kind(kind, tried, charge, declines, deferrals, retry_at):
    settlement = settle(tried, Declined(kind, SAID), now=NOW, policy=POLICY)
    assert (settlement.attempt_status, settlement.charge_status) == (AttemptStatus.DECLINED, charge)
    assert (settlement.declines, settlement.deferrals) == (declines, deferrals)
    assert settlement.next_attempt_at == retry_at
    assert settlement.first_declined_at == (tried.retry.first_declined_at or (NOW if declines else None))
    assert settlement.kills_key is (kind is DeclineKind.HARD)
    assert settlement.blames_configuration is (kind is DeclineKind.CONFIG)
    assert settlement.reason == f"{kind}: -1 [8326]한도초과", "in the PG's words, for whoever reads the charge"


@pytest.mark.parametrize(
    ("started", "zone", "hour", "now", "retry_at"),
    [
        # sent on 2 January: on 1 February, at the plan's hour
        (seoul(2, 10), "Asia/Seoul", 10, seoul(2, 10, 1), seoul(1, 10, month=2)),
        (seoul(31, 23, 59), "Asia/Seoul", 0, seoul(31, 23, 59), seoul(1, 0, month=2)),
        # of the next year
        (seoul(31, 10, month=12), "Asia/Seoul", 10, seoul(31, 10, 1, month=12), seoul(1, 10, month=1, year=2027)),
        # where it is still the 31st, when the month begins in Seoul, and where the 1st started hours before
        (seoul(2, 10), "Pacific/Honolulu", 8, seoul(2, 11), seoul(1, 3, month=2)),
        (seoul(2, 10), "Pacific/Auckland", 2, seoul(2, 11), seoul(1, 22, month=2)),
        # a look-up tells on 3 February of a send on 30 January: the new month is not spent
        (seoul(30, 10), "Asia/Seoul", 10, seoul(3, 9, month=2), seoul(3, 9, 10, month=2)),
    ],
)
def test_spent_monthly_quota_postpones_to_next_month_and_uses_no_retry(started, zone, hour, now, retry_at):
    spent = Answer(http_status=200, code="-1", message="[-752] 월 결제 횟수 초과")
    sent = {"started_at": started, "time_zone": ZoneInfo(zone), "charge_hour": hour}
    for tried in (attempt(**sent), changed(ONCE_DECLINED, **sent)):
        settlement = settle(tried, Declined(DeclineKind.SOFT, spent, About.MONTH_QUOTA), now=now, policy=POLICY)
        assert settlement.next_attempt_at == retry_at
        assert settlement.declines == tried.retry.declines
        assert settlement.charge_status is (ChargeStatus.PAST_DUE if tried.retry.declines else ChargeStatus.DUE)
        assert settlement.attempt_status is AttemptStatus.DECLINED, "so the next send has the next number"
        assert settlement.wait_reason is WaitReason.MONTH_QUOTA
        assert "-752" in settlement.reason
        assert not settlement.kills_key
        assert not settlement.blames_configuration


def test_decline_without_a_text_has_a_reason():
    assert settle(attempt(), Declined(DeclineKind.SOFT, NO_ANSWER), now=NOW, policy=POLICY).reason == "soft"


@pytest.mark.parametrize(
    ("kind", "days", "retries"),
    [
        (DeclineKind.SOFT, (1, 3, 5, 7), [seoul(3, 10), seoul(5, 10), seoul(7, 10), seoul(9, 10)]),
        (DeclineKind.SOFT, (30,), [seoul(1, 10, month=2)]),
        (DeclineKind.SOFT, (), []),  # "none": the first decline is final
        (DeclineKind.UNMATCHED, (1, 3, 5, 7), [seoul(3, 10), seoul(5, 10)]),  # the low limit
        (DeclineKind.UNMATCHED, (1,), [seoul(3, 10)]),  # a calendar shorter than the limit
        (DeclineKind.UNMATCHED, (), []),
    ],
)
def test_repeated_declines_follow_the_dunning_calendar_to_its_end(kind, days, retries):
    assert walk(kind, dunning=DunningCalendar(days)) == retries


def test_unmatched_declines_are_retried_at_most_as_often_as_allowed():
    assert UNMATCHED_RETRIES == 2
    tried = attempt(declines=2, first_declined_at=FIRST_DECLINED_AT)
    settlement = settle(tried, Declined(DeclineKind.UNMATCHED, SAID), now=NOW, policy=POLICY)
    assert (settlement.charge_status, settlement.next_attempt_at) == (ChargeStatus.UNCOLLECTIBLE, None)


def test_declines_of_each_kind_go_by_the_days_of_their_kind():
    calendar = parse_dunning("1,3; balance 1,payday at 18-21; limit 10; no weekends")
    declined = {
        About.BALANCE: [seoul(5, 18), seoul(12, 18)],  # Friday's next day is a Saturday; the 10th is one too
        About.LIMIT: [seoul(12, 10)],
        About.ISSUER: [seoul(5, 10), seoul(6, 10)],
        None: [seoul(5, 10), seoul(6, 10)],
    }
    for about, retries in declined.items():
        assert walk(DeclineKind.SOFT, dunning=calendar, about=about) == retries
    assert walk(DeclineKind.UNMATCHED, dunning=calendar) == [seoul(5, 10), seoul(6, 10)]


def test_charge_is_given_up_once_no_try_comes_before_the_next_period():
    tried = attempt(dunning=parse_dunning("1,3,5 at 9-21"), period_end=seoul(6, 10), next_charge_at=seoul(6, 10))
    first = settle(tried, Declined(DeclineKind.SOFT, SAID), now=NOW, policy=POLICY)
    assert (first.charge_status, first.next_attempt_at) == (ChargeStatus.PAST_DUE, seoul(3, 10))
    twice = changed(tried, declines=1, first_declined_at=NOW)
    second = settle(twice, Declined(DeclineKind.SOFT, SAID), now=seoul(3, 10), policy=POLICY)
    assert second.next_attempt_at == seoul(5, 10)
    thrice = changed(tried, declines=2, first_declined_at=NOW)
    last = settle(thrice, Declined(DeclineKind.SOFT, SAID), now=seoul(5, 10), policy=POLICY)
    assert (last.charge_status, last.next_attempt_at, last.wait_reason) == (ChargeStatus.UNCOLLECTIBLE, None, None)
    assert last.declines == 3


def test_charge_that_is_late_is_tried_until_the_next_period_that_has_no_charge():
    late = attempt(dunning=parse_dunning("1,3,5 at 9-21"), period_end=seoul(1, 10), next_charge_at=seoul(4, 10))
    assert settle(late, Declined(DeclineKind.SOFT, SAID), now=NOW, policy=POLICY).next_attempt_at == seoul(3, 10)
    # behind by so much that all of them are open by now: nothing is ahead that could cut the calendar
    behind = changed(late, next_charge_at=seoul(2, 9))
    assert settle(behind, Declined(DeclineKind.SOFT, SAID), now=NOW, policy=POLICY).next_attempt_at == seoul(3, 10)


@pytest.mark.parametrize(
    "outcome",
    [
        Declined(DeclineKind.TRANSIENT, SAID),
        Declined(DeclineKind.CONFIG, SAID),
        NotCharged(NotChargedReason.NOT_FOUND),
        NotCharged(NotChargedReason.CONNECT_FAILED),
    ],
)
def test_try_in_a_maintenance_keeps_to_the_hours_and_uses_no_day_up(outcome):
    evening = seoul(5, 20, 55)
    tried = changed(ONCE_DECLINED, dunning=parse_dunning("1,3 at 9-21"), deferrals=9)
    put_off = settle(tried, outcome, now=evening, policy=POLICY)
    assert put_off.next_attempt_at == seoul(6, 10), "not at three in the morning"
    assert (put_off.declines, put_off.first_declined_at) == (1, FIRST_DECLINED_AT)
    # what was never declined is no dunning
    never = attempt(dunning=parse_dunning("1,3 at 9-21"), deferrals=9)
    assert settle(never, outcome, now=evening, policy=POLICY).next_attempt_at == evening + LONGEST_DELAY


def test_spent_monthly_quota_waits_for_a_day_that_the_calendar_allows():
    spent = Declined(DeclineKind.SOFT, SAID, About.MONTH_QUOTA)
    tried = attempt(dunning=parse_dunning("1,3; no weekends; no holidays"), started_at=seoul(2, 10, month=2))
    settlement = settle(tried, spent, now=seoul(2, 10, 1, month=2), policy=POLICY)
    # the 1st of March is a Sunday and a holiday, and the 2nd its substitute
    assert settlement.next_attempt_at == seoul(3, 10, month=3)
    assert settlement.declines == 0


def test_key_with_its_tries_of_the_month_is_tried_in_the_next():
    earlier = (seoul(1, 10), seoul(1, 11))
    tried = attempt(dunning=parse_dunning("1,3; tries 3 a month"), tried_at=earlier)
    settlement = settle(tried, Declined(DeclineKind.SOFT, SAID), now=NOW, policy=POLICY)
    assert settlement.next_attempt_at == seoul(1, 10, month=2)
    room = changed(tried, tried_at=earlier[:1])
    assert settle(room, Declined(DeclineKind.SOFT, SAID), now=NOW, policy=POLICY).next_attempt_at == seoul(3, 10)


def test_retries_missed_in_a_downtime_are_made_up_one_a_day():
    # Down from the first decline on 2 January until the evening of the 8th: days 3, 5 and 7 have passed.
    evening = timedelta(days=5, hours=9)
    retries = walk(DeclineKind.SOFT, dunning=DunningCalendar((1, 3, 5)), late=evening)
    assert retries == [seoul(3, 10), seoul(9, 10), seoul(15, 10)]


@given(st.sets(st.integers(1, 60), max_size=6), st.timedeltas(timedelta(0), timedelta(days=20)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_late_retries_never_ask_an_issuer_twice_on_one_day(days, late):
    retries = walk(DeclineKind.SOFT, dunning=DunningCalendar(tuple(sorted(days))), late=late)
    dates = [retry.astimezone(SEOUL).date() for retry in [NOW, *retries]]
    assert len(retries) == len(days), "late, but none is lost"
    assert all(earlier < later for earlier, later in pairwise(dates))


# --- not charged ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", NotChargedReason)
@pytest.mark.parametrize(("tried", "charge"), [(attempt(), ChargeStatus.DUE), (ONCE_DECLINED, ChargeStatus.PAST_DUE)])
def test_not_charged_attempt_is_retried_and_uses_no_retry(reason, tried, charge):
    settlement = settle(tried, NotCharged(reason), now=NOW, policy=POLICY)
    assert (settlement.attempt_status, settlement.charge_status) == (AttemptStatus.NOT_CHARGED, charge)
    assert settlement.next_attempt_at == NOW + POLICY.not_charged_delay * 2**tried.retry.deferrals
    assert settlement.deferrals == tried.retry.deferrals + 1
    assert (settlement.declines, settlement.first_declined_at) == (tried.retry.declines, tried.retry.first_declined_at)
    assert (settlement.decline_kind, settlement.reason) == (None, reason)
    assert not settlement.kills_key
    assert not settlement.blames_configuration


@pytest.mark.parametrize(
    ("deferrals", "delay"),
    [(0, 1), (1, 2), (2, 4), (3, 8), (8, 256), (9, 360), (16, 360), (17, 360), (32_000, 360)],
)
def test_backoff_doubles_up_to_six_hours_and_stays_there(deferrals, delay):
    assert backoff(timedelta(minutes=1), deferrals) == timedelta(minutes=delay) <= LONGEST_DELAY


# --- unknown --------------------------------------------------------------------------------------------------------


def unknown(reason: UnknownReason = UnknownReason.TIMEOUT, *, after: timedelta, **changes):
    tried = attempt(**changes)
    return settle(tried, Unknown(reason, SAID), now=STARTED_AT + after, policy=POLICY)


@pytest.mark.parametrize("reason", UnknownReason)
@pytest.mark.parametrize("tried", [attempt(), ONCE_DECLINED])
def test_unknown_outcome_leaves_the_charge_unclaimable(reason, tried):
    settlement = settle(tried, Unknown(reason, SAID), now=NOW, policy=POLICY)
    assert (settlement.attempt_status, settlement.charge_status) == (AttemptStatus.UNKNOWN, ChargeStatus.CHARGING)
    assert (settlement.next_attempt_at, settlement.paid_at, settlement.decline_kind) == (None, None, None)
    assert settlement.next_lookup_at is not None
    assert settlement.flag is None
    assert settlement.deferrals == tried.retry.deferrals
    assert (settlement.declines, settlement.first_declined_at) == (tried.retry.declines, tried.retry.first_declined_at)


@pytest.mark.parametrize(
    ("after", "rung"),
    [
        (timedelta(0), timedelta(minutes=5)),
        (timedelta(seconds=65), timedelta(minutes=5)),
        (timedelta(minutes=5), timedelta(minutes=15)),  # a step that is due now has passed
        (timedelta(minutes=5, seconds=1), timedelta(minutes=15)),
        (timedelta(minutes=15, seconds=1), timedelta(minutes=30)),
        (timedelta(minutes=31), timedelta(hours=1)),
        # after a downtime: the next step, not all that were missed
        (timedelta(hours=7), timedelta(days=1)),
    ],
)
def test_next_look_up_is_the_next_step_of_the_backoff(after, rung):
    assert unknown(after=after).next_lookup_at == STARTED_AT + rung


def test_unknown_attempt_after_the_last_look_up_needs_an_operator():
    settlement = unknown(UnknownReason.NOT_FOUND_YET, after=timedelta(days=1))
    assert (settlement.next_lookup_at, settlement.flag) == (None, "still not_found_yet after the last look-up")
    assert (settlement.attempt_status, settlement.charge_status) == (AttemptStatus.UNKNOWN, ChargeStatus.CHARGING)


@pytest.mark.parametrize("reason", [UnknownReason.OTHER_PAYMENT, UnknownReason.CANCELED])
def test_outcome_that_look_ups_cannot_clear_needs_an_operator_at_once(reason):
    settlement = settle(attempt(), Unknown(reason, SAID, needs_human=True), now=NOW, policy=POLICY)
    assert (settlement.next_lookup_at, settlement.flag) == (None, reason.value)


@pytest.mark.parametrize(
    ("after", "lookups", "delay"),
    [
        (timedelta(minutes=5), 1, timedelta(minutes=10)),  # a backoff of its own ...
        (timedelta(minutes=5), 0, timedelta(minutes=5)),
        (timedelta(minutes=14), 4, timedelta(minutes=1)),  # ... or the next step, whichever is sooner
        (timedelta(days=9), 1, timedelta(minutes=10)),  # long after the last step
        (timedelta(days=400), 3, timedelta(minutes=40)),
    ],
)
def test_failed_look_up_is_repeated_and_keeps_the_outcome_open(after, lookups, delay):
    settlement = unknown(UnknownReason.LOOK_UP_FAILED, after=after, lookups=lookups)
    assert settlement.next_lookup_at == STARTED_AT + after + delay
    assert settlement.flag is None
    assert settlement.failure == "HTTP 200 -1 [8326]한도초과"


def test_look_ups_that_keep_failing_after_the_backoff_need_an_operator():
    settlement = unknown(UnknownReason.LOOK_UP_FAILED, after=timedelta(days=9), lookups=len(POLICY.lookup_backoff))
    assert settlement.next_lookup_at is None
    assert settlement.flag == "still look_up_failed after the last look-up"


@pytest.mark.parametrize(
    ("reason", "kept_before", "kept"),
    [
        (UnknownReason.REFUSAL_NOT_KNOWN, None, "-1 [8326]한도초과"),
        (UnknownReason.DUPLICATE, None, "-1 [8326]한도초과"),
        (UnknownReason.TIMEOUT, None, None),  # no rejection
        (UnknownReason.NOT_FOUND_YET, "1 words", "1 words"),  # kept until something is known
        (UnknownReason.LOOK_UP_FAILED, "1 words", "1 words"),
    ],
)
def test_rejection_is_kept_until_its_meaning_is_known(reason, kept_before, kept):
    assert unknown(reason, after=timedelta(seconds=1), refusal=kept_before).refusal == kept


@pytest.mark.parametrize("paid_at", [STARTED_AT - timedelta(days=3), NOW + timedelta(days=2)])
def test_paid_outcome_at_an_impossible_time_needs_an_operator(paid_at):
    settlement = settle(attempt(), Paid(paid_at, SAID), now=NOW, policy=POLICY)
    assert (settlement.attempt_status, settlement.flag) == (AttemptStatus.UNKNOWN, "implausible")
    assert settlement.paid_at is None


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (NotCharged(NotChargedReason.CONNECT_FAILED), WaitReason.NOT_SENT),
        (Declined(DeclineKind.TRANSIENT, SAID), WaitReason.MAINTENANCE),
        (Declined(DeclineKind.CONFIG, SAID), WaitReason.CONFIGURATION),
        (Declined(DeclineKind.SOFT, SAID), WaitReason.DUNNING),
        (Declined(DeclineKind.HARD, SAID), WaitReason.OTHER_KEY),
        (Unknown(UnknownReason.TIMEOUT), None),
        (Paid(NOW, SAID), None),
    ],
)
def test_settlement_names_why_its_charge_waits(outcome, expected):
    assert settle(attempt(), outcome, now=NOW, policy=POLICY).wait_reason is expected


def test_uncollectible_charge_waits_for_nothing():
    spent = settle(attempt(dunning=DunningCalendar(())), Declined(DeclineKind.SOFT, SAID), now=NOW, policy=POLICY)
    assert (spent.charge_status, spent.wait_reason) == (ChargeStatus.UNCOLLECTIBLE, None)
