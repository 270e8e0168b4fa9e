"""What one customer's decline proves about the channel."""

from __future__ import annotations

import pytest

from tests.support.attempts import POLICY, STARTED_AT, attempt
from worker.domain.channel_evidence import refusal_of
from worker.domain.outcomes import About, Answer, Declined, DeclineKind, Outcome, Unknown, UnknownReason
from worker.domain.settlement import settle

ANSWER = Answer(http_status=200, code="-1", message="단지 결제기 꺼짐")


def unknown(supposed: DeclineKind | None) -> Unknown:
    return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, ANSWER, supposed=supposed)


@pytest.mark.parametrize(
    ("outcome", "counts_as"),
    [
        (Declined(DeclineKind.SOFT, ANSWER), DeclineKind.SOFT),
        (Declined(DeclineKind.SOFT, ANSWER, About.BALANCE), DeclineKind.SOFT),
        (Declined(DeclineKind.SOFT, ANSWER, About.MONTH_QUOTA), None),  # of this key alone
        (Declined(DeclineKind.TRANSIENT, ANSWER), None),  # maintenance is waited out
        (unknown(None), DeclineKind.UNMATCHED),
        (unknown(DeclineKind.SOFT), DeclineKind.SOFT),  # what a merchant's own rule takes it for
        (unknown(DeclineKind.TRANSIENT), None),
        (Unknown(UnknownReason.DUPLICATE, ANSWER), None),
    ],
)
def test_refusal_counts_against_its_channel_as_what_it_is_taken_for(outcome: Outcome, counts_as: DeclineKind | None):
    found = refusal_of(settle(attempt(), outcome, now=STARTED_AT, policy=POLICY))
    assert (None if found is None else found.kind) is counts_as
