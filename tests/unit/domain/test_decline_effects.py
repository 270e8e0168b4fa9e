"""What follows from each meaning of a refusal."""

from __future__ import annotations

import pytest

from tests.support.attempts import RULES
from tests.support.declines import own
from worker.domain.decline_effects import effect_of
from worker.domain.declines import classify


@pytest.mark.parametrize(
    ("pg", "text", "says", "is_looked_up_without_record"),
    [
        ("kakaopay", "[8326]", "by its plan's dunning calendar", False),
        ("kakaopay", "[-752]", "waits for the first of the next month", False),
        ("kakaopay", "[8314]", "The billing key is dead", False),
        ("kakaopay", "[-798]", "2 customers refused so", False),
        ("kakaopay", "[-7]", "no day of its calendar is used up", True),
        ("kakaopay", "어쩌고", "2 times at most", True),
        ("kakaopay", "이미 승인", "It is no decline: PortOne is asked", False),
        ("kakaopay", "[0010]", "It is no decline yet: PortOne is asked", False),
    ],
)
def test_effect_says_what_happens_to_the_charge_and_the_key(pg, text, says, is_looked_up_without_record):
    said = effect_of(classify(RULES, pg, None, text))
    assert says in said
    assert ("shows no record of the refusal" in said) is is_looked_up_without_record


def test_decline_that_only_a_merchant_knows_is_looked_up_without_a_record():
    assert "shows no record" in effect_of(classify(own("hard", "어쩌고"), "kakaopay", None, "어쩌고"))
