"""A payment window's page: its words, its buttons, and what may frame it."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sandbox_windows import window
from worker.sandbox.http import window_page
from worker.sandbox.rules.answers import ApiError
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.providers import Instrument
from worker.sandbox.rules.windows import REASONS, State, Window, read_decision

NASTY = "'\"><script>alert(1)</script>{{7*7}}</body>&amp;\u2028"


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
def test_texts_from_the_opening_page_never_become_markup(text: str):
    given_text = text[:40]
    changed = replace(
        window().request, name=given_text, merchant_uid=given_text or "m", merchant_code=given_text or "i"
    )
    seen = Seen(page(replace(window(), request=changed), callback={"custom_data": given_text}))
    assert seen.tags == PLAIN.tags
    assert json.loads(seen.body["data-ending"] or "")["callback"]["custom_data"] == given_text


def test_window_page_has_no_inline_script_and_loads_nothing_foreign():
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
def test_window_page_names_the_effect_of_an_approval(pg: str, changes: dict[str, Any], words: list[str]):
    text = Seen(page(window(pg=pg, **changes))).text
    assert all(word in text for word in words), text


def test_window_page_exists_in_english():
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
def test_window_language_follows_link_then_browser(wanted: str | None, accepted: str | None, language: str):
    assert window_page.language(wanted, accepted) == language


@pytest.mark.parametrize("state", [State.APPROVED, State.DECLINED, State.CLOSED])
def test_decided_window_has_no_button_but_the_way_back(state: State):
    html = page(replace(window(), state=state), reports=True, callback={}, redirect=None)
    assert 'data-testid="go-on"' in html
    assert "<form" not in html
    assert 'data-testid="go-on"' not in page(replace(window(), state=state), reports=False)


def test_expired_window_has_no_buttons():
    assert "<form" not in page(window(), is_expired=True)


def test_window_may_be_framed_only_by_the_page_that_opened_it():
    policy = dict(window_page.headers(window()))["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors https://shop.example")
    assert "unsafe" not in policy
    alone = dict(window_page.headers(replace(window(), host_origin=None)))["Content-Security-Policy"]
    assert alone.endswith("frame-ancestors 'none'")


def test_window_for_cards_only_offers_and_accepts_nothing_else():
    cards = window(bypass={"kakaopay": {"payment_method_type": "CARD"}})
    assert "카카오머니" not in Seen(page(cards)).text
    assert read_decision(Call("POST", "/", fields={"decision": "approve"}), cards).instrument is Instrument.CARD
    with pytest.raises(ApiError):
        read_decision(Call("POST", "/", fields={"decision": "approve", "instrument": "money"}), cards)
