"""A payment window by itself: its page, its decisions, and what the page that opened it hears."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.http import window_page
from worker.sandbox.rules import callbacks, window_payments
from worker.sandbox.rules.answers import ApiError
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.window_requests import WindowRefused, read
from worker.sandbox.rules.windows import REASONS, Choice, State, Window, read_decision
from worker.sandbox.switches import RegistrationAmount

NASTY = "'\"><script>alert(1)</script>{{7*7}}</body>&amp;\u2028"


def window(**changes: Any) -> Window:
    param = {"pg": "kakaopay", "merchant_uid": "m1", "amount": 9900, "name": "Plan", "buyer_tel": "010", **changes}
    request = read("imp00000000", param, mobile=False)
    return Window("w" * 64, "imp_000000000007", request, "https://shop.example", "Browser", opened_at=1000)


def payment(of: Window, instrument: Instrument = Instrument.CARD) -> dict[str, Any]:
    return window_payments.begun(of, instrument=instrument, pg_tid="T1")


def page(of: Window, *, language: str = "ko", is_expired: bool = False, **ending: Any) -> str:
    return window_page.page(of, is_expired=is_expired, language=language, ending={"state": of.state, **ending})


class Seen(HTMLParser):
    """The tags of a page with the names of their attributes, its text, and the body's attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.body: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        if tag == "body":
            self.body = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN = Seen(page(window()))


@given(st.one_of(st.just(NASTY), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)))
def test_nothing_that_a_page_gave_becomes_markup(text: str):
    given_text = text[:40]
    changed = replace(
        window().request, name=given_text, merchant_uid=given_text or "m", merchant_code=given_text or "i"
    )
    seen = Seen(page(replace(window(), request=changed), callback={"custom_data": given_text}))
    assert seen.tags == PLAIN.tags
    assert json.loads(seen.body["data-ending"] or "")["callback"]["custom_data"] == given_text


def test_a_page_runs_no_script_of_its_own_text_and_loads_nothing_from_elsewhere():
    html = page(window())
    assert "<style" not in html
    assert "style=" not in html
    assert html.count("<script") == 1
    assert ' onclick="' not in html
    assert "//" not in html.replace("https://shop.example", "")


@pytest.mark.parametrize(
    ("pg", "changes", "words"),
    [
        ("kakaopay", {}, ["카카오페이 (샌드박스)", "9,900원이 결제됩니다", "카카오머니"]),
        ("kakaopay", {"customer_uid": "u"}, ["등록되고 지금 9,900원이 결제됩니다"]),
        ("kakaopay", {"customer_uid": "u", "amount": 0}, ["지금은 결제되지 않습니다"]),
        ("payco", {}, ["PAYCO (샌드박스)", "9,900원이 결제됩니다", "PAYCO 포인트·계좌"]),
        ("payco", {"customer_uid": "u"}, ["9,900원은 결제되지 않습니다"]),
    ],
)
def test_a_window_says_what_an_approval_does(pg: str, changes: dict[str, Any], words: list[str]):
    text = Seen(page(window(pg=pg, **changes))).text
    assert all(word in text for word in words), text


def test_a_window_speaks_english_too():
    text = Seen(page(window(pg="payco", customer_uid="u"), language="en")).text
    assert "The KRW 9,900 shown is not charged." in text
    assert all(reason.english in text for reason in REASONS["payco"].values())


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        (None, "en-US,en;q=0.9,ko;q=0.8", "en"),
        (None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, "fr", "ko"),
        (None, None, "ko"),
        ("en", "ko", "en"),
        ("ko", "en", "ko"),
        ("<script>", "en", "en"),
    ],
)
def test_the_language_is_the_readers(wanted: str | None, accepted: str | None, language: str):
    assert window_page.language(wanted, accepted) == language


