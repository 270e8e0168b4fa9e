"""Texts that leave it open whether money moved. They are asked before any code, and none of them is a decline.

Two kinds: the PG has met the order before ("already paid", "duplicate", in any wording), or its answer to us, or to
PortOne, was lost or late.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.domain.declines.texts import normalized, squeezed

CLAUSE_LENGTH = 24
"""How many letters after "already" may belong to it."""

# What a key, a card, an account or a contract can be already, without any payment.
_STATE = re.compile(
    r"삭제|해지|해약|정지|중지|만료|탈퇴|분실|도난|재발급|신규발급|갱신|교체|폐기|말소|폐쇄|휴면|비활성|파기|해제|종료|연체"
)
_ACT = re.compile(
    r"거래|승인|주문|요청|처리|완료|성공|취소|환불|매입|출금|청구|입금|이체|사용|등록|접수|존재|진행"
    r"|(?<!자동)(?<!정기)(?<!간편)(?<!빌링)결제(?!수단|카드|키|계좌|정보|비밀번호)"
)
_MONEY = re.compile(
    r"거래|승인|주문|처리|완료|성공|취소|환불|매입|출금|청구|입금|이체|사용|결제(?!수단|카드|키|계좌|정보|비밀번호)"
)
_STATE_IN_ENGLISH = re.compile(
    r"[\s_-]*(?:been[\s_-]*)?(?:deleted|removed|expired|terminated|revoked|suspended|closed|lost|stolen|re-?issued"
    r"|replaced|withdrawn|inactive|deactivated|blocked)",
    re.IGNORECASE,
)
_MONEY_IN_ENGLISH = re.compile(r"pa[iy]|order|transaction|approv|process|charg|captur|complet|succe|us", re.IGNORECASE)

_BEFORE = re.compile(
    r"중복|이중(?:으로)?(?:결제|승인|거래|요청|출금|청구|처리)|재사용"
    r"|(?<![가-힣])기\s?(?:결제|승인|처리|거래|완료|취소|매입|환불|성공|출금|청구)"
    r"|(?:동일|같은)한?\s*(?:주문|거래|결제|승인|요청|금액|건(?![가-힣]))"
    r"|완료된\s*(?:주문|거래|결제|건)|(?:존재하는|등록된)\s*(?:주문|거래)(?!\S{0,4}\s*없)"
    r"|(?:결제|승인|처리|거래|출금|이체)(?:가|이|는|은|를|에)?\s*(?:정상(?:적으로)?\s*)?(?:완료|성공)(?!\s?(?:되지|하지|안|못|여부))"
    r"|정상(?:적으로)?\s*(?:처리|승인|결제|출금|거래)(?!(?:가|이)?\s?(?:되지|하지|안|못|불가|카드|계좌))"
    r"|duplicat|F1002|(?<!not )(?:been|was|is) (?:paid|approved|processed|completed|captured)"
    r"|(?:order|payment|transaction)\w*\s+exists",
    re.IGNORECASE,
)
_ORDER_NUMBER = re.compile(r"주문\s*번호|merchant_?uid|order[\s_-]?(?:id|number|no\b)", re.IGNORECASE)
_FORM = re.compile(
    r"길이|형식|포맷|format|자리|글자|\d+자|누락|미입력|미설정|필수|없|비어|존재하지|숫자|영문|특수문자|DATA|length|missing"
    r"|required|too long|empty|보내지|byte|이하|이내",
    re.IGNORECASE,
)

_LOST = re.compile(
    r"time[\s_-]?out|타임아웃|시간이?(?:초과|만료|경과)|[무미]응답|응답[^.]{0,4}(?:받지못|수신하지)|응답(?:이)?없|지연(?:처리|되|발생|중)|(?:처리|응답|서비스)지연"
    r"|응답[^.]{0,12}(?:오류|실패|에러|올바르|유효하지|검증|복호|이상)"
    r"|통신(?!사(?!용)|판매|요금|비밀|과금)|통신사[^.]{0,4}(?:장애|오류|에러|응답|접속)"
    r"|회선(?!번호)|네트[워웍]크?|소켓|연결(?:이|에|을)?(?:실패|오류|에러|끊|되지|할수|불가)"
    r"|(?:수신|송신)(?:이|에|중|을)?(?:실패|오류|에러|예외|불가|하지못)|(?:통보|노티)(?:에|가|를)?(?:실패|오류)|망취소"
    r"|(?:처리|결제|승인)(?:결과|여부)[^.]{0,6}(?:확인|불명|알수)|unknown[\s_]?(?:payment|error|result|status)"
    r"|(?<![a-z_])(?:network|connection|socket)(?![a-z_])|in[\s_]progress|pending|no response",
    re.IGNORECASE,
)
_UNDER_WAY = re.compile(
    r"(?<!점검)(?<!점검이)(?<!점검을)(?<!재발급)(?<!해지)(?<!심사)(?<!작업)(?<!정산)(?:진행|처리)중(?:인|입니다|이|에|$)"
)
_ACCESS = re.compile(r"(?<!과다)접속")
_ACCESS_CONTROL = re.compile(
    r"허용|허가|인가|권한|차단|금지|미등록|등록되지|(?<![a-z])ip(?![a-z])|아이피", re.IGNORECASE
)


def says_before(text: str | None) -> bool:
    """Return whether a text says, in any wording, that the PG has met this order before: "already paid", "duplicate".

    A text about the order number counts too, as there is no list of the ways to say that it was used before; unless
    it is about the number's form alone. "Already deleted" of a key or a card does not count.
    """
    said = normalized(text or "")
    if _BEFORE.search(said) or _BEFORE.search(squeezed(said)) or next(_already(said), None) is not None:
        return True
    return _ORDER_NUMBER.search(said) is not None and not is_about_form_of_number(said)


def says_paid(text: str | None) -> bool:
    """Return whether a text that `says_before` names a payment, an approval or an order as what was there before.

    If it does not ("already refused by ..."), PortOne's own `failed` record outweighs it, once nothing can land.
    """
    said = normalized(text or "")
    if _BEFORE.search(said) or _BEFORE.search(squeezed(said)) or _ORDER_NUMBER.search(said):
        return True
    return any(_MONEY.search(clause) or _MONEY_IN_ENGLISH.search(clause) for clause in _already(said))


def is_about_form_of_number(text: str) -> bool:
    """Return whether a text finds fault with how the order number is written: too long, missing, wrong letters."""
    said = squeezed(text)
    return _ORDER_NUMBER.search(said) is not None and _FORM.search(said) is not None


def leaves_it_open(text: str | None) -> bool:
    """Return whether a text speaks of a lost line, a late or unreadable answer, or a payment that is under way."""
    said = squeezed(text or "")
    if _LOST.search(said) or _UNDER_WAY.search(said):
        return True
    return _ACCESS.search(said) is not None and _ACCESS_CONTROL.search(said) is None


def _already(said: str) -> Iterator[str]:
    """Yield what follows each "already" that is not about the state of a key, a card, an account or a contract."""
    for found in re.finditer(r"이미(?!지|납)", said):
        clause = re.split(r"[.,;/)\]]", squeezed(said[found.end() :]))[0][:CLAUSE_LENGTH]
        state, act = _STATE.search(clause), _ACT.search(clause)
        if state is None or (act is not None and not _is_of_instrument(clause, act.start(), state.end())):
            yield clause
    for found in re.finditer("already", said, re.IGNORECASE):
        clause = said[found.end() :][: 2 * CLAUSE_LENGTH]
        state = _STATE_IN_ENGLISH.match(clause)
        if state is None or _MONEY_IN_ENGLISH.search(clause[state.end() :]):
            yield clause


def _is_of_instrument(clause: str, act: int, state_end: int) -> bool:
    """Return whether the act follows the state and is no payment: "a deleted key, or one that does not exist"."""
    return act > state_end and _MONEY.search(clause) is None
