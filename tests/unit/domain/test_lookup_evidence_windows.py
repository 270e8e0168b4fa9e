"""Attempts in payment windows: only a payment ends one while its window can be paid, and leaving it uses no retry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.attempts import POLICY, QUIET_PERIOD, RULES, STARTED_AT, attempt, record
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.lookup_evidence import outcome_of_lookup
from worker.domain.outcomes import NO_ANSWER, Declined, NotCharged, NotChargedReason, Paid, Unknown
from worker.domain.settlement import settle
from worker.domain.states import AttemptStatus, ChargeStatus, Via
from worker.domain.window_evidence import WINDOW_LIFE

UNTIL = STARTED_AT + WINDOW_LIFE
WINDOW = attempt(via=Via.WINDOW, payable_until=UNTIL)
DECLINED_BEFORE = {"declines": 2, "first_declined_at": STARTED_AT - timedelta(days=3)}

OLD = int(STARTED_AT.timestamp()) - 90_000
LEFT = record("ready", customer_uid=None, started_at=OLD)
DECLINED_IN_WINDOW = record("failed", customer_uid=None, started_at=OLD, fail_reason="[0004]유효기간 경과")

CONCLUSIONS = [
    # what PortOne shows; whether a window can still be paid; what follows
    ([], True, Unknown),
    ([LEFT], True, Unknown),
    ([DECLINED_IN_WINDOW], True, Unknown),  # another tab may still pay
    ([record()], True, Paid),
    ([DECLINED_IN_WINDOW, record()], True, Paid),
    ([], False, NotCharged),
    ([LEFT], False, NotCharged),  # a window that was left stays `ready` for ever
    ([DECLINED_IN_WINDOW], False, NotCharged),  # a customer's card in a window is not the key's decline
    ([record()], False, Paid),
    ([record("cancelled")], True, Unknown),
    ([record(amount=100)], True, Unknown),
]


@pytest.mark.parametrize(("records", "can_be_paid", "outcome"), CONCLUSIONS)
def test_only_a_payment_ends_a_window_attempt_while_its_window_can_be_paid(records, can_be_paid, outcome):
    now = UNTIL - timedelta(seconds=1) if can_be_paid else UNTIL
    concluded = outcome_of_lookup(WINDOW, Found(tuple(records)), now=now, quiet_period=QUIET_PERIOD, rules=RULES)
    assert isinstance(concluded, outcome)


def test_window_attempt_without_an_answer_never_counts_as_left():
    failed = LookUpFailed(NO_ANSWER)
    assert isinstance(outcome_of_lookup(WINDOW, failed, now=UNTIL, quiet_period=QUIET_PERIOD, rules=RULES), Unknown)


SENT_AFTERWARDS = [
    # PortOne's records of an order whose windows were left, and which was then sent through `again`; what follows
    ([LEFT, DECLINED_IN_WINDOW], NotCharged),
    ([record("failed", fail_reason="[LACK_BALANCE]잔액부족"), LEFT], Declined),
    ([record(), LEFT], Paid),
]


@pytest.mark.parametrize(("records", "outcome"), SENT_AFTERWARDS)
def test_records_of_left_windows_prove_nothing_about_our_own_send(records, outcome):
    sent = attempt(payable_until=STARTED_AT - timedelta(hours=1), sends=3)
    later = STARTED_AT + QUIET_PERIOD
    assert isinstance(
        outcome_of_lookup(sent, Found(tuple(records)), now=later, quiet_period=QUIET_PERIOD, rules=RULES), outcome
    )


PLANNED = STARTED_AT + timedelta(days=5)
RESUMED = [
    # declines so far; the planned retry; where it continues
    ({}, STARTED_AT, ChargeStatus.DUE, UNTIL + timedelta(seconds=1)),
    ({}, None, ChargeStatus.DUE, UNTIL + timedelta(seconds=1)),
    (DECLINED_BEFORE, PLANNED, ChargeStatus.PAST_DUE, PLANNED),
    (DECLINED_BEFORE, STARTED_AT, ChargeStatus.PAST_DUE, UNTIL + timedelta(seconds=1)),
    (DECLINED_BEFORE, None, ChargeStatus.PAST_DUE, None),  # it waits for another key, as before
]


@pytest.mark.parametrize(("before", "resume_at", "status", "next_at"), RESUMED)
def test_charge_with_a_left_window_continues_where_it_was(before, resume_at, status, next_at):
    left = attempt(via=Via.WINDOW, payable_until=UNTIL, resume_at=resume_at, deferrals=3, **before)
    done = settle(left, NotCharged(NotChargedReason.WINDOW_LEFT), now=UNTIL, policy=POLICY)
    assert (done.attempt_status, done.charge_status, done.next_attempt_at) == (
        AttemptStatus.NOT_CHARGED,
        status,
        next_at,
    )
    assert (done.declines, done.deferrals) == (left.retry.declines, 3)


def test_window_attempt_is_looked_up_when_its_windows_have_expired():
    short = replace(POLICY, lookup_backoff=(timedelta(minutes=5),))
    unclear = outcome_of_lookup(WINDOW, Found(()), now=STARTED_AT, quiet_period=QUIET_PERIOD, rules=RULES)
    done = settle(WINDOW, unclear, now=STARTED_AT + timedelta(hours=1), policy=short)
    assert (done.attempt_status, done.next_lookup_at, done.flag) == (AttemptStatus.UNKNOWN, UNTIL, None)
