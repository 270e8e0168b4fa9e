"""Which days of a dunning calendar a decline goes by: a low balance, a limit, unknown words, or those of every decline.

By the PG's own code where it says so, else by its words; of what names both, neither is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from schedules.dunning import DunningKind
from worker.domain.declines.texts import codes_in, squeezed
from worker.domain.outcomes import DeclineKind

_CODES: Mapping[DunningKind, str] = {
    # Kakao Pay's money and its banks; PAYCO and KCP
    DunningKind.BALANCE: "LACK_BALANCE NOT_ENOUGH_BALANCE 5039 8323 8546 CC10",
    # Kakao Pay; PAYCO and KCP, amounts and then counts
    DunningKind.LIMIT: "LIMIT_ONE_TIME LIMIT_USE_PER_DAY LIMIT_BALANCE 0002 0016 8325 8326 8327 8521"
    " CC07 CC08 CC61 8122 8123 8124 2116 CC65 CC85",
}

KIND_OF_CODE: Mapping[str, DunningKind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
"""What PGs' codes of soft declines say of the account or the card (documented)."""

_WORDS: Mapping[DunningKind, re.Pattern[str]] = {
    DunningKind.BALANCE: re.compile(
        r"잔액|잔고|예금부족|insufficient|(?<![a-z_])balance(?![a-z_])|not enough (?:money|funds)", re.IGNORECASE
    ),
    DunningKind.LIMIT: re.compile(r"한도|(?:횟수|금액|건수|회수|\d회)(?:를|을|가|이)?초과|limit", re.IGNORECASE),
}


def dunning_kind(pg: str, kind: DeclineKind | None, text: str | None) -> DunningKind | None:
    """Return what a decline was for, by what the PG said; None for what has no days of its own.

    >>> dunning_kind("kakaopay", DeclineKind.SOFT, "[LACK_BALANCE] 잔액이 부족합니다")
    <DunningKind.BALANCE: 'balance'>
    >>> dunning_kind("payco", DeclineKind.SOFT, "1회 한도를 초과하였습니다")
    <DunningKind.LIMIT: 'limit'>
    >>> dunning_kind("kakaopay", DeclineKind.UNMATCHED, "자동결제를 처리하지 못했습니다")
    <DunningKind.UNMATCHED: 'unmatched'>
    >>> dunning_kind("payco", DeclineKind.SOFT, "카드사 전화요망")
    """
    if kind is DeclineKind.UNMATCHED:
        return DunningKind.UNMATCHED
    if kind is not DeclineKind.SOFT:
        return None
    known = (KIND_OF_CODE[code] for code in codes_in(pg, None, text or "") if code in KIND_OF_CODE)
    return next(known, None) or _said(squeezed(text or ""))


def _said(words: str) -> DunningKind | None:
    said = [kind for kind, pattern in _WORDS.items() if pattern.search(words)]
    return said[0] if len(said) == 1 else None
