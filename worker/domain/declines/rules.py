"""The rules: a state that a refusal speaks of, and what it means of each party; the first match counts."""

from __future__ import annotations

from worker.domain.declines.rule import ABSENT, ENDED, KIND_OF_CARD, NOT, REFUSED, SHOP, Rule, rule
from worker.domain.declines.verdicts import NeedsLookUp
from worker.domain.outcomes import DeclineKind

SOFT, HARD, CONFIG = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.CONFIG
TRANSIENT, UNMATCHED = DeclineKind.TRANSIENT, DeclineKind.UNMATCHED

RULES: tuple[Rule, ...] = (
    # --- no customer's fault: maintenance, crowds, hours of service
    rule(
        r"점검(?!요망|바랍|하[여시십]|해주|필요|대상)|maintenance|service[\s_]unavailable|under[\s_]construction",
        TRANSIENT,
    ),
    rule(
        r"too[\s_]many[\s_]requests|rate[\s_]limit|TALK_USER_|(?:사용자|이용자)(?:가|의)?(?:많|증가|폭주)|과다접속",
        TRANSIENT,
    ),
    rule(r"(?:요청|호출)(?:횟수|건수|량)[^.]{0,4}초과", TRANSIENT),
    rule(
        r"(?:서비스|이용|영업|업무|거래)(?:가능)?시간[^.]{0,3}(?:종료|아닙|아님|외|마감|전|지났)"
        r"|업무(?:마감|종료|개시이?전)|영업일이아",
        TRANSIENT,
    ),
    rule(
        r"작업중|정산중|마감(?:시간|중)|(?:잠시|일시)서비스(?:가)?(?:중지|중단|유보)|서비스가일시유보"
        r"|시스템[^.]{0,4}중단",
        TRANSIENT,
    ),
    # --- a fault behind the PG: what it did before it failed is not known
    rule(
        r"장애(?!인)|전산오류"
        r"|(?:시스템|내부|서버|system|internal)(?:처리|server)?[\s_]?(?:내부)?(?:오류|에러|이상|error)",
        NeedsLookUp,
    ),
    rule(
        r"(?:DB|데이터베이스|트랜잭션)(?!설정)[^.]{0,10}(?:오류|에러|실패|error)"
        r"|처리중[^.]{0,6}(?:오류|에러)|예외[가]?발생|exception",
        NeedsLookUp,
    ),
    # --- how the request is written
    rule(
        r"포[맷멧]|format|형식|길이|(?:DB|설정정보)설정|전문[^.]{0,8}(?:오류|에러|실패)|파라[미메]터"
        r"|parameter|통화(?:코드|단위)|화폐단위"
        r"|currency|복?호화|암호화|해[쉬시]|서명[^.]{0,6}(?:오류|실패|에러)|인코딩|파싱",
        CONFIG,
    ),
    # --- this customer's card at this merchant: others pay, so it is not the merchant's fault, and another day may help
    rule(
        rf"{KIND_OF_CARD}카드(?!사(?!용))(?:를|을|는|은|의|로)?[^.,/]{{0,8}}?(?:불가|미등록|미사용|미취급|제한|아님|않|없)[^.,/]{{0,6}}?{SHOP}",
        SOFT,
    ),
    rule(
        rf"{SHOP}(?:에서|에서는|은|는)?(?:사용|이용|지원|취급|결제|거래)?[^.,/]{{0,4}}?{REFUSED}[^.,/]{{0,4}}?카드(?!사(?!용))",
        SOFT,
    ),
    rule(rf"{KIND_OF_CARD}카드(?!사(?!용))(?:를|을|는|은|의|로)?(?![^.,/]{{0,8}}할부)[^.,/]{{0,8}}?{REFUSED}", SOFT),
    # --- of no more use, whichever party is named
    rule(
        r"(?:분실|도난|사고(?:카드|신고|등록|계좌)|[12]종사고|위조|위,?변조카드|탈회)(?![^.]{0,8}(?:아닙|아님|않|안된|없))"
        r"|\b(?:lost|stolen)[\s_]card|card[\s_](?:is |was |has been )?(?:lost|stolen)|LOST_OR_STOLEN"
        r"|pick[\s_-]?up[\s_]card",
        HARD,
    ),
    rule(r"재발급|신규발급|신규카드|이관카드|교체된|갱신된|reissued", customer=HARD, merchant=CONFIG),
    rule(
        rf"(?:연체|체납|미납|신용불량|신용상태){NOT}|overdue|delinquent", customer=HARD, unnamed=HARD, merchant=CONFIG
    ),
    # --- limits and balances
    rule(r"한도조회불가|잔액조회불가", UNMATCHED),  # a property of the card, not a limit that was reached
    rule(
        r"최소[^.]{0,4}(?:금액|한도)|(?:한도|금액)미만|(?:취소|환불)[^.]{0,6}(?:한도|금액|잔액)"
        r"|(?:할부|개월)[^.]{0,6}한도"
        r"|잔액(?:값)?(?:오류|이상)|한도[^.]{0,4}(?:정보|설정|조회)[^.]{0,3}오류",
        CONFIG,
    ),
    rule(
        r"한도|(?:횟수|금액|건수|회수|\d회)(?:를|을|가|이)?초과|초과(?:금액|횟수)|limit[\s_]exceeded"
        r"|exceed\w*[\s_][^.]{0,40}(?:limit|amount|count|max)|(?:over|exceeds?)[\s_-](?:the[\s_])?limit"
        r"|EXCEED_MAX",
        customer=SOFT,
        unnamed=SOFT,
        system=SOFT,
        service=SOFT,
        merchant=CONFIG,
    ),
    rule(
        r"잔액|잔고|잔고부족|예금부족|지급가능|(?:통장|계좌|머니|금액)[^.]{0,4}부족|(?<![a-z_])balance(?![a-z_])"
        r"|[가-힣]부족(?:$|입|합|으|\W)|insufficient|(?:NOT_ENOUGH|LACK)_BALANCE|not enough (?:money|funds)",
        SOFT,
    ),
    # --- whom the text sends the customer to: the merchant or its PG, so it is theirs
    rule(
        r"(?:kcp|이니시스|나이스|토스|lgu?\+?|u\+|pg사?|포트원|아임포트|상점|가맹점|쇼핑몰|판매자|관리자)(?:으로|로|에|에게)?(?:문의|연락)",
        CONFIG,
    ),
    rule(
        r"(?:세션|토큰|인증값|쿠폰|상품권|session|token)[^.]{0,12}"
        r"(?:만료|없|경과|초과|종료|유효|expired|invalid|not found)",
        UNMATCHED,
    ),
    # --- dates: one that has passed is the end; a wrong one may be a typing error
    rule(
        r"유효기(?:간|한)[^.]{0,4}(?:만료|경과|지난|지났|초과|종료|도과|끝)(?![^.]{0,8}(?:않|또는불일치))"
        r"|expired[\s_]card"
        r"|card[\s_](?:has |is |was )?expired|만료된?카드|카드[^.]{0,2}만료",
        customer=HARD,
        unnamed=HARD,
        system=CONFIG,
        merchant=CONFIG,
    ),
    rule(
        r"유효기(?:간|한)|(?:check|invalid|wrong)[^.]{0,12}(?:expir|date)|INVALID_CARD_EXPIRATION",
        customer=SOFT,
        unnamed=SOFT,
        system=SOFT,
        merchant=CONFIG,
    ),
    rule(
        r"카드번호[^.]{0,6}(?:오류|틀|유효하지|잘못|불일치|상이|다시|올바르지)"
        r"|(?:유효하지않은|잘못된)카드번호|invalid[\s_]card[\s_]num",
        SOFT,
    ),
    rule(
        r"비밀번호|password|\bpin\b|cvc|cvv|cvn|주민(?:등록)?번호|생년월일|본인확인|본인인증",
        customer=SOFT,
        unnamed=SOFT,
        merchant=CONFIG,
    ),
    # --- suspended for a while, before suspended
    rule(
        r"일시적?(?:인|으로)?(?:사용|이용|거래)?(?:정지|중지|제한)|temporar\w+[\s_](?:suspended|blocked|restricted)",
        customer=SOFT,
        unnamed=SOFT,
        merchant=CONFIG,
        system=TRANSIENT,
    ),
    rule(rf"(?:{ENDED}){NOT}", customer=HARD, merchant=CONFIG, system=TRANSIENT),
    rule(r"탈퇴", HARD),
    # --- not there
    rule(
        r"(?:필수|파라[미메]터|항목|필드|입력값|요청값)[^.]{0,14}(?:누락|없|미입력|미존재|비어|부재)|누락"
        r"|미설정|미입력|설정[^.]{0,4}(?:오류|에러)",
        CONFIG,
    ),
    rule(
        r"(?:원거래|해당거래|인증(?:요청)?내역|인증정보|거래내역|거래정보|주문정보|승인내역|결제내역|결제건|해당건|거래건|자료)[^.]{0,6}(?:없|존재하지|미존재)",
        UNMATCHED,
    ),
    rule(
        r"권한|퍼미션|인가되지|허[가용]되지|허[가용]하지|비인가|unauthori[sz]ed|forbidden|permission"
        r"|not[\s_]allowed|access denied",
        customer=SOFT,
        unnamed=CONFIG,
        merchant=CONFIG,
        system=CONFIG,
    ),
    rule(r"customer_uid.{0,100}(?:없|않)", HARD),  # PortOne names the key it does not know
    rule(r"연결된(?:은행|계좌)[^.]{0,8}없", HARD),
    rule(
        r"(?:이름|id|아이디|주소|우편번호|이메일|email|전화번호)(?:이|가)없"
        r"|(?:해당|있는|지원하는)결제수단[^.]{0,3}없|보내지않",
        CONFIG,
    ),
    rule(ABSENT, customer=HARD, merchant=CONFIG, system=CONFIG),
    # --- how the request is made: instalments, format, amounts, signatures
    rule(r"할부|무이자|instal?lment", CONFIG),
    rule(
        r"\d원?(?:미만|이하)|invalid amount|금액[^.]{0,8}(?:오류|미만|이하|이상이어야|불일치|상이|합계)"
        r"|최소[^.]{0,8}(?:금액|미만|한도)"
        r"|below[\s_](?:the[\s_])?min|BELOW_MINIMUM|부가세|면세|과세|공급가",
        CONFIG,
    ),
    # --- wrong, refused, not supported
    rule(
        r"(?:유효하지않|올바르지않|잘못된|무효)(?:은|는)?(?:카드|계좌|결제수단)(?!번호|정보|코드|사(?!용)|비밀|종류)"
        r"|invalid[\s_](?:card|account)(?![\s_](?:num|comp|data|type|info|exp|pass|inst))"
        r"|INVALID_ACCOUNT_INFO",
        customer=HARD,
        unnamed=HARD,
    ),
    rule(
        r"(?:빌키|빌링키|billing[\s_]?key|빌링key|bid|sid|정기결제키?|자동결제키?)[^.]{0,6}(?:유효하지|올바르지|잘못|틀)"
        r"|(?:유효하지않은|올바르지않은|잘못된|invalid)[\s_]?(?:빌키|빌링키|bill(?:ing)?[\s_]?key|bid|sid)",
        HARD,
    ),
    rule(
        r"오류|에러|틀(?:림|립|린)|불일치|상이|잘못|올바르지|유효하지|맞지않|일치하지|다릅|invalid|wrong"
        r"|mismatch|incorrect",
        customer=SOFT,
        merchant=CONFIG,
    ),
    rule(
        r"잘못된요청|(?:invalid|bad)[\s_]request|authentication(?:실패|[\s_]fail)"
        r"|(?:지불|결제)수단[^.]{0,6}(?:지원|정의|미지원|아닙)|(?:지원하지|정의되지)않(?:는|은)(?:지불|결제)수단",
        CONFIG,
    ),
    rule(
        r"(?:카드사|발급사|은행|issuer)[^.]{0,8}(?:거절|거부|승인불가)|카드사실패|do not honou?r"
        r"|card (?:was |has been )?declined|REJECT_|REJECTED_",
        SOFT,
    ),
    rule(r"계약[^.]{0,4}(?:않|아닙|아님|확인|없)|미약정|미계약|미개통|개시안", CONFIG),
    rule(
        r"불가|제한|거절|거부|금지|차단|불능|할수없|하실수없|안됩|not (?:permitted|supported|allowed)"
        r"|declined|refused|unsupported",
        customer=SOFT,
        merchant=CONFIG,
        system=TRANSIENT,
    ),
    rule(
        r"아닙니다|아님|지원하지않|지원되지않|미지원|지원안|미사용|미확인|미개시|대상(?:이)?아",
        customer=SOFT,
        merchant=CONFIG,
    ),
    # --- another card, another day, a call
    rule(r"(?:타|다른)(?:사)?카드", SOFT),
    rule(
        r"전화(?:승인)?요망|인증[^.]{0,16}요망|등록요망|카드사(?:로|에|으로)?(?:전화)?(?:문의|연락|확인)"
        r"|상담원|카드사로|이상금융|부정사용|fds"
        r"|refer to (?:card )?issuer|call (?:your |the )?(?:issuer|bank)"
        r"|contact (?:your |the )?(?:card )?issuer|수령",
        SOFT,
    ),
    rule(
        r"일시적(?:인)?(?:오류|에러|장애|문제)|잠시(?:후|뒤)|재시도|다시시도|try again later|PROVIDER_ERROR", TRANSIENT
    ),
    rule(r"가맹점|상점|업체|업소|쇼핑몰|모듈|기준정보|(?<![a-z])(?:merchant|mid)(?![a-z])", CONFIG),
)
