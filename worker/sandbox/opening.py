"""Opening a payment window: the checks beforehand, a `ready` payment, and an id that cannot be guessed."""

from __future__ import annotations

import secrets

from worker.sandbox import announcing
from worker.sandbox.rules import texts, window_payments, window_requests
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.providers import REDIRECTS_ON_MOBILE, Instrument
from worker.sandbox.rules.web_addresses import origin
from worker.sandbox.rules.window_requests import ALREADY_PAID, BAD_PARAMETER, WindowRefused, WindowRequest
from worker.sandbox.rules.windows import Window
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import payment_rows, window_rows
from worker.sandbox.store.payment_rows import Taxes
from worker.sandbox.switches import Repeat


def opened(sandbox: Sandbox, call: Call) -> Window:
    """Open a window for `IMP.request_pay`, or raise WindowRefused.

    Two windows may be open for one merchant_uid, as two tabs have them; only one of them can be paid [assumed].
    """
    param = call.fields.get("param")
    if not isinstance(param, dict):
        raise WindowRefused(BAD_PARAMETER, texts.FIELD_MISSING.format(field="merchant_uid"))
    redirecting = REDIRECTS_ON_MOBILE | frozenset({"payco"} if sandbox.switches.payco_redirects else ())
    mobile = call.fields.get("mobile") is True
    request = window_requests.read(call.fields.get("code"), param, mobile=mobile, redirecting=redirecting)
    refuse_paid(sandbox, request)
    _refuse_repeated(sandbox, request)
    window = Window(
        window_id=secrets.token_hex(32),
        imp_uid=window_payments.imp_uid(sandbox.next_number()),
        request=request,
        host_origin=origin(call.origin),
        user_agent=call.user_agent,
        opened_at=sandbox.now(),
    )
    window_rows.add(sandbox.ledger, window)
    payment_rows.add(
        sandbox.ledger,
        window_payments.ready(new_payment(sandbox, window, Instrument.CARD)),
        number=window.number,
        charged=0,
        at=window.opened_at,
        visible_at=0,
        notice_urls=request.notice_urls,
        taxes=Taxes(request.tax_free, request.vat_amount),
        has_webhooks=announcing.has_webhooks(sandbox, request.notice_urls),
    )
    return window


def refuse_paid(sandbox: Sandbox, request: WindowRequest) -> None:
    """Raise WindowRefused for a merchant_uid that was paid [documented]; cancelled counts as paid [assumed]."""
    if payment_rows.statuses(sandbox.ledger, request.merchant_uid) & {"paid", "cancelled"}:
        raise WindowRefused(ALREADY_PAID, texts.ALREADY_PAID)


def _refuse_repeated(sandbox: Sandbox, request: WindowRequest) -> None:
    """Raise WindowRefused, if so switched, for a merchant_uid of an earlier window: each needs a new one [documented].

    Which PGs insist on it, and with which code, is not known.
    """
    if sandbox.switches.repeated_window is Repeat.REFUSE and window_rows.is_known(sandbox.ledger, request.merchant_uid):
        raise WindowRefused(BAD_PARAMETER, texts.ALREADY_USED)


def new_payment(sandbox: Sandbox, window: Window, instrument: Instrument) -> Payment:
    """Return the window's payment with the buyer's instrument, before it has an outcome."""
    pg_tid = "T" + sandbox.hex_of(f"tid:{window.number}")[:20]  # Kakao Pay's form [seen]; assumed for PAYCO
    return window_payments.new_payment(window, instrument=instrument, pg_tid=pg_tid)
