"""What a person may decide about a discrepancy, given what PortOne shows now: what each decision comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.attempts import MERCHANT_UID, QUIET_PERIOD, STARTED_AT, attempt, record
from worker.domain.discrepancy_rules import DiscrepancyKind, DiscrepancyStatus
from worker.domain.errors import Refused
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.outcomes import Answer, Declined, NotCharged, Paid
from worker.domain.states import ChargeStatus
from worker.review.case import BegunRefund, Case, ChargeFacts, Decision, Wish
from worker.review.decisions import choices, offered, plan
from worker.review.step import Step

QUIET = STARTED_AT + QUIET_PERIOD
OTHER_KINDS = [kind for kind in DiscrepancyKind if kind is not DiscrepancyKind.UNRESOLVED]
FIRST, SECOND = "imps_000000000001", "imps_000000000002"
NO_ANSWER = LookUpFailed(Answer(message="no answer within the deadline"))


def charge(status: ChargeStatus = ChargeStatus.PAID, *, counted: str | None = FIRST, **changes: Any) -> ChargeFacts:
    facts = ChargeFacts(
        id=17, status=status, amount=9900, tax_free=0, currency="KRW", counted=frozenset({counted} if counted else ())
    )
    return replace(facts, **changes)


def case(*records: Any, kind: DiscrepancyKind = DiscrepancyKind.PAID_TWICE, **changes: Any) -> Case:
    usual = Case(
        id=3,
        kind=kind,
        status=DiscrepancyStatus.OPEN,
        status_reason="found",
        status_at=STARTED_AT,
        decided_by=None,
        imp_uid=SECOND,
        charge=charge(),
        attempt=None,
        begun=None,
        finding=Found(records),
        others=(),
        asked_at=QUIET,
        quiet_period=QUIET_PERIOD,
    )
    return replace(usual, **changes)


def unresolved(*records: Any, **changes: Any) -> Case:
    usual = {"imp_uid": "", "attempt": attempt(), "charge": charge(ChargeStatus.CHARGING, counted=None)}
    return case(*records, kind=DiscrepancyKind.UNRESOLVED, **(usual | changes))


def step(decision: Decision, subject: Case, **wish: Any) -> Step:
    return plan(subject, Wish(decision=decision, note="because", **wish))


def refusal(decision: Decision, subject: Case, **wish: Any) -> str:
    with pytest.raises(Refused) as refused:
        step(decision, subject, **wish)
    return str(refused.value)


# --- which decisions there are --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DiscrepancyKind)
def test_an_unresolved_attempt_knows_every_decision_and_the_others_two(kind):
    expected = set(Decision) if kind is DiscrepancyKind.UNRESOLVED else {Decision.ACCEPT, Decision.REFUND}
    assert set(offered(kind)) == expected


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("decision", [Decision.LOOK_UP, Decision.CHARGE_AGAIN, Decision.VOID])
def test_what_settles_an_attempt_is_refused_where_there_is_none_to_settle(kind, decision):
    assert "accept or refund" in refusal(decision, case(record(), kind=kind))


@pytest.mark.parametrize("status", [each for each in DiscrepancyStatus if each is not DiscrepancyStatus.OPEN])
@pytest.mark.parametrize("decision", Decision)
def test_what_is_settled_is_not_decided_again(status, decision):
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
def test_an_option_of_another_decision_is_refused(decision, options, named):
    assert f"leave out {named}" in refusal(decision, unresolved(), **options)


# --- an attempt that the look-ups could not settle ------------------------------------------------------------------

LOOK_UPS = [
    # what PortOne shows, what becomes of the attempt, whether money moves
    ([record()], Paid, False),
    ([record(), record("cancelled", imp_uid=SECOND)], Paid, False),  # one of two was given back
    ([record("failed")], Declined, False),
    ([], NotCharged, True),  # the charge is due again
]


@pytest.mark.parametrize(("records", "outcome", "moves_money"), LOOK_UPS)
def test_a_look_up_settles_as_reconciliation_would(records, outcome, moves_money):
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
def test_a_look_up_settles_nothing_that_is_unclear(records):
    assert "settles nothing by itself" in refusal(Decision.LOOK_UP, unresolved(*records))


ACCEPTED = [
    # what PortOne shows, what is named, what the sentence says besides
    ([record("cancelled")], None, "9,900 KRW of it was given back"),
    ([record(amount=9000)], None, "It was 9,000 KRW, not 9,900 KRW."),
    ([record(cancel_amount=900)], None, "900 KRW of it was given back"),
    ([record(), record(imp_uid=SECOND)], SECOND, f"becomes paid by {SECOND}"),
    ([record("failed", imp_uid=SECOND), record()], None, f"becomes paid by {FIRST}"),
]


@pytest.mark.parametrize(("records", "imp_uid", "said"), ACCEPTED)
def test_accepting_makes_the_attempt_paid_by_the_payment_that_is_shown(records, imp_uid, said):
    accepted = step(Decision.ACCEPT, unresolved(*records), imp_uid=imp_uid)
    assert isinstance(accepted.outcome, Paid)
    assert said in accepted.sentence
    assert not accepted.moves_money


def test_a_payment_without_a_time_counts_from_when_it_was_asked_for():
    accepted = step(Decision.ACCEPT, unresolved(record(paid_at=0)))
    assert isinstance(accepted.outcome, Paid)
    assert accepted.outcome.paid_at == STARTED_AT


NOT_ACCEPTED = [
    ([], None, "no payment that could be accepted"),
    ([record("failed"), record("ready")], None, "no payment that could be accepted"),
    ([record(), record(imp_uid=SECOND)], None, f"--imp-uid: {FIRST} (paid), {SECOND} (paid)"),
    ([record()], "imps_of_somebody", f"--imp-uid: {FIRST} (paid)"),
]


@pytest.mark.parametrize(("records", "imp_uid", "said"), NOT_ACCEPTED)
def test_only_a_payment_that_portone_shows_is_accepted_and_only_one(records, imp_uid, said):
    assert said in refusal(Decision.ACCEPT, unresolved(*records), imp_uid=imp_uid)


PROOFS = [Decision.CHARGE_AGAIN, Decision.VOID]
AGAINST_A_PROOF = [[record()], [record("cancelled")], [record("ready")], [record("a_new_status"), record("failed")]]


@pytest.mark.parametrize("decision", PROOFS)
@pytest.mark.parametrize("records", AGAINST_A_PROOF)
def test_nobody_proves_against_what_portone_shows_that_nothing_was_charged(decision, records):
    assert "PortOne shows otherwise" in refusal(decision, unresolved(*records))


@pytest.mark.parametrize("decision", PROOFS)
def test_nobody_proves_within_the_quiet_period_that_nothing_was_charged(decision):
    almost = unresolved(asked_at=QUIET - timedelta(microseconds=1))
    assert "before 2026-01-02 01:30 UTC" in refusal(decision, almost)
    assert isinstance(step(decision, unresolved()).outcome, NotCharged)


@pytest.mark.parametrize("decision", PROOFS)
def test_a_refusal_is_no_obstacle_for_who_has_proof(decision):
    said_used = unresolved(record("failed"), attempt=attempt(refusal="1 duplicate"))
    assert isinstance(step(decision, said_used).outcome, NotCharged)


def test_charging_again_moves_money_and_voiding_none():
    again = step(Decision.CHARGE_AGAIN, unresolved())
    assert again.moves_money
    assert f"9,900 KRW is charged as {MERCHANT_UID}" in again.sentence
    assert not step(Decision.VOID, unresolved()).moves_money


@pytest.mark.parametrize("decision", Decision)
def test_nothing_is_decided_about_an_attempt_while_portone_does_not_answer(decision):
    assert "PortOne does not answer" in refusal(decision, unresolved(finding=NO_ANSWER))


def test_an_attempt_that_was_settled_meanwhile_leaves_only_the_note():
    settled = unresolved(record(), attempt=None)
    assert "`accept` closes" in refusal(Decision.LOOK_UP, settled)
    assert step(Decision.ACCEPT, settled).outcome is None


# --- a note that settles it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("finding", [Found((record(imp_uid=SECOND),)), Found(()), NO_ANSWER])
def test_accepting_moves_nothing_whatever_portone_shows(kind, finding):
    accepted = step(Decision.ACCEPT, case(kind=kind, finding=finding))
    assert (accepted.outcome, accepted.refund, accepted.moves_money) == (None, None, False)


def test_accepting_another_amount_says_which_and_that_it_pays():
    odd = record(amount=100)
    unpaid = case(odd, kind=DiscrepancyKind.OTHER_AMOUNT, charge=charge(ChargeStatus.PAST_DUE), imp_uid=odd.imp_uid)
    accepted = step(Decision.ACCEPT, unpaid)
    assert accepted.sentence == f"Charge 17 becomes paid by {odd.imp_uid}: 100 KRW, not 9,900 KRW."
    assert not accepted.moves_money
    assert "stay as they are" in step(Decision.ACCEPT, case(record())).sentence


# --- giving back ----------------------------------------------------------------------------------------------------

TWO = (record(imp_uid=SECOND), record())


def test_the_duplicate_is_given_back_unless_another_is_named():
    refunded = step(Decision.REFUND, case(*TWO))
    assert refunded.refund is not None
    assert (refunded.refund.imp_uid, refunded.refund.checksum, refunded.refund.tax_free) == (SECOND, 9900, 0)
    assert (refunded.refund.reason, refunded.moves_money) == ("because", True)
    assert "the books count" not in refunded.sentence


def test_the_payment_that_the_books_count_is_given_back_only_to_who_names_it():
    mistaken = case(*TWO, imp_uid=FIRST)
    assert "name it with --imp-uid" in refusal(Decision.REFUND, mistaken)
    named = step(Decision.REFUND, mistaken, imp_uid=FIRST)
    assert named.refund is not None
    assert "the payment that the books count for the period" in named.sentence


def test_a_payment_of_the_charges_other_attempt_can_be_named():
    both = case(record(imp_uid=SECOND), others=(record(merchant_uid="again7ZK3M9QX2VB4C20260102010000002"),))
    named = step(Decision.REFUND, both, imp_uid=FIRST)
    assert named.payment is not None
    assert named.payment.merchant_uid.endswith("002")


@pytest.mark.parametrize("records", [[record()], list(TWO)])
def test_of_an_unresolved_attempt_the_payment_is_named(records):
    assert f"--imp-uid: {records[0].imp_uid}" in refusal(Decision.REFUND, unresolved(*records))
    assert step(Decision.REFUND, unresolved(*records), imp_uid=FIRST).refund is not None


NOT_REFUNDABLE = [
    ([], None, "no payment that could be given back"),
    ([record("failed", imp_uid=SECOND)], None, "no payment that could be given back"),
    ([record("ready", imp_uid=SECOND)], None, "no payment that could be given back"),
    ([record()], None, f"no such payment ({SECOND}) here, but {FIRST}"),
    ([record(imp_uid=SECOND)], "imps_of_somebody", "no such payment (imps_of_somebody)"),
]


@pytest.mark.parametrize(("records", "imp_uid", "said"), NOT_REFUNDABLE)
def test_only_a_payment_that_portone_shows_here_is_given_back(records, imp_uid, said):
    assert said in refusal(Decision.REFUND, case(*records), imp_uid=imp_uid)


def test_what_is_given_back_already_moves_nothing_and_settles_the_discrepancy():
    back = step(Decision.REFUND, case(record("cancelled", imp_uid=SECOND), record()))
    assert (back.refund, back.moves_money) == (None, False)
    assert "as given back (9,900 KRW)" in back.sentence


NOTHING_LEFT = [
    # what PortOne shows beside the duplicate: the period would be left without any payment
    [record("cancelled")],
    [record(cancel_amount=9900)],
    [record("failed")],
    [record("ready")],
    [],  # also when the look-up of the other attempt has failed
]


@pytest.mark.parametrize("others", NOTHING_LEFT)
def test_the_last_payment_of_a_period_is_given_back_only_to_who_names_it(others):
    last = case(record(imp_uid=SECOND), *others)
    assert f"With {SECOND} given back, nothing would be left for the period" in refusal(Decision.REFUND, last)
    (shown,) = (choice for choice in choices(last) if choice.decision is Decision.REFUND)
    assert not shown.possible
    assert "nothing would be left for the period" in shown.sentence
    named = step(Decision.REFUND, last, imp_uid=SECOND)
    assert named.refund is not None
    assert named.sentence.endswith("Nothing is left for the period then.")


@pytest.mark.parametrize("kept", [record(), record(cancel_amount=900)])
def test_a_duplicate_beside_a_payment_that_was_kept_needs_no_name(kept):
    refunded = step(Decision.REFUND, case(record(imp_uid=SECOND), kept))
    assert refunded.refund is not None
    assert "Nothing is left" not in refunded.sentence


@pytest.mark.parametrize(
    "kind", [DiscrepancyKind.NOT_OWED, DiscrepancyKind.OTHER_AMOUNT, DiscrepancyKind.NOT_IN_RECORDS]
)
def test_a_payment_that_should_not_be_is_given_back_though_it_is_the_only_one(kind):
    refunded = step(Decision.REFUND, case(record(imp_uid=SECOND), kind=kind, charge=charge(ChargeStatus.VOID)))
    assert refunded.refund is not None
    assert "Nothing is left" not in refunded.sentence


def test_of_what_was_partly_given_back_the_rest_is():
    partly = step(Decision.REFUND, case(record(imp_uid=SECOND, cancel_amount=900), record()))
    assert partly.refund is not None
    assert partly.refund.checksum == 9000
    assert "9,000 KRW (the rest of 9,900 KRW)" in partly.sentence


TAX = [
    # payment, charge, --tax-free, what goes to PortOne or is said
    (record(imp_uid=SECOND), charge(tax_free=900), None, 900),
    (record(imp_uid=SECOND), charge(tax_free=900), 0, 0),
    (record(imp_uid=SECOND, amount=5000), charge(), None, 0),
    (record(imp_uid=SECOND, amount=5000), charge(tax_free=900), None, "--tax-free how much of 5,000 KRW"),
    (record(imp_uid=SECOND, cancel_amount=1), charge(tax_free=900), None, "--tax-free how much of 9,899 KRW"),
    (record(imp_uid=SECOND), None, None, "--tax-free how much of 9,900 KRW"),
    (record(imp_uid=SECOND), None, 9900, 9900),
    (record(imp_uid=SECOND), charge(tax_free=900), 901, "it can be 0 to 900 of the 9,900 given back"),
    (record(imp_uid=SECOND), charge(), 1, "it can be 0 to 0 of the 9,900 given back"),
    (record(imp_uid=SECOND, amount=5000), charge(), 5001, "it can be 0 to 5,000 of the 5,000 given back"),
    (record(imp_uid=SECOND), charge(), -1, "it can be 0 to 0"),
]


def taxed(pg: str = "nice", **changes: Any) -> Any:
    values: dict[str, Any] = {"imp_uid": SECOND, "amount": 11_000} | changes
    paid = record(**values)
    return replace(paid, raw={**paid.raw, "pg_provider": pg})


STATED = charge(amount=11_000, tax_free=5500, vat_amount=500)
VAT = [
    (taxed(), STATED, {}, (5500, 500)),
    (taxed("html5_inicis"), STATED, {}, (5500, 500)),
    (taxed("tosspay_v2"), STATED, {}, (5500, 500)),
    (taxed("kakaopay"), STATED, {}, (5500, None)),  # takes none with the payment either
    (taxed("acme"), STATED, {}, (5500, None)),
    (taxed(), replace(STATED, vat_amount=None), {}, (5500, None)),  # it was not stated
    (taxed(), replace(STATED, vat_amount=0), {}, (5500, 0)),  # none at all is stated too
    (taxed(), STATED, {"tax_free": 5500, "vat_amount": 400}, (5500, 400)),
    (taxed(cancel_amount=6000), STATED, {"tax_free": 2500}, "--vat-amount how much of the 2,500 KRW"),
    (taxed(cancel_amount=6000), STATED, {"tax_free": 2500, "vat_amount": 227}, (2500, 227)),
    (taxed(cancel_amount=5500), STATED, {"tax_free": 0}, (0, 500)),  # what was given back was all of the rest
    (taxed(), STATED, {"vat_amount": 501}, "it can be 0 to 500"),
    (taxed(), STATED, {"vat_amount": -1}, "it can be 0 to 500"),
    (taxed(), STATED, {"tax_free": 5501}, "it can be 0 to 5,500"),
    (taxed("kakaopay"), STATED, {"vat_amount": 500}, "leave out --vat-amount"),
    (taxed(), None, {"tax_free": 0, "vat_amount": 900}, (0, 900)),
    (taxed(), None, {"tax_free": 0}, (0, None)),
]


@pytest.mark.parametrize(("payment", "facts", "wish", "expected"), VAT)
def test_how_much_of_a_refund_is_vat_is_known_or_asked(payment, facts, wish, expected):
    subject = case(payment, taxed(imp_uid=FIRST), charge=facts)
    if isinstance(expected, str):
        assert expected in refusal(Decision.REFUND, subject, **wish)
        return
    planned = step(Decision.REFUND, subject, **wish)
    assert planned.refund is not None
    assert (planned.refund.tax_free, planned.refund.vat_amount) == expected
    assert ("of it VAT" in planned.sentence) is (expected[1] is not None)


@pytest.mark.parametrize(("payment", "facts", "tax_free", "expected"), TAX)
def test_how_much_of_a_refund_is_free_of_tax_is_known_or_asked(payment, facts, tax_free, expected):
    subject = case(payment, record(), charge=facts)
    if isinstance(expected, str):
        assert expected in refusal(Decision.REFUND, subject, tax_free=tax_free)
    else:
        refund = step(Decision.REFUND, subject, tax_free=tax_free).refund
        assert refund is not None
        assert refund.tax_free == expected


@pytest.mark.parametrize(("pg", "said"), [("payco", True), ("kakaopay", False)])
def test_who_gives_a_payco_payment_back_is_told_that_it_is_for_good(pg, said):
    sentence = step(Decision.REFUND, case(record(imp_uid=SECOND, pg_provider=pg), record())).sentence
    assert ("cannot be undone" in sentence) is said


@pytest.mark.parametrize(
    ("pg", "pay_method", "days", "said"),
    [
        ("kakaopay", "card", 366, "Kakao Pay gives cards back for 1 year only"),
        ("kakaopay", "card", 364, None),
        ("kakaopay", "point", 366, None),  # Kakao money
        ("kakaopay", "point", 5 * 365 + 1, "Kakao Pay gives money back for 5 years only"),
        ("payco", "point", 366, "PAYCO gives cards back for 1 year only"),  # nothing longer is known of its money
        ("acme", "card", 9999, None),
    ],
)
def test_who_gives_back_what_is_older_than_the_pg_allows_is_told_so(pg, pay_method, days, said):
    subject = case(record(imp_uid=SECOND, pg_provider=pg, pay_method=pay_method), record())
    paid_at = subject.records[0].paid_at
    assert paid_at is not None
    sentence = step(Decision.REFUND, replace(subject, asked_at=paid_at + timedelta(days=days))).sentence
    assert ("expect it to be refused" in sentence) is (said is not None)
    assert said is None or said in sentence


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


# --- a refund that may be under way ---------------------------------------------------------------------------------

BEGUN = BegunRefund(SECOND, "cli kim@host", QUIET - timedelta(minutes=5))


def test_while_a_refund_may_be_under_way_it_can_be_repeated_and_nothing_else_decided():
    under_way = case(*TWO, begun=BEGUN)
    assert step(Decision.REFUND, under_way).refund is not None
    assert "Repeat that refund, or wait until 01:55 UTC" in refusal(Decision.REFUND, under_way, imp_uid=FIRST)
    assert "cli kim@host began" in refusal(Decision.ACCEPT, under_way)


@pytest.mark.parametrize(
    "over",
    [
        case(record("cancelled", imp_uid=SECOND), record(), begun=BEGUN),  # PortOne shows it
        case(*TWO, begun=replace(BEGUN, at=QUIET - QUIET_PERIOD)),  # and after the quiet period nothing is under way
    ],
)
def test_a_refund_that_is_over_stands_in_nobodys_way(over):
    assert step(Decision.ACCEPT, over).outcome is None


# --- always ---------------------------------------------------------------------------------------------------------

RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from(["paid", "cancelled", "failed", "ready", "odd"]),
        imp_uid=st.sampled_from([FIRST, SECOND, "imps_3"]),
        amount=st.sampled_from([9900, 9000]),
        cancel_amount=st.sampled_from([0, 900, 9000]),
    ),
    max_size=4,
)


@given(
    records=RECORDS,
    kind=st.sampled_from(DiscrepancyKind),
    minutes=st.integers(0, 60),
    imp_uid=st.sampled_from([None, FIRST, SECOND]),
)
def test_whatever_portone_shows_no_more_is_given_back_than_is_left(records, kind, minutes, imp_uid):
    subject = case(*records, kind=kind, asked_at=STARTED_AT + timedelta(minutes=minutes))
    if kind is DiscrepancyKind.UNRESOLVED:
        subject = unresolved(*records, asked_at=subject.asked_at)
    for choice in choices(subject):
        assert choice.sentence
    try:
        refunded = step(Decision.REFUND, subject, imp_uid=imp_uid)
    except Refused:
        return
    assert refunded.payment is not None
    if refunded.refund is not None:
        assert refunded.moves_money
        assert 0 < refunded.refund.checksum <= refunded.payment.amount - refunded.payment.cancel_amount
        assert refunded.refund.imp_uid != FIRST or imp_uid == FIRST  # the counted one only by its name
        if kind is DiscrepancyKind.PAID_TWICE and imp_uid is None:
            left = {each.imp_uid for each in records if each.status == "paid" and each.cancel_amount < each.amount}
            left |= {each.imp_uid for each in records if each.status == "cancelled" and each.cancel_amount}
            assert left - {refunded.refund.imp_uid}, "nothing is left for the period"
