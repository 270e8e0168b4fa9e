"""The result a payment window reports to the page that opened it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.support.sandbox_windows import payment, window
from worker.sandbox.rules import callbacks, window_payments
from worker.sandbox.rules.window_requests import WindowRefused
from worker.sandbox.switches import RegistrationAmount


def test_redirect_reports_success_and_failure():
    of = window()
    paid = window_payments.approved(of, payment(of), at=1010, recorded=RegistrationAmount.ZERO)
    address = callbacks.redirect_address("https://shop.example/done?a=1", callbacks.succeeded(paid))
    assert parse_qs(urlsplit(address).query) == {
        "a": ["1"],
        "imp_uid": ["imp_000000000007"],
        "merchant_uid": ["m1"],
        "imp_success": ["true"],
    }
    failed = callbacks.failed(paid, "CC61", "한도초과")
    query = parse_qs(urlsplit(callbacks.redirect_address("https://shop.example/", failed)).query)
    assert (query["imp_success"], query["error_code"], query["error_msg"]) == (["false"], ["CC61"], ["한도초과"])


def test_callback_of_a_rejected_window_has_no_imp_uid():
    refused = callbacks.refused("m1", WindowRefused("F1002", "이미 결제가 이루어진 거래건입니다."))
    assert refused == {
        "success": False,
        "imp_uid": None,
        "merchant_uid": "m1",
        "error_code": "F1002",
        "error_msg": "이미 결제가 이루어진 거래건입니다.",
    }
