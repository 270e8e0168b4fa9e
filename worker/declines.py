"""What a refusal means, read from tables: first any word for "duplicate", then the PG's own codes, then other words.

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
    DUPLICATE = "duplicate"
    NEEDS_LOOK_UP = "needs_look_up"


Duplicate: Final = _Unsure.DUPLICATE
"""The PG knows the order already, so money may have moved. Never a decline, however long nothing is found."""

NeedsLookUp: Final = _Unsure.NEEDS_LOOK_UP
"""The text leaves it open whether money moved (a time-out behind the PG, a lost line): ask, decide nothing."""

Verdict = DeclineKind | Literal[_Unsure.DUPLICATE, _Unsure.NEEDS_LOOK_UP]


def _table(rows: Mapping[Verdict, str]) -> Mapping[str, Verdict]:
    return {code: verdict for verdict, codes in rows.items() for code in codes.split()}


KAKAOPAY = _table(
    {
        # limits, balances, "call the issuer", temporary suspension, the count of a month (MONTH_SPENT)
        SOFT: "-752 LACK_BALANCE NOT_ENOUGH_BALANCE LIMIT_ONE_TIME LIMIT_USE_PER_DAY LIMIT_BALANCE"
        " 0002 0016 5012 5039 8323 8325 8326 8327 8373 8376 8521 8546",
        # closed, blocked, expired, lost, stolen, overdue; SID missing, inactive, or registered for another customer
        HARD: "-750 -751 -753 BANK_ACCOUNT_NOT_FOUND BANK_ACCOUNT_BLOCKED USER_NOT_FOUND PAY_USER_NOT_FOUND"
        " DEACTIVATED_USER_STATUS INVALID_PAYMENT_KEY"
        " 0004 0026 0032 5009 5015 5019 8181 8192 8198 8314 8324 8350 8514 8515",
        # parameters, CID, source address, the merchant's own limit
        CONFIG: "-2 -721 -722 -724 -725 -726 -730 -731 -732 -733 -798 NETWORK_ACL_ERROR CHANNEL_NOT_FOUND"
        " 0029 7573 8320",
        # maintenance, too many requests, another transaction of the same account is running
        TRANSIENT: "-7 -9798 -10 USER_LOCKED BANK_FIRM_API_FAIL INTERNAL_ERROR PAY_ACCOUNT_RESPONSE_ERROR"
        " UNDER_CONSTRUCTION BANK_FIRM_UNAVAILABLE 0057 0121 0299 8374 8791 8971"
        " 8245 8246 8247 8248 8249 8250 8251 8252 8253 8254 8255 8256 8257 8258",
        # already approved, wrong state, sent twice
        Duplicate: "-702 -783 -784 -785 0504 5530",
        # internal, an open bank transaction, VAN time-outs
        NeedsLookUp: "-1 BANK_FIRM_UNKNOWN 0010 0290",
    }
)

KCP = _table(
    {
        SOFT: "CC01 CC07 CC08 CC10 CC61 CC65 CC85 8122 8123 8124 2116",
        HARD: "CC04 CC14 CC43 CC44 CC45 CC54 CC55 CCAF",
        CONFIG: "CC33 CC36 CC62",
        TRANSIENT: "CC75 CCC0 CCAG",
        Duplicate: "7101 8094",
        NeedsLookUp: "CC72 CC98 CC99 3008 7512 8041 8042 8043 8044",
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
        Duplicate: "A016 DUPLICATED_ORDER_ID",
        NeedsLookUp: "3001 C045",
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

MONTH_SPENT: Mapping[str, frozenset[str]] = {"kakaopay": frozenset({"-752"})}
"""Codes of a key that was charged as often as its contract allows in a month (documented, without the figure)."""

RELAY_PREFIXES: Mapping[str, str] = {"payco": "04"}

SAYS_DUPLICATE = re.compile(
    r"중복|재사용|이미(?!\s*(?:해지|정지|만료|탈퇴|분실|도난))|(?<![가-힣])기\s?(?:결제|승인|처리)|동일한?\s*(?:주문|거래|결제)"
    r"|주문\s*번호|merchant_?uid|order[\s_-]?(?:id|number)|duplicat|already|F1002",
    re.IGNORECASE,
)
"""Asked before any code, so that no table can turn it into a decline. A text about the order number counts too: there
is no list of the ways to say that it was used before."""

LEAVES_IT_OPEN = re.compile(
    r"time[\s-]?out|타임\s*아웃|시간이?\s*(?:초과|만료)|응답\s*(?:없음|지연)|무응답"
    r"|통신|회선|네트워크|접속|(?<![a-z_])(?:network|connection)(?![a-z_])"
    r"|(?:진행|처리)\s*중\s*(?:인|입니다|이)|in progress|pending",
    re.IGNORECASE,
)
"""Asked before any code too: a PG's code for "try later" beside words about a lost line proves nothing."""

