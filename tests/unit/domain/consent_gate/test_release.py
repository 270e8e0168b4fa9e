"""How a held charge came to be free, and what it lacks with the days from and until which that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schedules.plans import SEOUL
from tests.unit.domain.consent_gate.test_facts import CONVERTED, DUE, NOTICE, RAISED, TO_MORE, TO_PAID, consent
from worker.domain.consent_gate.facts import ChargeFacts, EarlierCharge
from worker.domain.consent_gate.release import GateRelease, lacking, release_of
from worker.domain.consent_gate.rules import RuleCode, Wanted

LATER = DUE + timedelta(days=8)
AGREED, TOLD = (consent(DUE + timedelta(days=1)),), (DUE,)
PAID_BEFORE = EarlierCharge(9_900, was_free=False)


@pytest.mark.parametrize(
    ("facts", "lacked", "expected"),
    [
        (replace(CONVERTED, consents=AGREED, notices=TOLD), [TO_PAID], GateRelease.CONSENT),
        (replace(CONVERTED, consents=AGREED, notices=TOLD), [NOTICE], GateRelease.MESSAGE),
        (replace(CONVERTED, consents=AGREED, notices=TOLD), [TO_PAID, NOTICE], GateRelease.CONSENT),
        (replace(CONVERTED, consents=AGREED), [TO_PAID, NOTICE], GateRelease.GATE_CHANGED),
        (CONVERTED, [TO_PAID], GateRelease.GATE_CHANGED),
        (replace(RAISED, consents=AGREED), [TO_MORE], GateRelease.CONSENT),
        (replace(CONVERTED, before=PAID_BEFORE), [TO_PAID, NOTICE], GateRelease.NOTHING_WANTED),
        (replace(RAISED, before=PAID_BEFORE, consents=AGREED), [TO_MORE], GateRelease.NOTHING_WANTED),
    ],
)
def test_release_is_by_what_came_last_of_what_was_lacking(
    facts: ChargeFacts, lacked: Sequence[RuleCode], expected: GateRelease
):
    assert release_of(facts, lacked, now=LATER) is expected


def test_what_is_lacking_has_its_days_in_the_plans_time_zone():
    due = datetime(2026, 3, 31, 1, tzinfo=SEOUL)
    (agreement,) = lacking([TO_PAID], due, SEOUL)
    assert (agreement.wanted, agreement.not_before, agreement.by) == (Wanted.CONSENT, date(2026, 3, 1), None)
    (message,) = lacking([NOTICE], due, ZoneInfo("UTC"))
    assert (message.wanted, message.not_before, message.by) == (Wanted.MESSAGE, None, date(2026, 3, 23))
