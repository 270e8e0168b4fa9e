"""Payment windows of the sandbox and their payments, as values."""

from __future__ import annotations

from typing import Any

from worker.sandbox.rules import window_payments
from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.window_requests import read
from worker.sandbox.rules.windows import Window


def window(**changes: Any) -> Window:
    param = {"pg": "kakaopay", "merchant_uid": "m1", "amount": 9900, "name": "Plan", "buyer_tel": "010", **changes}
    request = read("imp00000000", param, mobile=False)
    return Window("w" * 64, "imp_000000000007", request, "https://shop.example", "Browser", opened_at=1000)


def payment(of: Window, instrument: Instrument = Instrument.CARD) -> dict[str, Any]:
    return window_payments.new_payment(of, instrument=instrument, pg_tid="T1")
