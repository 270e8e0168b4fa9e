"""Which decisions a discrepancy allows, given what PortOne shows now, and what each would do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.attempts import MERCHANT_UID, QUIET_PERIOD, STARTED_AT, attempt, record
from tests.support.review_cases import FIRST, QUIET, SECOND, TWO, case, charge, refusal, step, unresolved
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.outcomes import Answer, Declined, NotCharged, Paid
from worker.domain.states import ChargeStatus
from worker.review.case import Decision, StartedRefund
from worker.review.decisions import decisions_for

OTHER_KINDS = [kind for kind in DiscrepancyKind if kind is not DiscrepancyKind.UNRESOLVED]
NO_ANSWER = LookUpFailed(Answer(message="no answer within the deadline"))


# --- which decisions there are --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DiscrepancyKind)
def test_unresolved_attempt_allows_every_decision_and_other_kinds_two(kind):
    expected = set(Decision) if kind is DiscrepancyKind.UNRESOLVED else {Decision.ACCEPT, Decision.REFUND}
    assert set(decisions_for(kind)) == expected


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("decision", [Decision.LOOK_UP, Decision.CHARGE_AGAIN, Decision.VOID])
def test_decision_about_an_attempt_is_refused_for_other_kinds(kind, decision):
    assert "accept or refund" in refusal(decision, case(record(), kind=kind))


@pytest.mark.parametrize("status", [each for each in DiscrepancyStatus if each is not DiscrepancyStatus.OPEN])
@pytest.mark.parametrize("decision", Decision)
def test_closed_discrepancy_is_not_decided_again(status, decision):
    said = refusal(decision, unresolved(record(), status=status, decided_by="cli kim@host"))
    assert f"is {status} since 2026-01-02 01:00 UTC by cli kim@host: found" in said


OPTIONS = [
    # what belongs to other decisions is refused, not ignored
    (Decision.LOOK_UP, {"imp_uid": FIRST}, "--imp-uid"),
    (Decision.CHARGE_AGAIN, {"imp_uid": FIRST}, "--imp-uid"),
    (Decision.VOID, {"imp_uid": FIRST}, "--imp-uid"),
    (Decision.ACCEPT, {"tax_free": 0}, "--tax-free"),
    (Decision.VOID, {"tax_free": 0}, "--tax-free"),
    (Decision.ACCEPT, {"vat_amount": 0}, "--vat-amount"),
]


@pytest.mark.parametrize(("decision", "options", "named"), OPTIONS)
def test_option_of_another_decision_is_refused(decision, options, named):
    assert f"leave out {named}" in refusal(decision, unresolved(), **options)


# --- an attempt that the look-ups could not settle ------------------------------------------------------------------

LOOK_UPS = [
    # what PortOne shows, what becomes of the attempt, whether money moves
    ([record()], Paid, False),
    ([record(), record("cancelled", imp_uid=SECOND)], Paid, False),  # one of two was refunded
    ([record("failed")], Declined, False),
    ([], NotCharged, True),  # the charge is due again
]


@pytest.mark.parametrize(("records", "outcome", "moves_money"), LOOK_UPS)
def test_look_up_settles_as_reconciliation_would(records, outcome, moves_money):
    looked_up = step(Decision.LOOK_UP, unresolved(*records))
    assert isinstance(looked_up.outcome, outcome)
    assert looked_up.moves_money is moves_money


UNCLEAR = [
    [record("cancelled")],
    [record("ready")],
    [record(), record(imp_uid=SECOND)],
    [record(amount=9000)],
    [record("a_new_status")],
]


@pytest.mark.parametrize("records", UNCLEAR)
def test_look_up_with_unclear_evidence_is_refused(records):
    assert "does not settle the attempt" in refusal(Decision.LOOK_UP, unresolved(*records))


ACCEPTED = [
    # what PortOne shows, what is named, what the sentence says besides
    ([record("cancelled")], None, "9,900 KRW of it was refunded"),
    ([record(amount=9000)], None, "It was 9,000 KRW, not 9,900 KRW."),
    ([record(cancel_amount=900)], None, "900 KRW of it was refunded"),
    ([record(), record(imp_uid=SECOND)], SECOND, f"becomes paid by {SECOND}"),
    ([record("failed", imp_uid=SECOND), record()], None, f"becomes paid by {FIRST}"),
]


@pytest.mark.parametrize(("records", "imp_uid", "said"), ACCEPTED)
def test_accepted_payment_pays_the_attempt(records, imp_uid, said):
    accepted = step(Decision.ACCEPT, unresolved(*records), imp_uid=imp_uid)
    assert isinstance(accepted.outcome, Paid)
    assert said in accepted.sentence
    assert not accepted.moves_money


def test_accepted_payment_without_a_time_counts_from_the_attempts_start():
    accepted = step(Decision.ACCEPT, unresolved(record(paid_at=0)))
    assert isinstance(accepted.outcome, Paid)
    assert accepted.outcome.paid_at == STARTED_AT


NOT_ACCEPTED = [
    ([], None, "no payment that could be accepted"),
    ([record("failed"), record("ready")], None, "no payment that could be accepted"),
    ([record(), record(imp_uid=SECOND)], None, f"--imp-uid: {FIRST} (paid), {SECOND} (paid)"),
    ([record()], "imps_unknown", f"--imp-uid: {FIRST} (paid)"),
]


@pytest.mark.parametrize(("records", "imp_uid", "said"), NOT_ACCEPTED)
def test_accepting_requires_exactly_one_payment_at_portone(records, imp_uid, said):
    assert said in refusal(Decision.ACCEPT, unresolved(*records), imp_uid=imp_uid)


PROOFS = [Decision.CHARGE_AGAIN, Decision.VOID]
AGAINST_A_PROOF = [[record()], [record("cancelled")], [record("ready")], [record("a_new_status"), record("failed")]]


@pytest.mark.parametrize("decision", PROOFS)
@pytest.mark.parametrize("records", AGAINST_A_PROOF)
def test_proof_against_portones_records_is_refused(decision, records):
    assert "PortOne shows a payment" in refusal(decision, unresolved(*records))


@pytest.mark.parametrize("decision", PROOFS)
def test_proof_within_the_quiet_period_is_refused(decision):
    almost = unresolved(asked_at=QUIET - timedelta(microseconds=1))
    assert "after 2026-01-02 01:30 UTC" in refusal(decision, almost)
    assert isinstance(step(decision, unresolved()).outcome, NotCharged)


@pytest.mark.parametrize("decision", PROOFS)
def test_proof_outweighs_an_earlier_refusal(decision):
    said_used = unresolved(record("failed"), attempt=attempt(refusal="1 duplicate"))
    assert isinstance(step(decision, said_used).outcome, NotCharged)


def test_charging_again_moves_money_and_voiding_moves_none():
    again = step(Decision.CHARGE_AGAIN, unresolved())
    assert again.moves_money
    assert f"9,900 KRW is charged as {MERCHANT_UID}" in again.sentence
    assert not step(Decision.VOID, unresolved()).moves_money


@pytest.mark.parametrize("decision", Decision)
def test_unresolved_attempt_is_not_decided_while_portone_is_down(decision):
    assert "PortOne does not answer" in refusal(decision, unresolved(finding=NO_ANSWER))


def test_attempt_settled_meanwhile_allows_only_accept():
    settled = unresolved(record(), attempt=None)
    assert "`accept` closes" in refusal(Decision.LOOK_UP, settled)
    assert step(Decision.ACCEPT, settled).outcome is None


# --- a note that settles it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("finding", [Found((record(imp_uid=SECOND),)), Found(()), NO_ANSWER])
def test_accepting_a_discrepancy_moves_no_money(kind, finding):
    accepted = step(Decision.ACCEPT, case(kind=kind, finding=finding))
    assert (accepted.outcome, accepted.refund, accepted.moves_money) == (None, None, False)


def test_accepted_payment_of_another_amount_pays_the_charge():
    odd = record(amount=100)
    unpaid = case(odd, kind=DiscrepancyKind.OTHER_AMOUNT, charge=charge(ChargeStatus.PAST_DUE), imp_uid=odd.imp_uid)
    accepted = step(Decision.ACCEPT, unpaid)
    assert accepted.sentence == f"Charge 17 becomes paid by {odd.imp_uid}: 100 KRW, not 9,900 KRW."
    assert not accepted.moves_money
    assert "stay as they are" in step(Decision.ACCEPT, case(record())).sentence


# --- what is agreed to ----------------------------------------------------------------------------------------------


def test_step_planned_twice_on_the_same_evidence_has_one_fingerprint():
    for decision in (Decision.ACCEPT, Decision.REFUND):
        before, after = (step(decision, case(*TWO, asked_at=QUIET + timedelta(seconds=i))) for i in (0, 90))
        assert before.fingerprint() == after.fingerprint()


def test_refund_of_one_won_less_has_another_fingerprint():
    whole, less = (step(Decision.REFUND, case(record(imp_uid=SECOND, cancel_amount=i), record())) for i in (0, 1))
    assert whole.fingerprint() != less.fingerprint()


def test_accepted_payment_of_one_won_less_has_another_fingerprint():
    before, after = (step(Decision.ACCEPT, unresolved(record(amount=amount))) for amount in (9900, 9899))
    assert before.fingerprint() != after.fingerprint()


# --- a refund that may be in progress -------------------------------------------------------------------------------

STARTED = StartedRefund(SECOND, "cli kim@host", QUIET - timedelta(minutes=5))


def test_refund_in_progress_can_be_repeated_and_blocks_other_decisions():
    in_progress = case(*TWO, started_refund=STARTED)
    assert step(Decision.REFUND, in_progress).refund is not None
    assert "Repeat that refund, or wait until 01:55 UTC" in refusal(Decision.REFUND, in_progress, imp_uid=FIRST)
    assert "cli kim@host started" in refusal(Decision.ACCEPT, in_progress)


@pytest.mark.parametrize(
    "over",
    [
        case(record("cancelled", imp_uid=SECOND), record(), started_refund=STARTED),  # PortOne shows it
        case(
            *TWO, started_refund=replace(STARTED, at=QUIET - QUIET_PERIOD)
        ),  # and after the quiet period nothing is in progress
    ],
)
def test_refund_that_is_over_blocks_no_decision(over):
    assert step(Decision.ACCEPT, over).outcome is None
