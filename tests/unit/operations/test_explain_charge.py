"""Why a charge waits, in a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schedules.open_hours import OpenHours
from worker.domain.blockers import Blocker
from worker.domain.consent_gate.rules import RuleCode
from worker.domain.merchant_uid import MAX_NUMBER
from worker.domain.states import CLAIMABLE_CHARGES, AttemptStatus, BillingKeyStatus, ChargeStatus, SubscriptionStatus
from worker.operations.explain_charge import ChargeState, LastAttempt, explain_charge

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

STARTED = LastAttempt(
    number=2,
    status=AttemptStatus.STARTED,
    status_reason="claimed",
    started_at=NOW - HOUR,
    lease_until=NOW + HOUR,
    next_lookup_at=None,
    flag_reason=None,
)
UNKNOWN = replace(STARTED, status=AttemptStatus.UNKNOWN, status_reason="timeout", next_lookup_at=NOW + HOUR)
DECLINED = replace(STARTED, status=AttemptStatus.DECLINED, status_reason="soft: [CC61] 한도초과")

DUE = ChargeState(
    charge_id=7,
    status=ChargeStatus.DUE,
    blocker=None,
    status_reason="its period began",
    declines=0,
    next_attempt_at=NOW,
    paid_at=None,
    subscription=SubscriptionStatus.ACTIVE,
    subscription_code="0000000000001",
    key=BillingKeyStatus.ACTIVE,
    stop_scope=None,
    stop_reason=None,
    first_charge_id=None,
    discrepancy_id=None,
    attempt=None,
)
PAST_DUE = replace(DUE, status=ChargeStatus.PAST_DUE, declines=1, next_attempt_at=NOW + HOUR, attempt=DECLINED)
PAST_DUE = replace(PAST_DUE, blocker=Blocker.NOT_YET)
CHARGING = replace(DUE, status=ChargeStatus.CHARGING, blocker=Blocker.NOT_WAITING, next_attempt_at=None)
CHARGING = replace(CHARGING, attempt=STARTED)

GIVEN_UP = replace(DUE, status=ChargeStatus.UNCOLLECTIBLE, declines=5, next_attempt_at=None)


def said(state: ChargeState) -> str:
    return explain_charge(state, now=NOW, shown=lambda at: f"{at:%H:%M}")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (replace(DUE, status=ChargeStatus.PAID, paid_at=NOW), "paid on 03:00"),
        (replace(DUE, status=ChargeStatus.PAID, paid_at=NOW, amount=0), "Nothing was to be charged for it"),
        (
            replace(DUE, status=ChargeStatus.PAID, paid_at=NOW, amount=9900, refunded=3000),
            "3,000 of 9,900 KRW of it was",
        ),
        (replace(DUE, status=ChargeStatus.PAID, paid_at=NOW, amount=9900, refunded=9900), "and all of it was refunded"),
        (replace(DUE, status=ChargeStatus.UNCOLLECTIBLE, declines=1), "declined once"),
        (replace(DUE, status=ChargeStatus.UNCOLLECTIBLE, declines=5), "declined 5 times"),
        (replace(GIVEN_UP, attempt=DECLINED), "its dunning calendar is spent; nothing more happens, unless"),
        (GIVEN_UP, "unless `again charge collect 7` tries it once more."),
        (replace(GIVEN_UP, declines=0, written_off_at=NOW, status_reason="moved away"), "off on 03:00 (moved away); n"),
        (
            replace(DUE, status=ChargeStatus.PAID, paid_at=NOW, paid_elsewhere="bank 12"),
            "paid elsewhere (bank 12) on 0",
        ),
        (replace(PAST_DUE, is_postponed=True), "It was postponed; it is charged on 04:00."),
        (
            replace(GIVEN_UP, attempt=replace(STARTED, window_until=NOW + HOUR)),
            "is spent. Only the customer can pay it, in the payment window of attempt 2, until 04:00.",
        ),
        (replace(GIVEN_UP, attempt=UNKNOWN), "is spent. What became of attempt 2 is unknown (timeout);"),
        (replace(DUE, status=ChargeStatus.VOID, status_reason="subscription canceled"), "not owed (subscription canc"),
        (replace(DUE, blocker=Blocker.CONSENT, awaits_consent_since=NOW), "without consent to this charge"),
        (
            replace(PAST_DUE, blocker=Blocker.CONSENT, awaits_consent_since=NOW),
            "`again subscription key 0000000000001 KEY` with the same key",
        ),
        (
            replace(
                DUE,
                blocker=Blocker.GATE,
                charge_id=7,
                gate_held_since=NOW,
                gate_lacks=(RuleCode.CONSENT_TO_PAID, RuleCode.NOTICE_OF_PAID),
            ),
            "what it lacks is the customer's consent to paying, given within the 30 days before and a message to",
        ),
        (replace(DUE, blocker=Blocker.GATE, charge_id=7, gate_held_since=NOW), "`again charge override 7 --reason`"),
        # in flight
        (
            replace(CHARGING, attempt=replace(UNKNOWN, window_until=NOW + HOUR)),
            "Only the customer can pay it, in the payment window of attempt 2, until 04:00",
        ),
        (replace(CHARGING, attempt=replace(UNKNOWN, window_until=NOW)), "unknown (timeout)"),
        (CHARGING, "Attempt 2 is under way since 02:00"),
        (replace(CHARGING, attempt=replace(STARTED, lease_until=NOW - HOUR)), "the next reconciliation asks"),
        (replace(CHARGING, attempt=UNKNOWN), "unknown (timeout); PortOne is asked again on 04:00"),
        (replace(CHARGING, attempt=replace(UNKNOWN, next_lookup_at=NOW)), "asked again at the next reconciliation"),
        (
            replace(CHARGING, attempt=replace(UNKNOWN, next_lookup_at=None, flag_reason="canceled")),
            "has to be decided by an operator: canceled",
        ),
        (replace(CHARGING, attempt=DECLINED), "which should never happen"),
        (replace(CHARGING, attempt=None), "which should never happen"),
        # what keeps it from being claimed
        (replace(DUE, blocker=Blocker.SUBSCRIPTION, subscription=SubscriptionStatus.PAUSED), "subscription is paused"),
        (replace(DUE, blocker=Blocker.BILLING_KEY, key=None), "no billing key"),
        (
            replace(PAST_DUE, blocker=Blocker.BILLING_KEY, key=BillingKeyStatus.DEAD, next_attempt_at=None),
            "`again subscription key 0000000000001 KEY`",
        ),
        (
            replace(DUE, blocker=Blocker.DISCREPANCY, discrepancy_id=12),
            "It waits for a decision: see `again review show 12`.",
        ),
        (replace(CHARGING, discrepancy_id=12), "under way"),
        (
            replace(DUE, blocker=Blocker.STOP, stop_scope="payco", stop_reason="점검"),
            "(payco: 점검); it waits for `again start payco`",
        ),
        (
            replace(DUE, blocker=Blocker.CHANNEL_CLOSED, open_hours=OpenHours("08:00-22:00", "sun 02:00-09:00")),
            "Its hours are 08:00-22:00, less sun 02:00-09:00 in Seoul",
        ),
        (
            replace(DUE, blocker=Blocker.SUBSCRIPTION_HELD, hold_reason="too much on one day."),
            "is held: too much on one day.",
        ),
        (replace(PAST_DUE, blocker=Blocker.ATTEMPTS_SPENT), f"It has had {MAX_NUMBER} attempts"),
        (replace(PAST_DUE, blocker=Blocker.LAST_ATTEMPT), "which should never happen: report it as a defect"),
        # whose turn it is
        (DUE, "It is due; the next pump run charges it."),
        (replace(DUE, blocker=Blocker.ANOTHER_CHARGE, first_charge_id=7), "waits until charge 7"),
        (replace(DUE, blocker=Blocker.NOT_YET, next_attempt_at=NOW + HOUR), "It is charged on 04:00."),
        (PAST_DUE, "Attempt 2 ended declined (soft: [CC61] 한도초과); it is charged again on 04:00."),
        (replace(PAST_DUE, blocker=Blocker.NO_NEXT_ATTEMPT, next_attempt_at=None), "No further attempt is planned"),
    ],
)
def test_explanation_says_what_happens_to_a_charge_next(state: ChargeState, expected: str):
    assert expected in said(state)


@pytest.mark.parametrize("blocker", [each for each in Blocker if each is not Blocker.NOT_WAITING])
def test_blocked_charge_is_never_said_to_be_charged_next(blocker: Blocker):
    sentence = said(replace(PAST_DUE, blocker=blocker, stop_scope="all", awaits_consent_since=NOW, gate_held_since=NOW))
    assert sentence != said(DUE)
    assert sentence


@pytest.mark.parametrize("status", list(ChargeStatus))
@pytest.mark.parametrize("attempt", [None, STARTED, UNKNOWN, DECLINED])
def test_charge_states_are_each_explained_in_one_sentence(status: ChargeStatus, attempt: LastAttempt | None):
    paid_at = NOW if status is ChargeStatus.PAID else None
    blocker = None if status in CLAIMABLE_CHARGES else Blocker.NOT_WAITING
    sentence = said(replace(DUE, status=status, blocker=blocker, attempt=attempt, paid_at=paid_at, declines=1))
    assert sentence.endswith(".")
    assert "None" not in sentence
