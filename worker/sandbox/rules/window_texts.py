"""The words of the payment windows, in Korean and English: the sandbox's own, not a PG's."""

from __future__ import annotations

from collections.abc import Mapping

from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.window_requests import Use

TITLES = {
    "kakaopay": {"ko": "카카오페이 (샌드박스)", "en": "Kakao Pay (sandbox)"},
    "payco": {"ko": "PAYCO (샌드박스)", "en": "PAYCO (sandbox)"},
}
PLAIN_TITLE = {"ko": "{pg} (샌드박스)", "en": "{pg} (sandbox)"}  # of every other PG
INSTRUMENTS = {
    "kakaopay": {
        Instrument.CARD: {"ko": "카드", "en": "Card"},
        Instrument.MONEY: {"ko": "카카오머니", "en": "Kakao money"},
    },
    "payco": {
        Instrument.CARD: {"ko": "카드", "en": "Card"},
        Instrument.MONEY: {"ko": "PAYCO 포인트·계좌", "en": "PAYCO points or bank account"},
    },
}
CARD_ONLY = {Instrument.CARD: {"ko": "카드", "en": "Card"}}
EFFECTS = {
    Use.PAYMENT: {"ko": "승인하면 {amount}이 결제됩니다.", "en": "Approving pays {amount}."},
    Use.REGISTRATION: {
        "ko": "승인하면 정기결제 수단이 등록됩니다. 지금은 결제되지 않습니다.",
        "en": "Approving registers this for recurring payments. Nothing is charged now.",
    },
    Use.REGISTRATION_WITH_PAYMENT: {
        "ko": "승인하면 정기결제 수단이 등록되고 지금 {amount}이 결제됩니다.",
        "en": "Approving registers this for recurring payments and pays {amount} now.",
    },
}
# A registration that shows an amount, as PAYCO's does.
SHOWN_ONLY = {
    "ko": "승인하면 정기결제 수단이 등록됩니다. 표시된 {amount}은 결제되지 않습니다.",
    "en": "Approving registers this for recurring payments. The {amount} shown is not charged.",
}
OUTCOMES = {
    "approved": {"ko": "승인되었습니다.", "en": "This was approved."},
    "declined": {"ko": "거절되었습니다.", "en": "This was declined."},
    "closed": {"ko": "창을 닫아 취소되었습니다.", "en": "This was cancelled by closing the window."},
    "expired": {"ko": "결제 유효시간이 지났습니다.", "en": "This window has expired."},
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "ko": {
        "no_money": "시험용 결제창입니다. 실제로 결제되지 않습니다.",
        "other_language": "English",
        "merchant": "가맹점",
        "order_name": "상품명",
        "order_number": "주문번호",
        "amount": "금액",
        "instrument": "결제수단",
        "approve": "승인",
        "reason": "거절 사유",
        "decline": "거절",
        "close": "창 닫기",
        "go_on": "가맹점으로 돌아가기",
        "working": "처리하고 있습니다…",
        "ended": "처리되었습니다.",
        "silent": "처리되었지만 가맹점은 결과를 받지 못합니다 (m_redirect_url 없음 또는 설정). 이 탭을 닫아 주세요.",
        "expired": "결제 유효시간이 지났습니다. 가맹점에서 다시 시도해 주세요.",
        "trouble": "응답이 없습니다. 다시 눌러도 두 번 결제되지 않습니다.",
    },
    "en": {
        "no_money": "A window for trying things out. No money moves.",
        "other_language": "한국어",
        "merchant": "Merchant",
        "order_name": "Order",
        "order_number": "Order number",
        "amount": "Amount",
        "instrument": "Pay with",
        "approve": "Approve",
        "reason": "Reason for declining",
        "decline": "Decline",
        "close": "Close window",
        "go_on": "Back to the merchant",
        "working": "Working…",
        "ended": "Done.",
        "silent": "Done, but the merchant's page is not told (no m_redirect_url, or a setting). Close this tab.",
        "expired": "This window has expired. Start again at the merchant's page.",
        "trouble": "No answer. Press again; it cannot be paid twice.",
    },
}
