"""The meaning of declines: every known code of every table, and misleading words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.attempts import RULES
from worker.domain.declines import DeclineVerdict, Duplicate, NeedsLookUp
from worker.domain.declines import classify as decide
from worker.domain.outcomes import About, DeclineKind
from worker.pg.catalog import PGS

SOFT, HARD, CONFIG = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.CONFIG
TRANSIENT, UNMATCHED = DeclineKind.TRANSIENT, DeclineKind.UNMATCHED
CODES = RULES.codes

KNOWN_CODES = [
    # --- Kakao Pay's own API
    ("kakaopay", "-1", NeedsLookUp),  # internal: the outcome is open
    ("kakaopay", "-2", CONFIG),  # a bad parameter
    ("kakaopay", "-7 -9798", TRANSIENT),  # maintenance
    ("kakaopay", "-10", TRANSIENT),  # too many requests
    ("kakaopay", "-702", Duplicate),  # this TID was approved already
    ("kakaopay", "-721 -722 -724 -725 -726", CONFIG),  # no TID; amounts or order wrong
    ("kakaopay", "-730 -731 -732 -733", CONFIG),  # app, CID, GID or the CID's secret
    ("kakaopay", "-750 -751", HARD),  # the SID is missing or inactive: the key is dead
    ("kakaopay", "-752", SOFT),  # the monthly quota of this SID, so it concerns no other customer
    ("kakaopay", "-753", HARD),  # partner_user_id differs from that of registration: this key, not the channel
    ("kakaopay", "-783 -784", Duplicate),  # in a state that a new payment is not in
    ("kakaopay", "-785", Duplicate),  # the same charge sent twice
    ("kakaopay", "-798", CONFIG),  # source address
    # --- Kakao money
    ("kakaopay", "LACK_BALANCE NOT_ENOUGH_BALANCE LIMIT_ONE_TIME LIMIT_USE_PER_DAY", SOFT),
    ("kakaopay", "LIMIT_BALANCE", SOFT),  # a cap on the wallet's balance
    ("kakaopay", "BANK_ACCOUNT_NOT_FOUND BANK_ACCOUNT_BLOCKED USER_NOT_FOUND PAY_USER_NOT_FOUND", HARD),
    ("kakaopay", "DEACTIVATED_USER_STATUS INVALID_PAYMENT_KEY", HARD),
    ("kakaopay", "USER_LOCKED", TRANSIENT),  # another transaction of the account is running, perhaps our own
    ("kakaopay", "BANK_FIRM_UNKNOWN", NeedsLookUp),  # a bank transaction that is open for some 20 minutes
    ("kakaopay", "BANK_FIRM_API_FAIL INTERNAL_ERROR PAY_ACCOUNT_RESPONSE_ERROR UNDER_CONSTRUCTION", TRANSIENT),
    ("kakaopay", "TALK_USER_NOT_FOUND TALK_USER_ERROR", TRANSIENT),  # a family of which only the start is known
    ("kakaopay", "BANK_FIRM_UNAVAILABLE", TRANSIENT),  # bank maintenance around midnight
    ("kakaopay", "NETWORK_ACL_ERROR CHANNEL_NOT_FOUND", CONFIG),
    # --- Kakao Pay's cards
    ("kakaopay", "0002 0016", SOFT),  # limits
    ("kakaopay", "0004 8314", HARD),  # expired
    ("kakaopay", "0010", NeedsLookUp),  # time-out
    ("kakaopay", "0026 5009 8350 8514", HARD),  # lost or stolen
    ("kakaopay", "0029 7573 8320", CONFIG),  # the merchant's limit
    ("kakaopay", "0032 5015", HARD),  # overdue
    ("kakaopay", "0057 0121 0299", TRANSIENT),  # a fault, the issuer's line, the issuer's maintenance
    ("kakaopay", "0290", NeedsLookUp),  # VAN time-out
    ("kakaopay", "0504 5530", Duplicate),
    ("kakaopay", "5012", SOFT),  # suspended for a while
    ("kakaopay", "5019 8181 8324 8515", HARD),  # terminated, account stopped, card stopped, suspended
    ("kakaopay", "5039 8323 8546", SOFT),  # balance
    ("kakaopay", "8192 8198", HARD),  # use the newly issued card
    ("kakaopay", " ".join(str(code) for code in range(8245, 8259)), TRANSIENT),  # bank maintenance
    ("kakaopay", "8791 8971 8374", TRANSIENT),  # bank maintenance, a line fault
    ("kakaopay", "8325 8326 8327 8521", SOFT),  # limits of a month, a card, a family
    ("kakaopay", "8373 8376", SOFT),  # call the issuer
    # --- PAYCO, relayed with the prefix 04
    ("payco", "048484 04CC54", HARD),  # expired
    ("payco", "04CC04", HARD),  # lost
    ("payco", "04CC14 04QP64", HARD),  # number wrong, not registered
    ("payco", "04CC39 04CC45", HARD),  # unusable, suspended
    ("payco", "04CC44", HARD),  # overdue
    ("payco", "04CC10 04CC61 04CC01", SOFT),  # balance, limit, ask the card company
    ("payco", "04CC98", NeedsLookUp),  # a fault at the card company
    ("payco", "04CC33 04CC67 04CC47", CONFIG),  # merchant, business number, instalments
    ("payco", "048487", CONFIG),  # format
    ("payco", "04QP16", HARD),  # the registration is not valid
    ("payco", "500440", CONFIG),  # the merchant may not use PAYCO
    # --- PAYCO, without the prefix
    ("payco", "8484 CC54 CC04 CC14 QP64 CC39 CC45 CC44 QP16", HARD),
    ("payco", "CC10 CC61 CC01", SOFT),
    ("payco", "CC98 CC99 CC72", NeedsLookUp),
    ("payco", "CC33 CC67 CC47 8487", CONFIG),
    ("payco", "CC75 CCC0", TRANSIENT),  # KCP's codes, which PAYCO speaks
    ("payco", "7101 048094", Duplicate),
    # --- KCP
    ("kcp", "CC01 CC07 CC08 CC10 CC61 CC65 CC85 8122 8123 8124 2116", SOFT),
    ("kcp", "CC04 CC14 CC43 CC44 CC45 CC54 CC55 CCAF", HARD),
    ("kcp_billing", "CC33 CC36 CC62", CONFIG),
    ("kcp_billing", "CC75 CCC0 CCAG", TRANSIENT),
    ("kcp", "CC72 CC98 CC99 3008 7512 8041 8042 8043 8044", NeedsLookUp),
    ("kcp", "7101 8094", Duplicate),
    # --- Toss
    ("tosspayments", "3000", SOFT),
    ("tosspayments", "INVALID_STOPPED_CARD", HARD),
    ("tosspayments", "C031 C058 NOT_MATCHES_CUSTOMER_KEY", CONFIG),
    ("tosspayments", "C030", TRANSIENT),  # cancelled by itself
    ("tosspayments", "3001 C045", NeedsLookUp),
    ("tosspayments", "A016 DUPLICATED_ORDER_ID", Duplicate),
    # --- Inicis
    ("html5_inicis", "1254 120054 120049", SOFT),
    ("inicis", "1204 120004 1226 120026 1232 12B2 1200FW", HARD),
    ("html5_inicis", "550431 550432 550433 550434 500440 500975", CONFIG),
    ("inicis", "500051 500052 500053 500054 500055", NeedsLookUp),
]

EACH_CODE = [(pg, code, verdict) for pg, codes, verdict in KNOWN_CODES for code in codes.split()]

WORDS_ALONE = [
    # --- duplicates, which are never a decline
    ("중복 승인 요청입니다.", Duplicate),
    ("중복된 주문번호입니다.", Duplicate),
    ("이미 결제가 이루어진 거래건입니다.", Duplicate),
    ("이미 승인된 거래", Duplicate),
    ("이미 등록된 merchant_uid입니다.", Duplicate),  # "merchant" is no merchant's fault here
    ("이미 사용된 merchant_uid입니다.", Duplicate),
    ("동일한 merchant_uid로 결제가 진행중입니다.", Duplicate),
    ("기승인 거래", Duplicate),
    ("F1002", Duplicate),
    ("Duplicate order id", Duplicate),
    ("This payment was ALREADY approved", Duplicate),
    ("재사용할 수 없는 번호입니다", Duplicate),
    ("invalid merchant_uid", Duplicate),  # about the order number: it may well say that it was used
    ("이미 해지된 카드입니다.", HARD),  # "already", but of a card
    ("단말기 승인 거절", UNMATCHED),  # "기 승인" inside another word
    # --- what may still be under way
    ("TIME-OUT", NeedsLookUp),
    ("카드사 응답 지연 timeout", NeedsLookUp),
    ("승인 시간 초과", NeedsLookUp),
    ("결제 시간이 초과되었습니다", NeedsLookUp),
    ("통신 장애", NeedsLookUp),
    ("회선 장애로 응답 없음", NeedsLookUp),
    ("connection to the card company lost", NeedsLookUp),  # a lost line is no lost card
    ("네트워크 오류", NeedsLookUp),
    ("결제가 진행 중인 거래입니다", NeedsLookUp),
    # --- maintenance
    ("은행 점검 시간입니다", TRANSIENT),
    ("service unavailable.", TRANSIENT),
    ("Too many requests", TRANSIENT),  # before any "limit"
    ("rate limit exceeded", TRANSIENT),
    # --- the merchant's own
    ("가맹점한도초과", CONFIG),  # 가맹점 before 한도
    ("가맹점 일시 정지", CONFIG),
    ("해지된 가맹점", CONFIG),  # kills no key
    ("merchant not registered", CONFIG),
    # --- limits and balances
    ("한도초과", SOFT),
    ("개인 월 한도금액 초과", SOFT),
    ("잔액부족", SOFT),
    ("계좌 잔액이 부족합니다", SOFT),
    ("balance too low", SOFT),
    ("load balancer error", UNMATCHED),  # not the customer's balance
    ("한도조회불가카드", UNMATCHED),  # a property of the card
    ("한도 조회 불가", UNMATCHED),
    # --- suspended for a while, before suspended
    ("일시정지 카드", SOFT),
    ("전화요망", SOFT),
    ("카드사 문의 요망", SOFT),
    # --- of no more use
    ("분실카드", HARD),
    ("도난 카드 신고", HARD),
    ("유효기간 경과", HARD),
    ("유효 기간 오류", SOFT),  # a wrong date may be a slip; one that has passed is the end
    ("만료된 카드", HARD),
    ("해지된 카드", HARD),
    ("거래정지 카드", HARD),
    ("연체 카드", HARD),
    ("탈퇴한 회원", HARD),
    ("등록되지 않은 구매자입니다.", HARD),  # PortOne's own, code 1
    ("등록되지 않은 사용자입니다.", HARD),
    ("등록된 고객정보가 없습니다.", HARD),
    ("expired card", HARD),
    ("The card was stolen", HARD),
    ("세션이 만료되었습니다", UNMATCHED),  # a session's end kills no key
    ("token expired", UNMATCHED),
    # --- nothing known
    ("거절", UNMATCHED),
    ("결제승인에 실패하였습니다.", UNMATCHED),
    ("", UNMATCHED),
    (None, UNMATCHED),
]

TRAPS = [
    # a code decides, whatever the words beside it look like
    ("kakaopay", "[8314]한도초과", HARD),
    ("kakaopay", "[0029]한도초과", CONFIG),
    ("kakaopay", "[5012] 정지된 카드", SOFT),
    # except the word for duplicate, which no code turns into a decline
    ("kakaopay", "[8326]중복거래", Duplicate),
    ("payco", "[04CC61] 이미 승인된 주문", Duplicate),
    ("kcp", "[CC54]중복요청", Duplicate),
    # brackets of every kind, and none where a name or a minus is plain enough
    ("payco", "(CC61)", SOFT),
    ("payco", "( 04CC61 ) 한도", SOFT),
    ("payco", "【CC54】", HARD),
    ("payco", "［CC54］", HARD),
    ("kakaopay", "LACK_BALANCE잔액이 모자랍니다", SOFT),  # Korean follows at once
    ("kakaopay", "오류-750 입니다", HARD),
    ("kakaopay", "Error -2", CONFIG),
    # the text of the PG behind the PG: what is known of several codes
    ("kakaopay", "결제승인에 실패하였습니다. [-782] recurring payment failed [8326]한도", SOFT),
    ("kakaopay", "[8326] [0010]", NeedsLookUp),  # one that leaves it open outweighs one that does not
    ("kakaopay", "[5530] [8326]", Duplicate),
    # telephone numbers are not codes
    ("kakaopay", "거절 (1588-8326)", UNMATCHED),
    ("kakaopay", "거절 ☎ 1544-0002", UNMATCHED),
    ("kakaopay", "거절, 문의 02-750-1234", UNMATCHED),
    ("kakaopay", "거절, 문의 02 -750-1234", UNMATCHED),
    ("kakaopay", "[8326]한도초과 문의 1588-8314", SOFT),
    ("payco", "거절 (1600-8484)", UNMATCHED),
    # one PG's code means nothing at another
    ("kakaopay", "[CC61]", UNMATCHED),
    ("payco", "[-750]", UNMATCHED),
    ("nice_v2", "[CC54]", UNMATCHED),
    ("kcp", "[04CC61]", UNMATCHED),  # the prefix is PAYCO's relay
    ("nice_v2", "[3011]한도초과", SOFT),  # a PG without a table is read by words
    # seen
    ("kcp", "결제승인에 실패하였습니다. [2116]개인 월 한도금액 초과", SOFT),
    ("nice", "카드정보 인증 및 빌키 발급에 실패하였습니다. [F112]유효하지 않은 카드번호", SOFT),
]


def classify(pg: str, code: str | None, text: str | None) -> DeclineVerdict:
    return decide(RULES, pg, code, text).verdict


@pytest.mark.parametrize(("pg", "code", "verdict"), EACH_CODE)
@pytest.mark.parametrize(
    "text",
    ["[{code}]거절", "결제승인에 실패하였습니다. [{code}] 거절되었습니다 (1588-1234)", "({code}) refused"],
    ids=["in brackets", "amid a text", "in round brackets"],
)
def test_known_code_decides(pg, code, verdict, text):
    assert classify(pg, None, text.format(code=code)) is verdict


@pytest.mark.parametrize(("pg", "code", "verdict"), [row for row in EACH_CODE if not row[1].startswith("TALK_")])
def test_code_apart_from_the_text_decides_too(pg, code, verdict):
    assert classify(pg, code, "거절") is verdict
    assert classify(pg, code, None) is verdict


@pytest.mark.parametrize(("text", "verdict"), WORDS_ALONE)
def test_words_decide_without_a_code(text, verdict):
    assert classify("smartro_v2", None, text) is verdict


@pytest.mark.parametrize(("pg", "text", "verdict"), TRAPS)
def test_misleading_words_are_classified_correctly(pg, text, verdict):
    assert classify(pg, None, text) is verdict


def test_every_code_of_every_pack_is_tested_here():
    tested = {
        (pack.name, code.removeprefix(pack.prefix))
        for pg, code, _ in EACH_CODE
        for pack in RULES.packs
        if pg in pack.pgs
    }
    shipped = {(pack.name, code) for pack in RULES.packs for rule in pack.codes for code in rule.codes}
    assert shipped - tested == set()


@given(st.sampled_from([*sorted(CODES), "nice_v2", ""]), st.none() | st.text(max_size=12), st.none() | st.text())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_arbitrary_text_has_a_verdict(pg, code, text):
    assert classify(pg, code, text) in {*DeclineKind, Duplicate, NeedsLookUp}


@given(
    st.sampled_from(EACH_CODE),
    st.sampled_from(["중복", "이미 결제", "duplicate", "already paid", "F1002", "이미 사용된 merchant_uid"]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_duplicate_in_any_wording_is_never_a_decline(row, words, first):
    pg, code, _ = row
    text = f"{words} [{code}]" if first else f"[{code}] {words}"
    assert classify(pg, None, text) is Duplicate
    assert classify(pg, code, text) is Duplicate


@pytest.mark.parametrize(
    ("pg", "text", "expected"),
    [
        ("kakaopay", "[-752] 월 결제 가능 횟수를 초과했습니다", True),
        ("kakaopay", "-752", True),
        ("kakaopay", "[8326][-752]한도초과", False),  # of several codes the first counts
        ("kakaopay", "[-753] partner_user_id", False),  # this key is dead
        ("kakaopay", "월 결제 가능 횟수 초과", False),  # an unknown text: an ordinary soft decline
        ("payco", "[-752]", False),  # another PG's number
        ("kakaopay", None, False),
    ],
)
def test_spent_monthly_quota_is_recognized_by_its_code(pg, text, expected):
    assert (decide(RULES, pg, None, text).about is About.MONTH_QUOTA) is expected


def test_pgs_with_a_monthly_quota_are_those_with_a_known_code_for_it():
    quotas = [(pack.pgs, rule) for pack in RULES.packs for rule in pack.codes if rule.about is About.MONTH_QUOTA]
    assert {pg for pgs, _ in quotas for pg in pgs} == {pg for pg, facts in PGS.items() if facts.monthly_quota}
    assert all(rule.verdict is SOFT for _, rule in quotas)
