"""A real browser on real pages: Chromium through Playwright, at the size of a desktop and of a phone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FrameLocator, Page, expect, sync_playwright

from tests.browser.chromium import arguments, chromium
from tests.fixtures.checkout import Shop, running_shop

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/150.0.0.0 Mobile Safari/537.36"
    ),
}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = chromium()
        browser = playwright.chromium.launch(executable_path=found, args=arguments())
        yield browser
        browser.close()


@pytest.fixture
def shop(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("AGAIN_DATABASE_URL", database_url)
    monkeypatch.setenv("AGAIN_BROKER_URL", "memory://")
    with tempfile.TemporaryDirectory() as folder, running_shop(database_url, Path(folder)) as shop:
        yield shop


@dataclass
class Visitor:
    """A customer at a browser. Whatever the console complains of fails the test at its end, unless it was expected."""

    context: BrowserContext
    shop: Shop
    is_phone: bool
    complaints: list[str] = field(default_factory=list)

    def page(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        return page

    def visit(self, path: str) -> Page:
        page = self.page()
        page.goto(self.shop.pages.url + path)
        return page

    def agree(self, page: Page, *, pg: str | None = None, tel: str = "010-1234-5678") -> None:
        """Fill the form in and send it, as a person does."""
        if pg is not None and page.locator(f"input[type=radio][value={pg}]").count():
            page.locator(f"input[type=radio][value={pg}]").check()
        if page.locator("#tel:visible").count():
            page.locator("#tel").fill(tel)
        page.locator("#consent").check()
        page.locator("#go").click()

    def window(self, page: Page) -> FrameLocator | Page:
        """Give the payment window: over the page, or for Kakao Pay on a phone in its place."""
        over_the_page = page.locator("[name=sandbox-window]")
        expect(over_the_page.or_(page.get_by_test_id("payment-window"))).to_be_visible()
        return over_the_page.content_frame if over_the_page.count() else page

    def decide(self, page: Page, decision: str) -> None:
        """Approve, decline or close the payment window."""
        self.window(page).get_by_test_id(decision).click()

    def result(self, page: Page, state: str = "done") -> None:
        """Wait for the page that says how it ended."""
        expect(page.locator(f"[data-testid=result][data-state={state}]")).to_be_visible()

    def refusal(self, page: Page) -> str:
        """Wait for what the page says went wrong, with its form ready for another try."""
        expect(page.locator("#say.wrong")).to_be_visible()
        expect(page.locator("#go")).to_be_enabled()
        return page.locator("#say").inner_text()

    def expect(self, *statuses: str) -> None:
        """Pass over what the browser says of answers that were to be errors."""
        self.complaints = [each for each in self.complaints if not any(f"status of {one}" in each for one in statuses)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture(params=["desktop", "phone"])
def visitor(request: pytest.FixtureRequest, browser: Browser, shop: Shop) -> Iterator[Visitor]:
    is_phone = request.param == "phone"
    context = browser.new_context(locale="ko-KR", **(PHONE if is_phone else DESKTOP))
    visitor = Visitor(context, shop, is_phone)
    yield visitor
    context.close()
    assert visitor.complaints == []
