"""What a decline was for: a low balance, a limit, or what no calendar has days of its own for."""

from __future__ import annotations

import pytest

from schedules.dunning import DunningKind
from worker.config.decline_packs import shipped_rules
from worker.domain.declines import classify
from worker.domain.dunning_kinds import dunning_kind
from worker.domain.outcomes import About, DeclineKind

BALANCE, LIMIT, UNMATCHED = DunningKind.BALANCE, DunningKind.LIMIT, DunningKind.UNMATCHED


@pytest.mark.parametrize(
    ("pg", "text", "kind"),
    [
        ("kakaopay", "[LACK_BALANCE] 잔액이 부족합니다", BALANCE),
        ("payco", "결제승인 실패 [04CC10]", BALANCE),
        ("nice", "통장 잔고 부족", BALANCE),
        ("kakaopay", "[8326]한도초과", LIMIT),
        ("kcp", "[2116]개인 월 한도금액 초과", LIMIT),
        ("nice", "1일 결제횟수 초과", LIMIT),
        # a month that is used up is waited out, by no calendar
        ("kakaopay", "[-752] 월 결제 횟수 초과", None),
        ("nice", "카드사 전화요망", None),
        ("nice", "유효기간 경과", None),
        ("nice", "처리하지 못했습니다", UNMATCHED),
        ("nice", None, UNMATCHED),
    ],
)
def test_decline_goes_by_the_days_of_what_it_was_for(pg, text, kind):
    decision = classify(shipped_rules(), pg, None, text)
    assert isinstance(decision.verdict, DeclineKind)
    assert dunning_kind(decision.verdict, decision.about) is kind


@pytest.mark.parametrize("decline", [DeclineKind.HARD, DeclineKind.CONFIG, DeclineKind.TRANSIENT, None])
def test_decline_that_is_not_soft_has_no_days_of_its_own(decline):
    assert dunning_kind(decline, About.BALANCE) is None
