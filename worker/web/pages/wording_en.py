"""The English words."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "other_language": "한국어",
    "sandbox": "Test environment - no real money moves.",
    "the_company": "the seller",
    # what it is about
    "register_title": "Set up automatic payment",
    "register_lead": "Please check the details below and register a payment method.",
    "replace_title": "Change your payment method",
    "replace_lead": "Register the payment method for your future payments. Your subscription goes on as it is.",
    "overdue_title": "Pay an overdue bill",
    "overdue_lead": "An automatic payment did not go through. Pay it now and your subscription simply goes on.",
    "overdue_lead_missing": (
        "An automatic payment did not go through, and your payment method can no longer be charged. Pay this bill now; "
        "for the next payment, please register a payment method."
    ),
    "overdue_lead_not_needed": "An automatic payment did not go through. Please pay it here.",
    # what is agreed to
    "plan": "Plan",
    "price": "Price",
    "vat_included": "including {vat} VAT",
    "no_vat": "free of VAT",
    "per_period": "{amount} {cadence}",
    "owed": "Overdue",
    "periods": "{amount} for {count} periods",
    "one_period": "{amount} for one period",
    "given_up": "Overdue, not charged",
    "given_up_periods": "{amount} ({count} periods that began on {dates})",
    "cadence": "Charged",
    "first_charge": "First payment",
    "coming": "Next amounts",
    "coming_are": "{amounts}, in this order, with discounts, credits and one-off items",
    "planned": "Planned change",
    "next_charge": "Next payment",
    "first_now": "Today, with your registration",
    "trial": "Free trial",
    "trial_until": "free until {date}",
    "overdue_period": "For the period",
    "from_to": "{start} to {end}",
    "seller": "Charged by",
    "pay_with": "Payment method",
    "cancel_title": "How to cancel",
    "cancel": (
        "You can cancel at any time; from the next payment date on nothing is charged. To cancel or ask: {contact}"
    ),
    "cancel_no_contact": (
        "You can cancel at any time; from the next payment date on nothing is charged. "
        "Cancel where you signed up for the subscription."
    ),
    "no_charge_now": "Nothing is charged now; your payment method is only registered.",
    "spoken_check": "{pg}: from {amount} on, its window may call you to confirm the payment.",
    "charged_now": "The first {amount} is charged today, as soon as you have registered.",
    "given_up_note": "Of what is overdue, {given_up} is not charged to the new payment method.",
    "replace_owed": "The overdue {owed} is charged to the new payment method as soon as you have registered.",
    # the form
    "buyer": "Your details",
    "buyer_note": "They are passed on to the payment window only, and not stored.",
    "name": "Name",
    "tel": "Mobile number",
    "email": "E-mail",
    "choose_pg": "Choose a payment method",
    "consent_title": "Consent",
    "consent_register": (
        "I have read the above and agree that {amount} is charged automatically {cadence} "
        "to the payment method I register."
    ),
    "consent_register_now": (
        "I have read the above and agree that {first} is charged today, and then {amount} automatically {cadence}, "
        "to the payment method I register."
    ),
    "consent_replace": (
        "I have read the above and agree that future payments ({amount} {cadence}) are charged automatically "
        "to my new payment method."
    ),
    "consent_replace_owed": (
        "I have read the above and agree that the overdue {owed} and future payments ({amount} {cadence}) are charged "
        "automatically to my new payment method."
    ),
    "consent_overdue": "I have read the above and agree to pay {amount} now.",
    "button_register": "Agree and register with {pg}",
    "button_register_pay": "Agree and pay {amount} with {pg}",
    "button_replace": "Change to {pg}",
    "button_overdue": "Pay {amount} with {pg}",
    "button_any": "Agree and continue",
    "no_script": "Please switch on JavaScript in your browser to pay on this page.",
    # what the script says
    "opening": "Opening the payment window…",
    "in_window": "Please continue in the payment window.",
    "checking": "Checking the result of your payment. Please keep this page open.",
    "trouble": "The connection is poor. Please try again in a moment. If you have paid already, do not pay again.",
    "no_sdk": "The payment window could not be loaded. Please reload this page and try again.",
    "agree_first": "Please check the details and tick the consent box.",
    "buyer_wrong": "Please check the details you have entered.",
    "field_wrong": "{field}: please write it like {example}.",
    "example": "For example: {example}",
    "reload": "What you agree to has changed. Please reload this page and read it again.",
    "not_possible": (
        "The payment window cannot be opened at the moment. If this goes on, please ask where you signed up."
    ),
    # how a window ended
    "declined": (
        "The payment was not completed: the window was closed, or the payment was declined. "
        "Please choose another payment method or try again."
    ),
    "declined_register": (
        "The payment method was not registered: the window was closed, or the registration was refused. Nothing was "
        "charged. Please choose another payment method or try again."
    ),
    "said": "{pg} said: {said}",
    "said_in_korean": "{pg} said (in Korean): {said}",
    "mismatch": (
        "The payment differs from what was shown here, so it was not accepted. We will look into it; please "
        "do not pay again."
    ),
    "pending": (
        "The result of your payment is not known yet. Please do not pay again, and reload this page in a moment."
    ),
    # result pages
    "done_register_title": "You are all set",
    "done_register": "Automatic payment has been set up. You can close this page.",
    "done_register_paid": (
        "Your first payment of {amount} has been confirmed, and automatic payment has been set up. "
        "You can close this page."
    ),
    "done_replace_title": "Your payment method has been changed",
    "done_replace": "It is used from the next payment on. You can close this page.",
    "done_replace_owed": (
        "The overdue {amount} is charged to it in a moment, and it is used from the next payment on. "
        "You can close this page."
    ),
    "done_overdue_title": "Thank you, your payment is complete",
    "done_overdue": "Your payment of {amount} has been confirmed. You can close this page.",
    "done_overdue_missing": (
        "Your payment of {amount} has been confirmed. Your payment method can no longer be charged: "
        "please register another one where you signed up, before the next payment."
    ),
    "done_overdue_not_needed": "Your payment of {amount} has been confirmed. You can close this page.",
    "pending_title": "Checking the result of your payment",
    "mismatch_title": "This needs to be looked into",
    "expired_title": "This link has expired",
    "expired": "For your safety, links work for a limited time. Please ask for a new one where you signed up.",
    "has_key_title": "A payment method is registered already",
    "has_key": "There is nothing more to do with this link. To change your payment method, ask where you signed up.",
    "over_title": "This subscription is over",
    "over": "No payment method is needed any more, and nothing is charged. You can close this page.",
    "settled_title": "There is nothing left to pay here",
    "settled": "This bill has been settled meanwhile. Please do not pay again; you can close this page.",
    "invalid_title": "This link cannot be used",
    "invalid": "The address is incomplete or was changed. Please open the link in your message again.",
    "error_title": "Something went wrong",
    "error": "Please try again in a moment. If you have paid already, do not pay again.",
    "nowhere_title": "There is no page at this address",
    "nowhere": "Please open the link in your message.",
    "again": "Check again",
    "contact": "Contact: {contact}",
}
