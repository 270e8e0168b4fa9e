"""The example hosts' own script: from the form through PortOne's window to the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.checkout import Shop
from tests.support.hosts import HOSTS, Host, running_host


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with running_host(request.param, shop, monkeypatch) as host:
        yield host


def decide(page: Page, decision: str) -> None:
    page.get_by_role("button", name="Go on").click()
    page.locator("[name=sandbox-window]").content_frame.get_by_test_id(decision).click()


def test_declined_customer_registers_on_a_hosts_page(host: Host, browser: Browser):
    complaints: list[str] = []
    context = browser.new_context()
    context.add_cookies([{"name": n, "value": v, "url": host.url} for n, v in host.cookies("gildong").items()])
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(host.url)
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_label("kakaopay").check()
    page.get_by_label("Telephone").fill("010-1234-5678")
    page.get_by_label("I agree").check()
    decide(page, "decline")
    expect(page.get_by_role("status")).to_contain_text("한도초과")  # the PG's own words
    decide(page, "approve")
    expect(page.get_by_text("All is done, thank you.")).to_be_visible()
    context.close()
    assert complaints == []
    assert len(host.shop.paid_on_the_ledger()) == 1
