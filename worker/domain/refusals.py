"""What a customer is told of a refusal: a sentence in each language, without our commands and ids. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import Sentence

SENTENCES: Mapping[RefusalCode, Sentence] = {
    RefusalCode.BUSY: Sentence(
        "Something is still under way. Please try again in a while.",
        "아직 처리 중인 내용이 있습니다. 잠시 후 다시 시도해 주세요.",
    ),
    RefusalCode.CHANGED: Sentence(
        "What you were shown has changed. Please look at it again.",
        "안내해 드린 내용이 변경되었습니다. 다시 확인해 주세요.",
    ),
    RefusalCode.CONTRADICTS: Sentence(
        "It does not go with a change that is planned already. Please undo that one first.",
        "이미 예약된 변경과 함께 처리할 수 없습니다. 먼저 예약된 변경을 취소해 주세요.",
    ),
    RefusalCode.DISCOUNT_CODE: Sentence(
        "This discount code cannot be used.",
        "사용할 수 없는 할인 코드입니다.",
    ),
    RefusalCode.HAS_PLAN: Sentence(
        "You already have a subscription to this plan.",
        "이미 이용 중인 상품입니다.",
    ),
    RefusalCode.HOW_TO_PAY: Sentence(
        "Please choose how to pay.",
        "결제 수단을 선택해 주세요.",
    ),
    RefusalCode.LINK: Sentence(
        "This page was used already or has expired. Please start again from your subscriptions.",
        "이미 사용되었거나 만료된 페이지입니다. 구독 화면에서 다시 시작해 주세요.",
    ),
    RefusalCode.NOTHING_CHANGES: Sentence(
        "It is like that already, so nothing would change.",
        "현재와 같은 내용이므로 변경할 것이 없습니다.",
    ),
    RefusalCode.NOTHING_LEFT: Sentence(
        "There is not so much left to refund.",
        "환불할 수 있는 금액이 없거나 부족합니다.",
    ),
    RefusalCode.NOT_PAID: Sentence(
        "It has not been paid yet.",
        "아직 결제되지 않았습니다.",
    ),
    RefusalCode.NOT_YOURS: Sentence(
        "There is no such subscription or payment of yours.",
        "해당하는 구독이나 결제를 찾을 수 없습니다.",
    ),
    RefusalCode.OTHER: Sentence(
        "This cannot be done here. Please contact us.",
        "요청하신 내용을 처리할 수 없습니다. 고객센터로 문의해 주세요.",
    ),
    RefusalCode.OVER: Sentence(
        "It has been canceled or has ended already.",
        "이미 해지되었거나 종료되었습니다.",
    ),
    RefusalCode.PAID: Sentence(
        "It has been paid already.",
        "이미 결제되었습니다.",
    ),
    RefusalCode.TOO_HIGH: Sentence(
        "The amount is higher than can be charged. Please choose less.",
        "결제할 수 있는 금액을 초과합니다. 금액이나 수량을 줄여 주세요.",
    ),
    RefusalCode.TOO_LATE: Sentence(
        "It has taken effect or ended already.",
        "이미 처리되어 되돌릴 수 없습니다.",
    ),
    RefusalCode.WRONG_DATE: Sentence(
        "Please choose another date.",
        "다른 날짜를 선택해 주세요.",
    ),
    RefusalCode.WRONG_STATE: Sentence(
        "This is not possible in the present state of your subscription.",
        "현재 구독 상태에서는 처리할 수 없습니다.",
    ),
}


def customer_sentence(refused: Refused) -> Sentence:
    """Return what a customer is told of a refusal, by its code."""
    return SENTENCES[refused.code]
