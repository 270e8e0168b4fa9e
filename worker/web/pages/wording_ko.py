"""The Korean words."""

from __future__ import annotations

from collections.abc import Mapping

KOREAN: Mapping[str, str] = {
    "other_language": "English",
    "sandbox": "테스트 환경 - 실제로 결제되지 않습니다.",
    "the_company": "판매자",
    # what it is about
    "register_title": "정기결제 등록",
    "register_lead": "아래 내용을 확인하고 결제 수단을 등록해 주세요.",
    "replace_title": "결제 수단 변경",
    "replace_lead": "앞으로의 정기결제에 사용할 결제 수단을 새로 등록합니다. 이용 중인 구독은 그대로 유지됩니다.",
    "overdue_title": "미납 요금 결제",
    "overdue_lead": "자동결제가 이루어지지 않은 요금입니다. 지금 결제하면 구독이 그대로 이어집니다.",
    "overdue_lead_missing": (
        "자동결제가 이루어지지 않은 요금이며, 등록된 결제 수단으로는 더 이상 결제할 수 없습니다. 이 요금을 지금 "
        "결제하고, 다음 결제를 위해 결제 수단을 새로 등록해 주세요."
    ),
    "overdue_lead_not_needed": "자동결제가 이루어지지 않은 요금입니다. 여기에서 결제해 주세요.",
    # what is agreed to
    "plan": "상품",
    "price": "요금",
    "vat_included": "부가세 {vat} 포함",
    "no_vat": "부가세 없음(면세)",
    "per_period": "{amount} / {cadence}",
    "owed": "미납 요금",
    "periods": "{amount} ({count}회분)",
    "one_period": "{amount} (1회분)",
    "given_up": "결제하지 않는 미납 요금",
    "given_up_periods": "{amount} ({count}회분, {dates}에 시작한 이용 기간)",
    "cadence": "결제 주기",
    "first_charge": "첫 결제",
    "next_charge": "다음 결제",
    "planned": "예정된 변경",
    "coming": "결제 예정 금액",
    "coming_are": "{amounts} (할인, 적립금 등을 반영한 순서입니다)",
    "first_now": "오늘 (등록과 함께 결제)",
    "trial": "무료 체험",
    "trial_until": "{date}까지 무료",
    "overdue_period": "이용 기간",
    "from_to": "{start} ~ {end}",
    "seller": "청구하는 곳",
    "pay_with": "결제 수단",
    "cancel_title": "해지 안내",
    "cancel": "언제든지 해지할 수 있으며, 해지하면 다음 결제일부터 청구되지 않습니다. 해지 및 문의: {contact}",
    "cancel_no_contact": (
        "언제든지 해지할 수 있으며, 해지하면 다음 결제일부터 청구되지 않습니다. 해지는 구독을 신청한 "
        "서비스에서 하실 수 있습니다."
    ),
    "no_charge_now": "지금은 결제되지 않고 결제 수단만 등록됩니다.",
    "spoken_check": "{pg}: {amount} 이상은 결제창에서 전화(ARS) 확인이 있을 수 있습니다.",
    "charged_now": "등록을 마치면 첫 요금 {amount}이 오늘 바로 결제됩니다.",
    "given_up_note": "미납 요금 중 {given_up}은 새 결제 수단으로 결제되지 않습니다.",
    "replace_owed": "등록을 마치면 미납 요금 {owed}이 새 결제 수단으로 바로 결제됩니다.",
    # the form
    "buyer": "결제자 정보",
    "buyer_note": "결제창에 전달하는 데에만 쓰이며 저장되지 않습니다.",
    "name": "이름",
    "tel": "휴대폰 번호",
    "email": "이메일",
    "choose_pg": "결제 수단 선택",
    "consent_title": "동의",
    "consent_register": (
        "위 내용을 확인했으며, {cadence} {amount}이 등록한 결제 수단에서 자동으로 결제되는 것에 동의합니다."
    ),
    "consent_register_now": (
        "위 내용을 확인했으며, 오늘 첫 요금 {first}이 결제되고 이후 {cadence} {amount}이 등록한 결제 "
        "수단에서 자동으로 "
        "결제되는 것에 동의합니다."
    ),
    "consent_replace": (
        "위 내용을 확인했으며, 앞으로의 정기결제({cadence} {amount})가 새 결제 수단에서 자동으로 결제되는 "
        "것에 동의합니다."
    ),
    "consent_replace_owed": (
        "위 내용을 확인했으며, 미납 요금 {owed}과 앞으로의 정기결제({cadence} {amount})가 새 결제 수단에서 "
        "자동으로 결제되는 "
        "것에 동의합니다."
    ),
    "consent_overdue": "위 내용을 확인했으며, {amount}을 지금 결제하는 것에 동의합니다.",
    "button_register": "동의하고 {pg}로 등록하기",
    "button_register_pay": "동의하고 {pg}로 {amount} 결제하기",
    "button_replace": "{pg}로 변경하기",
    "button_overdue": "{pg}로 {amount} 결제하기",
    "button_any": "동의하고 계속하기",
    "no_script": "이 페이지에서 결제하려면 브라우저의 자바스크립트를 켜 주세요.",
    # what the script says
    "opening": "결제창을 여는 중입니다…",
    "in_window": "결제창에서 계속 진행해 주세요.",
    "checking": "결제 결과를 확인하는 중입니다. 창을 닫지 마세요.",
    "trouble": "연결이 원활하지 않습니다. 잠시 후 다시 시도해 주세요. 이미 결제하셨다면 다시 결제하지 않으셔도 됩니다.",
    "no_sdk": "결제창을 불러오지 못했습니다. 페이지를 새로 고친 뒤 다시 시도해 주세요.",
    "agree_first": "내용을 확인하고 동의에 체크해 주세요.",
    "buyer_wrong": "입력한 결제자 정보를 확인해 주세요.",
    "field_wrong": "{field}: {example} 형식으로 입력해 주세요.",
    "example": "예: {example}",
    "reload": "안내 내용이 바뀌었습니다. 페이지를 새로 고쳐 다시 확인해 주세요.",
    "not_possible": "지금은 결제창을 열 수 없습니다. 문제가 계속되면 구독을 신청한 서비스에 문의해 주세요.",
    # how a window ended
    "declined": (
        "결제가 완료되지 않았습니다. 결제창을 닫았거나 승인이 거절된 경우입니다. 다른 결제 수단을 선택하거나 "
        "다시 시도해 주세요."
    ),
    "declined_register": (
        "결제 수단이 등록되지 않았습니다. 결제창을 닫았거나 등록이 거절된 경우이며, 결제된 금액은 없습니다. 다른 결제 "
        "수단을 선택하거나 다시 시도해 주세요."
    ),
    "said": "{pg} 안내: {said}",
    "said_in_korean": "{pg} 안내: {said}",
    "mismatch": "결제 내용이 안내한 내용과 달라 완료하지 않았습니다. 담당자가 확인할 예정이니 다시 결제하지 마세요.",
    "pending": "결제 결과를 아직 확인하지 못했습니다. 다시 결제하지 마시고 잠시 후 이 페이지를 새로 고쳐 주세요.",
    # result pages
    "done_register_title": "등록이 완료되었습니다",
    "done_register": "정기결제가 시작되었습니다. 이 창은 닫아도 됩니다.",
    "done_register_paid": "첫 요금 {amount} 결제가 확인되었고 정기결제가 시작되었습니다. 이 창은 닫아도 됩니다.",
    "done_replace_title": "결제 수단이 변경되었습니다",
    "done_replace": "다음 결제부터 새 결제 수단이 사용됩니다. 이 창은 닫아도 됩니다.",
    "done_replace_owed": (
        "미납 요금 {amount}이 곧 새 결제 수단으로 결제되고, 다음 결제부터도 새 결제 수단이 사용됩니다. "
        "이 창은 닫아도 됩니다."
    ),
    "done_overdue_title": "결제가 완료되었습니다",
    "done_overdue": "{amount} 결제가 확인되었습니다. 이 창은 닫아도 됩니다.",
    "done_overdue_missing": (
        "{amount} 결제가 확인되었습니다. 등록된 결제 수단으로는 더 이상 결제할 수 없으니, 다음 결제 전에 구독을 신청한 "
        "서비스에서 결제 수단을 새로 등록해 주세요."
    ),
    "done_overdue_not_needed": "{amount} 결제가 확인되었습니다. 이 창은 닫아도 됩니다.",
    "pending_title": "결제 결과를 확인하고 있습니다",
    "mismatch_title": "확인이 필요합니다",
    "expired_title": "링크가 만료되었습니다",
    "expired": "보안을 위해 링크는 정해진 기간에만 쓸 수 있습니다. 구독을 신청한 서비스에서 새 링크를 받아 주세요.",
    "has_key_title": "이미 결제 수단이 등록되어 있습니다",
    "has_key": "이 링크로 더 하실 일은 없습니다. 결제 수단을 바꾸려면 구독을 신청한 서비스에 문의해 주세요.",
    "over_title": "종료된 구독입니다",
    "over": "결제 수단을 등록하지 않아도 되며 더 이상 결제되지 않습니다. 이 창은 닫아도 됩니다.",
    "settled_title": "결제할 금액이 없습니다",
    "settled": "이 요금은 이미 처리되었습니다. 다시 결제하지 마세요. 이 창은 닫아도 됩니다.",
    "invalid_title": "사용할 수 없는 링크입니다",
    "invalid": "주소가 잘렸거나 바뀌었습니다. 받으신 메시지의 링크를 다시 눌러 주세요.",
    "error_title": "일시적인 오류입니다",
    "error": "잠시 후 다시 시도해 주세요. 이미 결제하셨다면 다시 결제하지 마세요.",
    "nowhere_title": "페이지를 찾을 수 없습니다",
    "nowhere": "받으신 메시지의 링크를 눌러 주세요.",
    "again": "다시 확인",
    "contact": "문의: {contact}",
}
