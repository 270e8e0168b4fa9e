"""What a decline was for: a low balance, a limit, or what no calendar has days of its own for."""

from __future__ import annotations

import pytest

from schedules.dunning import DunningKind
from worker.domain.declines import CODES
from worker.domain.dunning_kinds import KIND_OF_CODE, dunning_kind
from worker.domain.outcomes import DeclineKind

BALANCE, LIMIT, UNMATCHED = DunningKind.BALANCE, DunningKind.LIMIT, DunningKind.UNMATCHED


@pytest.mark.parametrize(
    ("pg", "text", "kind"),
    [
        ("kakaopay", "[LACK_BALANCE] 잔액이 부족합니다", BALANCE),
        ("kakaopay", "NOT_ENOUGH_BALANCE", BALANCE),
        ("payco", "결제승인 실패 [04CC10]", BALANCE),  # relayed with its prefix
        ("nice", "통장 잔고 부족", BALANCE),
        ("nice", "Insufficient funds", BALANCE),
        ("kakaopay", "[8326]한도초과", LIMIT),
        ("kakaopay", "[LIMIT_BALANCE] 머니 보유 한도", LIMIT),  # how much a wallet may hold, and not how little it does
        ("kcp", "[2116]개인 월 한도금액 초과", LIMIT),
        ("nice", "1일 결제횟수 초과", LIMIT),
        # the code counts, whatever the words beside it are
        ("kakaopay", "[8325] 잔액 확인 요망", LIMIT),
        # both, or neither: no guess
        ("nice", "한도초과 또는 잔액부족", None),
        ("nice", "카드사 전화요망", None),
        ("nice", "", None),
        ("nice", None, None),
    ],
)
def test_soft_decline_is_told_by_its_code_and_then_by_its_words(pg, text, kind):
    assert dunning_kind(pg, DeclineKind.SOFT, text) is kind


@pytest.mark.parametrize("decline", [DeclineKind.HARD, DeclineKind.CONFIG, DeclineKind.TRANSIENT, None])
def test_decline_that_is_not_soft_has_no_days_of_its_own(decline):
    assert dunning_kind("nice", decline, "잔액부족") is None


def test_words_that_nothing_knows_have_days_of_their_own():
    assert dunning_kind("nice", DeclineKind.UNMATCHED, "처리하지 못했습니다") is UNMATCHED


def test_each_code_that_tells_is_a_soft_decline_of_some_pg():
    soft = {code for table in CODES.values() for code, verdict in table.items() if verdict is DeclineKind.SOFT}
    assert sorted(KIND_OF_CODE.keys() - soft) == []
