"""A real browser on real pages: Chromium through Playwright, at the size of a desktop and of a phone."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _pytest.capture import CaptureManager
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FrameLocator, Page, expect, sync_playwright

from tests.browser.chromium import arguments, chromium
from tests.support.checkout import Shop, running_shop

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/150.0.0.0 Mobile Safari/537.36"
    ),
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    assert isinstance(capture, CaptureManager)
    with capture.global_and_fixture_disabled():  # a download takes minutes, so it is announced at once
        found = chromium(lambda sentence: print(f"\nbrowser tests: {sentence}", file=sys.stderr, flush=True))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> dict[str, BrowserContext]:
    """One for each size, for all tests: no page of ours or the sandbox's keeps anything there."""
    return {
        "desktop": browser.new_context(locale="ko-KR", **DESKTOP),
        "phone": browser.new_context(locale="ko-KR", **PHONE),
    }


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
    expected: set[str] = field(default_factory=set)

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

    def agree(self, page: Page, *, pg: str | None = None) -> None:
        """Fill the form in and send it, as a customer does."""
        self.fill_in(page, pg=pg)
        page.locator("#go").click()

    def fill_in(self, page: Page, *, pg: str | None = None) -> None:
        """Choose a PG, give what is asked for, and consent."""
        if pg is not None and page.locator(f"input[type=radio][value={pg}]").count():
            page.locator(f"input[type=radio][value={pg}]").check()
        if page.locator("#tel:visible").count():
            page.locator("#tel").fill("010-1234-5678")
        page.locator("#consent").check()

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

    def refusal(self, page: Page, text: str) -> None:
        """Wait for what the page says went wrong, with its form ready for another try.

        The form is ready only when the page has asked how it stands; what it says before that is from the last time.
        """
        expect(page.locator("#go")).to_be_enabled()
        expect(page.locator("#say.wrong")).to_contain_text(text)

    def expect(self, *statuses: str) -> None:
        """Pass over what the browser says, now or later, of answers that were to be errors."""
        self.expected |= {f"status of {status}" for status in statuses}

    def unexpected(self) -> list[str]:
        return [each for each in self.complaints if not any(one in each for one in self.expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture(params=["desktop", "phone"])
def visitor(request: pytest.FixtureRequest, contexts: dict[str, BrowserContext], shop: Shop) -> Iterator[Visitor]:
    visitor = Visitor(contexts[request.param], shop, is_phone=request.param == "phone")
    yield visitor
    for page in visitor.context.pages:
        page.close()
    assert visitor.context.cookies() == []
    assert visitor.unexpected() == []