@pytest.mark.parametrize("state", [State.APPROVED, State.DECLINED, State.CLOSED])
def test_a_decided_window_has_no_buttons_but_the_way_back(state: State):
    html = page(replace(window(), state=state), reports=True, callback={}, redirect=None)
    assert 'data-testid="go-on"' in html
    assert "<form" not in html
    assert 'data-testid="go-on"' not in page(replace(window(), state=state), reports=False)


def test_an_expired_window_has_no_buttons():
    assert "<form" not in page(window(), is_expired=True)


def test_only_an_open_window_expires():
    assert not window().is_expired(1899, life_seconds=900)
    assert window().is_expired(1900, life_seconds=900)
    assert not replace(window(), state=State.APPROVED).is_expired(9999, life_seconds=900)


def test_only_the_page_that_opened_a_window_may_frame_it():
    policy = dict(window_page.headers(window()))["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors https://shop.example")
    assert "unsafe" not in policy
    alone = dict(window_page.headers(replace(window(), host_origin=None)))["Content-Security-Policy"]
    assert alone.endswith("frame-ancestors 'none'")


def test_a_decision_is_read_from_a_form_or_from_json():
    fields = {"decision": "decline", "instrument": "money", "reason": "balance"}
    decision = read_decision(Call("POST", "/", fields=fields), window(pg="payco"))
    assert (decision.choice, decision.instrument, decision.reason.code) == (Choice.DECLINE, Instrument.MONEY, "CC10")


@pytest.mark.parametrize("fields", [{}, {"decision": "maybe"}, {"decision": "approve", "instrument": "gold"}])
def test_a_decision_that_a_window_does_not_offer_is_refused(fields: dict[str, Any]):
    with pytest.raises(ApiError):
        read_decision(Call("POST", "/", fields=fields), window())


def test_a_window_for_cards_alone_offers_and_takes_nothing_else():
    cards = window(bypass={"kakaopay": {"payment_method_type": "CARD"}})
    assert "카카오머니" not in Seen(page(cards)).text
    assert read_decision(Call("POST", "/", fields={"decision": "approve"}), cards).instrument is Instrument.CARD
    with pytest.raises(ApiError):
        read_decision(Call("POST", "/", fields={"decision": "approve", "instrument": "money"}), cards)


@pytest.mark.parametrize(
    ("changes", "usage", "amount"),
    [
        ({}, None, 9900),
        ({"customer_uid": "u"}, "issue", 9900),
        ({"customer_uid": "u", "amount": 0}, "issue", 0),
        ({"customer_uid": "u", "pg": "payco"}, "issue", 0),
    ],
)
def test_an_approved_registration_is_for_issuing(changes: dict[str, Any], usage: str | None, amount: int):
    of = window(**changes)
    paid = window_payments.approved(of, payment(of), at=1010, recorded=RegistrationAmount.ZERO)
    assert (paid["status"], paid["customer_uid_usage"], paid["amount"]) == ("paid", usage, amount)
    assert paid["customer_uid"] == of.request.customer_uid
    assert (paid["receipt_url"] is None) == (amount == 0)
    shown = window_payments.approved(of, payment(of), at=1010, recorded=RegistrationAmount.SHOWN)
    assert shown["amount"] == of.request.amount


def test_an_open_window_shows_no_customer_uid_and_no_approval():
    of = window(customer_uid="u")
    ready = window_payments.ready(payment(of))
    assert (ready["status"], ready["customer_uid"], ready["apply_num"]) == ("ready", None, None)
    assert (ready["imp_uid"], ready["channel"]) == ("imp_000000000007", "pc")


def test_a_redirect_tells_success_and_failure():
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


def test_a_refusal_has_no_imp_uid():
    refused = callbacks.refused("m1", WindowRefused("F1002", "이미 결제가 이루어진 거래건입니다."))
    assert refused == {
        "success": False,
        "imp_uid": None,
        "merchant_uid": "m1",
        "error_code": "F1002",
        "error_msg": "이미 결제가 이루어진 거래건입니다.",
    }
