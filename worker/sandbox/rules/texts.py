"""PortOne's messages, each with its source.

[seen] in published client code, tests or a pasted trace; [assumed] written for this sandbox because PortOne's
own wording is not published. Clients must not decide anything by the assumed ones.
"""

from __future__ import annotations

# tokens
CREDENTIALS_MISSING = "imp_key, imp_secret 파라메터가 누락되었습니다."  # [seen]
CREDENTIALS_WRONG = "imp_key, imp_secret 값이 올바르지 않습니다."  # [assumed]; the 401 itself is documented

# again
NO_BILLING_KEY = "등록되지 않은 구매자입니다."  # [seen] code 1, HTTP 200
FIELD_MISSING = "{field} 파라메터가 누락되었습니다."  # [assumed], after the wording of getToken
FIELD_TOO_LONG = "{field} 파라메터는 {limit}자를 초과할 수 없습니다."  # [assumed]
AMOUNT_NOT_WHOLE = "amount 파라메터는 정수여야 합니다."  # [assumed]
FIELD_NOT_A_NUMBER = "{field} 파라메터는 0 이상의 숫자여야 합니다."  # [assumed]
TAX_FREE_TOO_MUCH = "tax_free는 amount를 초과할 수 없습니다."  # [assumed]
VAT_TOO_MUCH = "tax_free와 vat_amount의 합은 amount를 초과할 수 없습니다."  # [assumed]
FIELD_WRONG = "{field} 파라메터가 올바르지 않습니다."  # [assumed]
MERCHANT_UID_NOT_PLAIN = "merchant_uid에 특수문자를 사용할 수 없습니다."  # [assumed]; the rule is documented
NO_SUCH_CHANNEL = "channel_key에 해당하는 채널을 찾을 수 없습니다."  # [assumed]
VAT_TOO_HIGH = (
    "결제승인에 실패하였습니다. 부가세는 총 상품가격의 10%를 초과할 수 없습니다."  # [assumed]; the rule is documented
)
OVER_ACCOUNT_LIMIT = (
    "결제승인에 실패하였습니다. 계좌 {span} 결제한도 초과 ({limit}원)"  # [assumed]; the limits are documented
)
NAME_REQUIRED_INICIS = "이니시스 빌링결제는 상품명이 필수입니다."  # [seen] HTTP 400
CURRENCY_NOT_KRW = "지원되지 않는 통화입니다."  # [assumed]
QUOTA_TOO_SMALL_AMOUNT = "할부결제는 50,000원 이상부터 가능합니다."  # [assumed]; the rule is documented
BELOW_MINIMUM = "결제승인에 실패하였습니다. 최소 결제금액은 {limit}원입니다."  # [assumed]
ABOVE_MAXIMUM = "결제승인에 실패하였습니다. 1회 결제한도 초과 ({limit}원)"  # [assumed]
ALREADY_PAID = "이미 결제가 이루어진 거래건입니다."  # [seen] for windows (F1002); for again [assumed]
REFUSED_VAGUELY = "결제 요청이 거절되었습니다."  # [assumed]: no words for a repeat are published
ALREADY_USED = "이미 사용된 merchant_uid입니다."  # [assumed]
IN_FLIGHT = "동일한 merchant_uid로 결제가 진행중입니다."  # [assumed]
DECLINED = "결제승인에 실패하였습니다. {reason}"  # [seen] for onetime: text, then the PG's code in brackets

# look-ups
NO_PAYMENT = "존재하지 않는 결제정보입니다."  # [seen] HTTP 404
UNKNOWN_STATUS = "지원되지 않는 상태값입니다."  # [seen]
UNKNOWN_SORTING = "지원되지 않는 정렬값입니다."  # [assumed]
BAD_PAGE = "page, limit 파라메터가 올바르지 않습니다."  # [assumed]; the 400 is documented
NO_SUCH_PAGE = "조회할 수 있는 페이지를 초과하였습니다."  # [assumed]; the 400 is documented
BAD_RANGE = "from, to 파라메터가 올바르지 않습니다."  # [assumed]; the 400 is documented
RANGE_TOO_LONG = "조회기간은 최대 90일입니다."  # [assumed]; the limit is documented
TOO_MANY_IDS = "최대 100건까지 조회할 수 있습니다."  # [assumed]; the limit is documented
IDS_MISSING = "imp_uid[] 또는 merchant_uid[] 파라메터가 누락되었습니다."  # [assumed]

