"""The transition tables are consistent, and every settlement follows them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.dunning import DunningCalendar
from tests.support.attempts import POLICY, STARTED_AT, attempt
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
from worker.domain.states import (
    ATTEMPT_TRANSITIONS,
    BILLED_SUBSCRIPTIONS,
    CHARGE_TRANSITIONS,
    CHECKOUT_TRANSITIONS,
    CLAIMABLE_CHARGES,
    OPEN_ATTEMPTS,
    SUBSCRIPTION_TRANSITIONS,
    UNSETTLED_CHARGES,
    AttemptStatus,
    ChargeStatus,
    CheckoutStatus,
    SubscriptionStatus,
    Via,
)


@pytest.mark.parametrize(
    ("transitions", "statuses"),
    [
        (CHARGE_TRANSITIONS, ChargeStatus),
        (ATTEMPT_TRANSITIONS, AttemptStatus),
        (CHECKOUT_TRANSITIONS, CheckoutStatus),
        (SUBSCRIPTION_TRANSITIONS, SubscriptionStatus),
    ],
)
def test_every_status_lists_its_successors_and_never_itself(transitions, statuses):
    assert set(transitions) == set(statuses)
    assert all(after <= set(statuses) for after in transitions.values())
    assert all(status not in after for status, after in transitions.items())


def test_final_status_has_no_successor():
    assert CHARGE_TRANSITIONS[ChargeStatus.PAID] == CHARGE_TRANSITIONS[ChargeStatus.VOID] == frozenset()
    assert ATTEMPT_TRANSITIONS[AttemptStatus.PAID] == frozenset()


def test_given_up_charge_is_claimed_only_once_it_is_owed_again():
    assert ChargeStatus.CHARGING not in CHARGE_TRANSITIONS[ChargeStatus.UNCOLLECTIBLE]
    assert set(CLAIMABLE_CHARGES) < CHARGE_TRANSITIONS[ChargeStatus.UNCOLLECTIBLE]


def test_charge_in_flight_is_neither_voided_nor_written_off_but_by_its_outcome():
    assert set(UNSETTLED_CHARGES) == {ChargeStatus.DUE, ChargeStatus.PAST_DUE, ChargeStatus.UNCOLLECTIBLE}
    assert {each for each, after in CHARGE_TRANSITIONS.items() if ChargeStatus.VOID in after} == UNSETTLED_CHARGES


def test_declined_attempt_changes_only_for_money_that_moved():
    assert ATTEMPT_TRANSITIONS[AttemptStatus.DECLINED] == {AttemptStatus.PAID}


def test_only_waiting_charges_without_an_open_attempt_can_be_claimed():
    assert set(CLAIMABLE_CHARGES) == {ChargeStatus.DUE, ChargeStatus.PAST_DUE}
    assert ChargeStatus.CHARGING not in CLAIMABLE_CHARGES


def test_attempt_is_resent_only_after_proof_that_it_was_not_charged():
    resent = {status for status, after in ATTEMPT_TRANSITIONS.items() if AttemptStatus.STARTED in after}
    assert resent == {AttemptStatus.NOT_CHARGED}
    assert set(OPEN_ATTEMPTS) == {AttemptStatus.STARTED, AttemptStatus.UNKNOWN}


def test_every_charge_status_is_reachable_and_every_charge_can_end():
    assert set().union(*CHARGE_TRANSITIONS.values()) == set(ChargeStatus)
    ending = {status for status, after in CHARGE_TRANSITIONS.items() if not after}
    while more := {status for status, after in CHARGE_TRANSITIONS.items() if after & ending} - ending:
        ending |= more
    assert ending == set(ChargeStatus)


def test_periods_fall_due_when_past_due_and_not_after_cancellation():
    billed = {SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE}
    assert set(BILLED_SUBSCRIPTIONS) == billed


# --- settle() makes allowed transitions only ------------------------------------------------------------------------

said = st.builds(
    Answer, code=st.none() | st.just("-1"), message=st.none() | st.text(max_size=5), imp_uid=st.just("imps")
)
outcomes = st.one_of(
    st.builds(Paid, st.just(STARTED_AT), said),
    st.builds(Declined, st.sampled_from(DeclineKind), said),
    st.builds(NotCharged, st.sampled_from(NotChargedReason), said),
    st.builds(Unknown, st.sampled_from(UnknownReason), said, st.booleans()),
)


windows: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "via": st.just(Via.WINDOW),
            "payable_until": st.just(STARTED_AT + timedelta(days=1)),
            "resume_at": st.none() | st.timedeltas(timedelta(-9), timedelta(9)).map(lambda after: STARTED_AT + after),
        }
    ),
)


@st.composite
def attempts(draw):
    declines = draw(st.integers(0, 8))
    days = draw(st.sets(st.integers(1, 60), max_size=5))
    return attempt(
        number=draw(st.integers(1, 999)),
        sends=draw(st.integers(1, 5)),
        lookups=draw(st.integers(0, 5000)),
        deferrals=draw(st.integers(0, 5000)),
        declines=declines,
        first_declined_at=STARTED_AT - timedelta(days=draw(st.integers(0, 90))) if declines else None,
        refusal=draw(st.none() | st.just("1 거절")),
        dunning=DunningCalendar(tuple(sorted(days))),
        charge_hour=draw(st.integers(0, 23)),
        **draw(windows),
    )


@given(attempts(), outcomes, st.timedeltas(timedelta(0), timedelta(days=40)))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_settlement_is_an_allowed_transition_within_the_constraints(tried, outcome, after):
    now = STARTED_AT + after
    done = settle(tried, outcome, now=now, policy=POLICY)

    before = {AttemptStatus.STARTED, AttemptStatus.UNKNOWN}
    allowed = {AttemptStatus.UNKNOWN, *set().union(*(ATTEMPT_TRANSITIONS[status] for status in before))}
    assert done.attempt_status in allowed
    assert done.charge_status in {ChargeStatus.CHARGING, *CHARGE_TRANSITIONS[ChargeStatus.CHARGING]}

    # an open attempt, and it alone, keeps its charge
    assert (done.attempt_status is AttemptStatus.UNKNOWN) == (done.charge_status is ChargeStatus.CHARGING)
    assert (done.attempt_status is AttemptStatus.PAID) == (done.charge_status is ChargeStatus.PAID)
    # what the CHECKs of the tables ask for
    assert (done.charge_status is ChargeStatus.PAID) == (done.paid_at is not None)
    assert done.charge_status is not ChargeStatus.DUE or done.next_attempt_at is not None
    assert done.charge_status in CLAIMABLE_CHARGES or done.next_attempt_at is None
    assert (done.declines > 0) == (done.first_declined_at is not None)
    assert (done.attempt_status is AttemptStatus.DECLINED) == (done.decline_kind is not None)
    if done.attempt_status is AttemptStatus.UNKNOWN:
        assert (done.next_lookup_at is None) == (done.flag is not None), "looked up, or a person's: never neither"
    else:
        assert (done.next_lookup_at, done.flag) == (None, None)
    # nothing is due in the past, no decline is forgotten, and nothing is settled without a reason
    assert all(at > now for at in (done.next_attempt_at, done.next_lookup_at) if at is not None)
    assert tried.retry.declines <= done.declines <= tried.retry.declines + 1
    assert done.reason


@given(attempts(), st.sampled_from(DeclineKind), st.timedeltas(timedelta(0), timedelta(days=40)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_declined_charge_is_retried_or_ended_or_waits_for_another_key(tried, kind, after):
    done = settle(tried, Declined(kind, Answer()), now=STARTED_AT + after, policy=POLICY)
    assert done.next_attempt_at is not None or done.charge_status is ChargeStatus.UNCOLLECTIBLE or done.kills_key
