"""What a refusal means, read from tables: first the PG's own codes, then words, each in a fixed order.

V1 hands the PG's text through as one string, usually with the PG's code in brackets before the reason (seen in client
code). The codes and their meanings are documented by the PGs. Texts change, so a text that no row matches is
UNMATCHED, which is treated cautiously and reported, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal

from worker.outcomes import DeclineKind

SOFT, HARD, CONFIG = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.CONFIG
TRANSIENT, UNMATCHED = DeclineKind.TRANSIENT, DeclineKind.UNMATCHED


class _Unsure(Enum):
    NEEDS_LOOK_UP = "needs_look_up"


NeedsLookUp: Final = _Unsure.NEEDS_LOOK_UP
"""The text leaves it open whether money moved ("duplicate", a time-out behind the PG): ask, decide nothing."""

Verdict = DeclineKind | Literal[_Unsure.NEEDS_LOOK_UP]


def _table(rows: Mapping[Verdict, str]) -> Mapping[str, Verdict]:
    return {code: verdict for verdict, codes in rows.items() for code in codes.split()}


KAKAOPAY = _table(
    {
        # limits, balances, "call the issuer", temporary suspension
        SOFT: "LACK_BALANCE NOT_ENOUGH_BALANCE LIMIT_ONE_TIME LIMIT_USE_PER_DAY LIMIT_BALANCE"
        " 0002 0016 5012 5039 8323 8325 8326 8327 8373 8376 8521 8546",
        # closed, blocked, expired, lost, stolen, overdue; SID missing or inactive
        HARD: "-750 -751 BANK_ACCOUNT_NOT_FOUND BANK_ACCOUNT_BLOCKED USER_NOT_FOUND PAY_USER_NOT_FOUND"
        " DEACTIVATED_USER_STATUS INVALID_PAYMENT_KEY"
        " 0004 0026 0032 5009 5015 5019 8181 8192 8198 8314 8324 8350 8514 8515",
        # parameters, CID, source address, the monthly count of the contract (-752), partner_user_id (-753)
        CONFIG: "-2 -721 -722 -724 -725 -726 -730 -731 -732 -733 -752 -753 -798 NETWORK_ACL_ERROR CHANNEL_NOT_FOUND"
        " 0029 7573 8320",
        # maintenance, too many requests, another transaction of the same account is running
        TRANSIENT: "-7 -9798 -10 USER_LOCKED BANK_FIRM_API_FAIL INTERNAL_ERROR PAY_ACCOUNT_RESPONSE_ERROR"
        " UNDER_CONSTRUCTION BANK_FIRM_UNAVAILABLE 0057 0121 0299 8374 8791 8971"
        " 8245 8246 8247 8248 8249 8250 8251 8252 8253 8254 8255 8256 8257 8258",
        # internal (-1), already approved, wrong state, sent twice, open bank transaction, VAN time-outs, duplicates
        NeedsLookUp: "-1 -702 -783 -784 -785 BANK_FIRM_UNKNOWN 0010 0290 0504 5530",
    }
)

KCP = _table(
    {
        SOFT: "CC01 CC07 CC08 CC10 CC61 CC65 CC85 8122 8123 8124 2116",
        HARD: "CC04 CC14 CC43 CC44 CC45 CC54 CC55 CCAF",
        CONFIG: "CC33 CC36 CC62",
        TRANSIENT: "CC75 CCC0 CCAG",
        NeedsLookUp: "CC72 CC98 CC99 3008 7512 8041 8042 8043 8044 7101 8094",
    }
)

PAYCO = {
    **KCP,  # PAYCO speaks KCP's codes, relayed with the prefix 04 or without it
    **_table(
        {
            HARD: "8484 CC39 QP64 QP16",
            CONFIG: "CC67 CC47 8487 500440",
        }
    ),
}

TOSS = _table(
    {
        SOFT: "3000",
        HARD: "INVALID_STOPPED_CARD",
        CONFIG: "C031 C058 NOT_MATCHES_CUSTOMER_KEY",
        TRANSIENT: "C030",
        NeedsLookUp: "3001 C045 A016 DUPLICATED_ORDER_ID",
    }
)

INICIS = _table(
    {
        SOFT: "1254 120054 120049",
        HARD: "1204 120004 1226 120026 1232 12B2 1200FW",
        CONFIG: "550431 550432 550433 550434 500440 500975",
        NeedsLookUp: "500051 500052 500053 500054 500055",
    }
)

CODES: Mapping[str, Mapping[str, Verdict]] = {
    "kakaopay": KAKAOPAY,
    "payco": PAYCO,
    "kcp": KCP,
    "kcp_billing": KCP,
    "tosspayments": TOSS,
    "html5_inicis": INICIS,
    "inicis": INICIS,
}
"""By PortOne's `pg_provider`. A PG without a table is read by words alone."""

RELAY_PREFIXES: Mapping[str, str] = {"payco": "04"}

# The order carries the meaning: "duplicate" is never a decline; a limit can be the merchant's own.
WORDS: tuple[tuple[re.Pattern[str], Verdict], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), verdict)
    for pattern, verdict in (
        (r"중복|이미\s*(결제|승인|처리|완료|진행)|duplicate|already|F1002", NeedsLookUp),
        (r"time[\s-]?out|타임\s*아웃|시간\s*초과|응답\s*(없음|지연)|무응답|통신|회선", NeedsLookUp),
        (r"점검|maintenance|service unavailable", TRANSIENT),
        (r"가맹점|merchant", CONFIG),
        (r"한도\s*조회\s*불가", UNMATCHED),  # a property of the card, not a limit that was reached
        (r"잔액|한도|balance|limit exceeded", SOFT),
        (r"일시\s*정지|전화\s*요망|카드사\s*(문의|연락)", SOFT),
        (r"분실|도난|유효\s*기간|만료|해지|정지|연체|탈퇴|expired|lost|stolen", HARD),
        (r"등록되지\s*않은\s*(구매자|사용자)", HARD),
    )
)

_IN_BRACKETS = re.compile(r"[\[(]\s*(-?[A-Za-z0-9_]{2,40})\s*[\])]|\b([A-Z]{2,}(?:_[A-Z]+)+)\b|(?<![\w-])(-\d{1,4})\b")


def classify(pg: str, code: str | None, text: str | None) -> Verdict:
    """Say what a refusal by this PG means; `code` is the PG's where it comes apart from the text."""
    table = CODES.get(pg, {})
    for candidate in _codes(pg, code, text or ""):
        if (verdict := table.get(candidate)) is not None:
            return verdict
    return next((verdict for words, verdict in WORDS if words.search(text or "")), UNMATCHED)


def _codes(pg: str, code: str | None, text: str) -> list[str]:
    found = [code] if code else []
    found += [next(filter(None, groups)) for groups in _IN_BRACKETS.findall(text)]
    prefix = RELAY_PREFIXES.get(pg)
    return found + [each.removeprefix(prefix) for each in found if prefix and each.startswith(prefix)]