# cancelling
NOTHING_TO_CANCEL = "취소할 결제건이 존재하지 않습니다."  # [seen] code 1
ALREADY_CANCELLED = "이미 전액취소된 주문입니다."  # [seen] code 1
CANCEL_TOO_MUCH = "취소요청금액이 취소가능금액을 초과하였습니다."  # [assumed]
CHECKSUM_DIFFERS = "checksum이 취소가능금액과 일치하지 않습니다."  # [assumed]; the refusal is documented
TAX_FREE_REQUIRED = "해당 PG는 취소시 tax_free 파라메터가 필수입니다."  # [assumed]; the rule is documented
VAT_REQUIRED = "해당 PG는 취소시 vat_amount 파라메터가 필수입니다."  # [assumed]; the rule is documented
REQUESTER_REQUIRED = "extra.requester 파라메터가 누락되었습니다."  # [assumed]; the rule is documented
CANCEL_TOO_LATE = "취소 가능 기간이 지났습니다."  # [assumed]; the limits are documented
TAX_FREE_LEFT = "취소요청 면세금액이 취소가능 면세금액을 초과하였습니다."  # [assumed]
VAT_LEFT = "취소요청 부가세가 취소가능 부가세를 초과하였습니다."  # [assumed]
CANCEL_IDS_MISSING = "imp_uid 또는 merchant_uid 파라메터가 누락되었습니다."  # [assumed]

# customers
NO_CUSTOMER = "요청하신 customer_uid({customer_uid})로 등록된 정보를 찾을 수 없습니다."  # [seen]
CUSTOMER_IDS_MISSING = "customer_uid[] 파라메터가 누락되었습니다."  # [assumed]
NOT_BY_CARD_DATA = (
    "{pg}는 카드정보를 이용한 API 결제 및 빌링키 발급을 지원하지 않습니다."  # [assumed]; the rule is documented
)

# schedules
NO_CUSTOMER_TO_SCHEDULE = "등록된 고객정보가 없습니다."  # [seen] code 1
NOTHING_SCHEDULED = "취소할 예약결제 기록이 존재하지 않습니다."  # [seen] code 1
ALREADY_SCHEDULED = "이미 예약된 merchant_uid입니다."  # [assumed]; the refusal with code 1 was seen
NO_SCHEDULE = "존재하지 않는 예약결제입니다."  # [assumed]; the 404 is documented
SCHEDULED_IN_THE_PAST = "schedule_at은 현재 시각 이후여야 합니다."  # [assumed]; the rule is documented
NOT_WAITING = "이미 실행되었거나 취소된 예약결제입니다."  # [assumed]; the 400 is documented
NOT_OVER = "아직 실행되지 않았거나 이미 승인된 예약결제입니다."  # [assumed]; the 400 is documented
SCHEDULE_RANGE_TOO_LONG = "조회기간은 최대 3개월입니다."  # [assumed]; the limit is documented
NOT_REACHED = "PG사 요청에 실패하였습니다."  # [assumed]

# payment windows
WINDOW_AMOUNT_NOT_WHOLE = (
    "amount 파라메터는 0 이상의 정수(number)여야 합니다."  # [assumed]; the refusal of text is documented
)
WINDOW_NO_MERCHANT = "가맹점 식별코드가 없습니다. IMP.init을 먼저 호출해주세요."  # [assumed]
WINDOW_UNKNOWN_PG = "등록된 PG설정 정보가 없습니다. ({pg})"  # [assumed]
WINDOW_NOT_OF_THIS_PG = (
    "해당 PG는 결제창에서 이 결제를 지원하지 않습니다. ({pg})"  # [assumed]; the rules are documented
)
WINDOW_ONE_TIME_CHANNEL = (
    "정기결제용 채널이 아닙니다. ({pg})"  # [assumed]; that one-time ids make no keys is documented
)
WINDOW_CLOSED = "사용자가 결제를 취소하셨습니다"  # [seen], without a full stop
WINDOW_EXPIRED = "결제 유효시간이 지났습니다."  # [assumed]

# the sandbox's own, in English so that they are not mistaken for PortOne's
NOT_IN_SANDBOX = "{what} is not part of this sandbox."
NO_WINDOW = "There is no such payment window in this sandbox."
NO_SUCH_DECISION = (
    "A decision is approve, decline or close; an instrument is card or money; a reason is one of {reasons}."
)
ONE_INSTRUMENT = "The merchant has let this window take nothing but {instrument}."
METHOD_NOT_ALLOWED = "{path} does not take {method}."
BODY_UNREADABLE = "The request body is neither a JSON object nor a form."
