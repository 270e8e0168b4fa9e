"""The example hosts' own pages: from the form through PortOne's window to the end, then a plan change and a cancel."""

from __future__ import annotations

import re
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


@pytest.fixture
def page(host: Host, browser: Browser) -> Iterator[Page]:
    """A logged-in customer's browser. Whatever its console complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context()
    context.add_cookies([{"name": n, "value": v, "url": host.url} for n, v in host.cookies("gildong").items()])
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(host.url)
    yield page
    context.close()
    assert complaints == []


def fill_in(page: Page) -> None:
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_label("kakaopay").check()
    page.get_by_label("Telephone").fill("010-1234-5678")
    page.get_by_label("I agree").check()


def test_declined_customer_registers_on_a_hosts_page(host: Host, page: Page):
    fill_in(page)
    decide(page, "decline")
    expect(page.get_by_role("status")).to_contain_text("한도초과")  # the PG's own words
    decide(page, "approve")
    expect(page.get_by_text("All is done, thank you.")).to_be_visible()
    assert len(host.shop.paid_on_the_ledger()) == 1


def test_customer_changes_the_plan_and_cancels_on_a_hosts_page(host: Host, page: Page):
    fill_in(page)
    decide(page, "approve")
    page.get_by_role("link", name="Your subscriptions").click()
    expect(page.get_by_role("cell", name="paid on")).to_have_count(1)
    expect(page.get_by_role("link", name="Receipt")).to_have_attribute("href", re.compile("^https://receipt.kakaopay"))

    page.get_by_role("link", name="Change the plan").click()
    expect(page.get_by_role("cell", name="14,900 won")).to_have_count(3)
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("아침 편지 플러스")).to_be_visible()
    assert statuses(host) == [("change_plan", "scheduled")]
    page.get_by_role("button", name="Undo").click()

    page.get_by_role("link", name="Cancel at the period's end").click()
    expect(page.get_by_text("그 뒤로는 청구되지 않습니다.")).to_be_visible()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_text("구독이 해지되며")).to_be_visible()
    expect(page.get_by_text("active, paid until")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Cancel at the period's end")).to_be_visible()
    assert statuses(host) == [("change_plan", "undone"), ("cancel", "undone")]
    assert len(host.shop.paid_on_the_ledger()) == 1


def statuses(host: Host) -> list[tuple[str, str]]:
    return [(row.kind, row.status) for row in host.shop.sql("SELECT kind, status FROM changes ORDER BY id")]
