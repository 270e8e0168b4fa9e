"""The PGs' own result codes and what each means, as the PGs document them.

A code is believed before any words beside it; texts change more often than codes do.
"""

from __future__ import annotations

from collections.abc import Mapping

from worker.domain.declines.verdicts import DeclineVerdict, Duplicate, NeedsLookUp
from worker.domain.outcomes import DeclineKind

SOFT, HARD, CONFIG, TRANSIENT = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.CONFIG, DeclineKind.TRANSIENT


def _table(rows: Mapping[DeclineVerdict, str]) -> Mapping[str, DeclineVerdict]:
    return {code: verdict for verdict, codes in rows.items() for code in codes.split()}


KAKAOPAY = _table(
    {
        # limits, balances, "call the issuer", temporary suspension, the count of a month (MONTHLY_QUOTA_CODES)
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

CODES: Mapping[str, Mapping[str, DeclineVerdict]] = {
    "kakaopay": KAKAOPAY,
    "payco": PAYCO,
    "kcp": KCP,
    "kcp_billing": KCP,
    "tosspayments": TOSS,
    "html5_inicis": INICIS,
    "inicis": INICIS,
}
"""By PortOne's `pg_provider`. A PG without a table is read by words alone."""

MONTHLY_QUOTA_CODES: Mapping[str, frozenset[str]] = {"kakaopay": frozenset({"-752"})}
"""Codes of a key that was charged as often as its contract allows in a month (documented, without the figure)."""

RELAY_PREFIXES: Mapping[str, str] = {"payco": "04"}
