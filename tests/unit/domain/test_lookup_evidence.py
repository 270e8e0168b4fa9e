"""What PortOne's records prove about an attempt, and what they do not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attempts import POLICY, QUIET_PERIOD, RULES, STARTED_AT, attempt, record, request
from tests.support.declines import own
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.lookup_evidence import outcome_of_answer, outcome_of_lookup
from worker.domain.outcomes import (
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.domain.settlement import settle
from worker.domain.states import ChargeStatus

EARLY = STARTED_AT + timedelta(minutes=5)
ALMOST_QUIET = STARTED_AT + QUIET_PERIOD - timedelta(microseconds=1)
QUIET = STARTED_AT + QUIET_PERIOD
AT = int(STARTED_AT.timestamp())


def concluded(*records, now=EARLY, **changes):
    return outcome_of_lookup(attempt(**changes), Found(records), now=now, quiet_period=QUIET_PERIOD, rules=RULES)


def reason(outcome) -> UnknownReason:
    assert isinstance(outcome, Unknown), outcome
    return outcome.reason


# --- paid -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [EARLY, QUIET])
@pytest.mark.parametrize(
    "records",
    [
        [record()],
        [record("failed", imp_uid="imps_2"), record()],  # a newer failure hides nothing
        [record(), record("failed", imp_uid="imps_0")],
        [record("failed", imp_uid="imps_3"), record("ready", imp_uid="imps_2"), record()],
        [record("cancelled", imp_uid="imps_2"), record()],  # one of two was refunded, one was not
        [record("a_new_status", imp_uid="imps_2"), record()],
    ],
)
def test_paid_record_wins_over_all_others(records, now):
    outcome = concluded(*records, now=now, sends=2)
    assert isinstance(outcome, Paid)
    assert outcome.paid_at == record().paid_at
    assert outcome.answer.imp_uid == "imps_000000000001"


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([record(), record(imp_uid="imps_2")], UnknownReason.OTHER_PAYMENT),  # charged twice under one merchant_uid
        ([record(amount=99_000)], UnknownReason.OTHER_PAYMENT),
        ([record(currency="USD")], UnknownReason.OTHER_PAYMENT),
        ([record(merchant_uid="another")], UnknownReason.OTHER_PAYMENT),
        ([record(), record(amount=1, imp_uid="imps_2")], UnknownReason.OTHER_PAYMENT),
        ([record(paid_at=0)], UnknownReason.STATUS_NOT_KNOWN),  # paid, but never
        ([record("cancelled")], UnknownReason.CANCELED),  # refunded outside of Again
        ([record("failed", imp_uid="imps_2"), record("cancelled")], UnknownReason.CANCELED),
    ],
)
@pytest.mark.parametrize("now", [EARLY, QUIET])
def test_payment_that_differs_from_its_request_needs_an_operator(records, why, now):
    outcome = concluded(*records, now=now)
    assert reason(outcome) is why
    assert outcome.needs_human


@pytest.mark.parametrize("status", ["ready", "in_a_status_of_next_year", "PAID"])
@pytest.mark.parametrize("now", [EARLY, QUIET, QUIET + timedelta(days=6)])
def test_record_without_a_result_is_waited_for(status, now):
    outcome = concluded(record("failed", imp_uid="imps_2"), record(status), now=now)
    assert reason(outcome) is UnknownReason.IN_PROGRESS
    assert not outcome.needs_human


# --- failed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "sends", "now", "is_declined"),
    [
        # one send and its record: that is the answer
        ([record("failed")], 1, EARLY, True),
        # two sends, one record: the other may still be in progress ...
        ([record("failed")], 2, EARLY, False),
        ([record("failed")], 2, ALMOST_QUIET, False),
        # ... until the quiet period is over
        ([record("failed")], 2, QUIET, True),
        ([record("failed", imp_uid="imps_2"), record("failed")], 2, EARLY, True),
        # a record older than the send is of a send that a restored database lacks
        ([record("failed", failed_at=AT - 86_400)], 1, EARLY, False),
        ([record("failed", failed_at=AT - 1)], 1, ALMOST_QUIET, False),
        ([record("failed", failed_at=AT)], 1, EARLY, True),  # PortOne's times are whole seconds
        ([record("failed", failed_at=AT - 86_400)], 1, QUIET, True),
        # a record that does not say when
        ([record("failed", failed_at=0)], 1, EARLY, False),
        ([record("failed", failed_at=None)], 1, EARLY, False),
        ([record("failed", failed_at="soon")], 1, EARLY, False),
        ([record("failed", failed_at=True)], 1, EARLY, False),
        ([record("failed", failed_at=None)], 1, QUIET, True),
    ],
)
def test_failed_record_is_a_decline_once_no_send_can_still_land(records, sends, now, is_declined):
    outcome = concluded(*records, sends=sends, now=now)
    if is_declined:
        assert isinstance(outcome, Declined)
        assert outcome.kind is DeclineKind.SOFT
        assert outcome.answer.message == "[8326]한도초과"
    else:
        assert reason(outcome) is UnknownReason.IN_PROGRESS


@pytest.mark.parametrize(
    ("fail_reason", "early", "quiet"),
    [
        ("[8350]도난", DeclineKind.HARD, DeclineKind.HARD),
        ("[-730]", DeclineKind.CONFIG, DeclineKind.CONFIG),
        ("은행 점검", DeclineKind.TRANSIENT, DeclineKind.TRANSIENT),
        ("거절", DeclineKind.UNMATCHED, DeclineKind.UNMATCHED),
        (None, DeclineKind.UNMATCHED, DeclineKind.UNMATCHED),
        # a time-out behind the PG: trusted after the quiet period, and no customer's fault
        ("[0010]TIME-OUT", UnknownReason.GATEWAY_UNSURE, DeclineKind.TRANSIENT),
        ("BANK_FIRM_UNKNOWN", UnknownReason.GATEWAY_UNSURE, DeclineKind.TRANSIENT),
        # "duplicate": the PG knows a payment that PortOne does not show. Never a decline, however quiet it is
        ("[5530]중복거래", UnknownReason.DUPLICATE, UnknownReason.DUPLICATE),
        ("이미 승인된 거래", UnknownReason.DUPLICATE, UnknownReason.DUPLICATE),
        # "already", of a key: it is deleted, and nothing was paid before
        ("[A126] 이미 삭제된 빌키이거나 존재하지 않은 빌키입니다", DeclineKind.HARD, DeclineKind.HARD),
        ("이미 재발급된 카드입니다", DeclineKind.HARD, DeclineKind.HARD),
        # "already", of something unknown: PortOne's record ends it, once nothing can land any more
        ("이미 거절된 카드입니다", UnknownReason.DUPLICATE, DeclineKind.UNMATCHED),
        ("허용되지 않은 접속 IP", DeclineKind.CONFIG, DeclineKind.CONFIG),
        ("통신사 한도초과", DeclineKind.SOFT, DeclineKind.SOFT),
    ],
)
def test_reason_of_a_failed_record_decides_the_outcome(fail_reason, early, quiet):
    for now, expected in ((EARLY, early), (QUIET, quiet)):
        outcome = concluded(record("failed", fail_reason=fail_reason), now=now)
        assert (outcome.kind if isinstance(outcome, Declined) else reason(outcome)) is expected


# --- nothing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "now", "expected"),
    [
        (None, EARLY, Unknown(UnknownReason.NOT_FOUND_YET)),
        (None, ALMOST_QUIET, Unknown(UnknownReason.NOT_FOUND_YET)),
        (None, QUIET, NotCharged(NotChargedReason.NOT_FOUND)),
        ("1 거절", EARLY, Unknown(UnknownReason.NOT_FOUND_YET)),
        # declined in words that no table knows, and nothing was charged
        ("1 거절", QUIET, Declined(DeclineKind.UNMATCHED, Answer(http_status=200, message="1 거절"))),
        # rejected as a duplicate, and nothing found: one of the two is wrong, and neither may be assumed
        ("1 중복 주문", QUIET, Unknown(UnknownReason.DUPLICATE, Answer(http_status=200, message="1 중복 주문"))),
    ],
)
def test_nothing_found_proves_nothing_before_the_quiet_period(refusal, now, expected):
    assert concluded(refusal=refusal, now=now) == expected


def test_duplicate_that_is_never_found_needs_an_operator():
    tried = attempt(refusal="1 이미 사용된 merchant_uid입니다.")
    for rung in POLICY.lookup_backoff:
        now = STARTED_AT + rung
        outcome = outcome_of_lookup(tried, Found(()), now=now, quiet_period=QUIET_PERIOD, rules=RULES)
        settlement = settle(tried, outcome, now=now, policy=POLICY)
        assert settlement.charge_status is ChargeStatus.CHARGING
        assert settlement.refusal == tried.refusal
    assert settlement.flag == "still duplicate after the last look-up"


def test_the_quiet_period_counts_from_the_last_send():
    resent_at = STARTED_AT + timedelta(days=1)
    outcome = concluded(now=resent_at + QUIET_PERIOD - timedelta(seconds=1), started_at=resent_at, sends=2)
    assert reason(outcome) is UnknownReason.NOT_FOUND_YET


@pytest.mark.parametrize("now", [EARLY, QUIET, QUIET + timedelta(days=30)])
def test_failed_look_up_proves_nothing(now):
    answer = Answer(http_status=503, message="away")
    outcome = outcome_of_lookup(
        attempt(refusal="1 거절"), LookUpFailed(answer), now=now, quiet_period=QUIET_PERIOD, rules=RULES
    )
    assert outcome == Unknown(UnknownReason.LOOK_UP_FAILED, answer)


# --- whatever PortOne shows -----------------------------------------------------------------------------------------

records = st.builds(
    record,
    st.sampled_from(["paid", "failed", "ready", "cancelled", "new"]),
    amount=st.sampled_from([9900, 9900, 9900, 100]),
    merchant_uid=st.sampled_from([request().merchant_uid] * 4 + ["another"]),
    failed_at=st.sampled_from([0, None, AT - 9, AT + 9]),
    fail_reason=st.sampled_from([None, "한도초과", "중복", "TIME-OUT", "분실", "가맹점", "점검"]),
)
findings = st.lists(records, max_size=4).map(tuple)
elapsed = st.timedeltas(timedelta(0), timedelta(days=10))


@given(findings, elapsed, st.integers(1, 3), st.sampled_from([None, "1 거절", "1 중복"]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_evidence_allows_a_second_charge_of_a_payment(found, after, sends, refusal):
    now = STARTED_AT + after
    tried = attempt(sends=sends, refusal=refusal)
    outcome = outcome_of_lookup(tried, Found(found), now=now, quiet_period=QUIET_PERIOD, rules=RULES)
    moved = [each for each in found if each.status in {"paid", "cancelled"}]
    if moved:
        assert isinstance(outcome, Paid | Unknown)
    if isinstance(outcome, Paid):
        paid = [each for each in found if each.status == "paid"]
        assert [(each.merchant_uid, each.amount) for each in paid] == [(tried.request.merchant_uid, 9900)]
    if isinstance(outcome, NotCharged):
        assert found == ()
        assert now >= QUIET
    if isinstance(outcome, Declined):
        assert all(each.status == "failed" for each in found)
        assert not found or "중복" not in (found[0].fail_reason or "")
        assert now >= QUIET or (found and len(found) >= sends)


@given(findings, elapsed)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_evidence_does_not_depend_on_the_order_of_paid_and_failed_records(found, after):
    now = STARTED_AT + after
    forth, back = (
        outcome_of_lookup(attempt(), Found(each), now=now, quiet_period=QUIET_PERIOD, rules=RULES)
        for each in (found, found[::-1])
    )
    assert isinstance(forth, Paid) == isinstance(back, Paid)


# --- times that cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [timedelta(days=-3), timedelta(days=-365), timedelta(days=2), timedelta(days=3650)])
def test_payment_at_an_impossible_time_needs_an_operator(off):
    outcome = concluded(record(paid_at=AT + int(off.total_seconds())), now=QUIET)
    assert reason(outcome) is UnknownReason.IMPLAUSIBLE
    assert outcome.needs_human


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(hours=23)])
def test_payment_at_a_slightly_wrong_time_counts(off):
    assert isinstance(concluded(record(paid_at=AT + int(off.total_seconds())), now=QUIET), Paid)


def test_payment_found_long_after_its_period_started_counts():
    late = timedelta(days=200)
    outcome = concluded(record(paid_at=AT + int(late.total_seconds())), now=STARTED_AT + late)
    assert isinstance(outcome, Paid)


# --- a merchant's own rule ------------------------------------------------------------------------------------------

WORDS = "단지 결제기 꺼짐"  # what no rule of ours knows
THEIRS = own("transient", WORDS)


def with_theirs(*records, now=QUIET, **changes):
    return outcome_of_lookup(attempt(**changes), Found(records), now=now, quiet_period=QUIET_PERIOD, rules=THEIRS)


def test_refusal_without_a_record_becomes_the_merchants_kind_once_nothing_can_land():
    assert reason(with_theirs(refusal=f"1 {WORDS}", now=ALMOST_QUIET)) is UnknownReason.NOT_FOUND_YET
    outcome = with_theirs(refusal=f"1 {WORDS}")
    assert outcome == Declined(DeclineKind.TRANSIENT, Answer(http_status=200, message=f"1 {WORDS}"))
    assert reason(with_theirs(refusal=f"1 {WORDS}", sends=2)) is UnknownReason.REFUSAL_NOT_KNOWN
    assert reason(with_theirs(refusal=f"1 {WORDS} 중복 주문")) is UnknownReason.DUPLICATE


def test_failed_record_on_a_merchants_word_settles_nothing_until_each_send_has_one():
    failed = record("failed", fail_reason=WORDS)
    outcome = with_theirs(failed)
    assert isinstance(outcome, Declined)
    assert outcome.kind is DeclineKind.TRANSIENT
    unaccounted = with_theirs(failed, sends=2)
    assert reason(unaccounted) is UnknownReason.REFUSAL_NOT_KNOWN
    assert unaccounted.supposed is DeclineKind.TRANSIENT


def test_answer_on_a_merchants_word_is_no_decline_after_a_send_that_was_lost():
    """As with words that nothing knows: they may be the PG's way to say that it knows the order."""
    known = Declined(DeclineKind.SOFT, Answer(message="[8326]"))
    theirs = Declined(DeclineKind.SOFT, Answer(message=WORDS), on_merchants_word=True)
    assert outcome_of_answer(attempt(sends=1), theirs) == theirs
    assert outcome_of_answer(attempt(sends=2), known) == known
    outcome = outcome_of_answer(attempt(sends=2), theirs)
    assert isinstance(outcome, Unknown)
    assert (outcome.reason, outcome.supposed) == (UnknownReason.REFUSAL_NOT_KNOWN, DeclineKind.SOFT)
