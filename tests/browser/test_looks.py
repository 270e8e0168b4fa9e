"""The pages as customers see them: nothing is cut off on the smallest phone, and pictures of them for the documents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import shows_korean
from tests.browser.conftest import Visitor
from tests.browser.sizes import ON_A_DESKTOP, ON_A_PHONE
from tests.support.checkout import Shop

PICTURES = Path(__file__).parent / "screenshots"
LARGEST_PICTURE = 150_000  # bytes

Scheme = Literal["light", "dark"]

CONTRAST = """() => {
    const channel = (value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = (rgb) => rgb.map((each) => channel(each / 255)).reduce((sum, each, place) =>
        sum + each * [0.2126, 0.7152, 0.0722][place], 0);
    const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const ground = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = numbers(getComputedStyle(each).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const poor = [];
    document.querySelectorAll("body *").forEach((element) => {
        const ownText = [...element.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
        if (!ownText || !element.checkVisibility()) return;
        const style = getComputedStyle(element);
        const [bright, dark] = [light(numbers(style.color).slice(0, 3)), light(ground(element))].sort((a, b) => b - a);
        if ((bright + 0.05) / (dark + 0.05) < 4.5) poor.push(element.outerHTML.slice(0, 120));
    });
    return poor;
}"""


TOUCHED = "button, .choice, .consent, .language, .field input"
TOO_SMALL = """elements => elements
    .filter(each => each.checkVisibility() && each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"""


def picture(page: Page, name: str, *, whole: bool = True) -> None:
    """Take a new picture only when asked to, with PICTURES=1."""
    kept = PICTURES / f"{name}.png"
    if os.environ.get("PICTURES"):
        assert shows_korean(), "without a Korean font the picture would show boxes"
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=kept, full_page=whole)
    assert kept.stat().st_size < LARGEST_PICTURE


@ON_A_PHONE
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_smallest_phone_shows_everything_readably(visitor: Visitor, shop: Shop, scheme: Scheme):
    page = visitor.page()
    page.emulate_media(color_scheme=scheme)
    links = {
        "register": shop.link(shop.pending()),
        "long": shop.link(shop.pending("long", name="A" * 40), pg="payco", with_payment=False),
        "bent": "/c/x",
    }
    for path in links.values():
        for language in ("ko", "en"):
            page.goto(f"{shop.pages.url}{path}?lang={language}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            assert page.evaluate(CONTRAST) == []
            assert page.eval_on_selector_all(TOUCHED, TOO_SMALL) == []
    visitor.expect("404")


@ON_A_PHONE
def test_page_on_a_phone_looks_as_recorded(visitor: Visitor, shop: Shop):
    page = visitor.visit(shop.link(shop.pending()))
    picture(page, "register-phone")
    visitor.agree(page, pg="kakaopay")
    visitor.decide(page, "approve")
    visitor.result(page)
    picture(page, "done-phone")


@ON_A_DESKTOP
def test_page_on_a_desktop_with_its_window_looks_as_recorded(visitor: Visitor, shop: Shop):
    page = visitor.page()
    page.set_viewport_size({"width": 1000, "height": 760})
    page.goto(shop.pages.url + shop.link(shop.pending(), pg="kakaopay", with_payment=True))
    visitor.agree(page)
    visitor.window(page).get_by_test_id("approve").wait_for()
    picture(page, "window-desktop", whole=False)