# The order carries the meaning: a limit can be the merchant's own.
WORDS: tuple[tuple[re.Pattern[str], Verdict], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), verdict)
    for pattern, verdict in (
        (r"점검|maintenance|service unavailable|too many requests|rate limit|TALK_USER_", TRANSIENT),
        (r"가맹점|(?<![a-z_])merchant(?![a-z_])", CONFIG),
        (r"한도\s*조회\s*불가", UNMATCHED),  # a property of the card, not a limit that was reached
        (r"잔액|한도|(?<![a-z_])balance(?![a-z_])|limit exceeded", SOFT),
        (r"일시\s*정지|전화\s*요망|카드사\s*(?:문의|연락)", SOFT),
        (r"분실|도난|유효\s*기간|해지|정지|연체|탈퇴", HARD),
        # Of a card: a session and a token can expire too, and a connection can be lost.
        (r"만료된?\s*카드|카드\S{0,2}\s*만료", HARD),
        (r"\b(?:expired|lost|stolen) card|\bcard (?:is |was |has |has been )?(?:expired|lost|stolen)", HARD),
        (r"등록되지\s*않은\s*(?:구매자|사용자)|등록된\s*고객\s*정보가\s*없", HARD),
    )
)

# In brackets; or a name in capitals; or a negative number that is no part of a telephone number. Korean letters may
# follow at once, so these are not \b and \w.
_CODES = re.compile(
    r"[\[(【［（]\s*(-?[A-Za-z0-9_]{2,40})\s*[\])】］）]"
    r"|(?<![A-Za-z0-9_])([A-Z]{2,}(?:_[A-Z]+)+)(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_-])(-[0-9]{1,4})(?![A-Za-z0-9_-])"
)


def classify(pg: str, code: str | None, text: str | None) -> Verdict:
    """Say what a refusal by this PG means; `code` is the PG's where it comes apart from the text.

    Of several codes in one text the first counts, unless another leaves it open whether money moved.
    """
    said = text or ""
    if SAYS_DUPLICATE.search(said):
        return Duplicate
    if LEAVES_IT_OPEN.search(said):
        return NeedsLookUp
    table = CODES.get(pg, {})
    verdicts = [table[candidate] for candidate in _codes(pg, code, said) if candidate in table]
    if verdicts:
        return next((verdict for verdict in verdicts if not isinstance(verdict, DeclineKind)), verdicts[0])
    return next((verdict for words, verdict in WORDS if words.search(said)), UNMATCHED)


def says_month_is_spent(pg: str, text: str | None) -> bool:
    """Say whether a refusal is about nothing but the month: the same key can be charged in the next one."""
    found = next((each for each in _codes(pg, None, text or "") if each in CODES.get(pg, {})), None)
    return found in MONTH_SPENT.get(pg, ())


def _codes(pg: str, code: str | None, text: str) -> list[str]:
    found = [code] if code else []
    found += [next(filter(None, groups)) for groups in _CODES.findall(text)]
    prefix = RELAY_PREFIXES.get(pg)
    return found + [each.removeprefix(prefix) for each in found if prefix and each.startswith(prefix)]
