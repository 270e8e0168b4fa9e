"""A host application mounts the pages into its own, or calls the same functions from pages of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.integration.web.test_checkout_routes import KO, pay
from tests.integration.web.test_webhook_route import EVENT
from tests.support.checkout import Shop
from worker import checkout
from worker.pg.window.request import Buyer, CallbackUrls
from worker.web.app import create_app


def test_mounted_pages_work_below_their_path(shop: Shop):
    settings = shop.runtime.settings.model_copy(update={"checkout_url": "https://shop.example.com/billing"})
    pages = create_app(replace(shop.runtime, settings=settings))
    host = Starlette(routes=[Mount("/billing", pages)])
    path = f"/billing{shop.link(shop.pending())}"

    async def story() -> None:
        transport = httpx.ASGITransport(host, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example.com") as http:
            page = await http.get(path)
            assert page.headers["strict-transport-security"] == "max-age=31536000"
            assert f'data-agree="{path}/agree?lang=ko"' in page.text
            for asset in ("checkout.js", "checkout.css"):
                assert f'"/billing/static/{asset}"' in page.text
                assert (await http.get(f"/billing/static/{asset}")).status_code == 200
            assert "사용할 수 없는 링크입니다" in (await http.get(f"{path}x")).text
            param = (await http.post(f"{path}/agree?lang=ko", json=KO)).json()["param"]
            assert param["m_redirect_url"] == f"https://shop.example.com{path}/return?lang=ko"
            assert param["notice_url"] == "https://shop.example.com/billing/webhooks/portone"
            await asyncio.to_thread(pay, shop, param)
            assert (await http.post(f"{path}/complete", json={})).json()["state"] == "done"
            # Mounted pages are not told that the host has started; webhooks are looked up nevertheless.
            assert (await http.post("/billing/webhooks/portone", json=EVENT)).status_code == 200
            await asyncio.to_thread(
                shop.until,
                lambda: shop.sql("SELECT 1 FROM webhooks WHERE imp_uid = 'imp_1' AND outcome_code IS NOT NULL") != [],
                "-",
            )
        await pages.close()

    asyncio.run(story())


def test_hosts_can_call_the_checkout_functions_directly(shop: Shop):
    """What docs/your-own-pages.md names, in the order in which a host calls it."""
    runtime = shop.runtime
    link = checkout.create_link(runtime.sessions, runtime.settings, subscription=shop.pending(), now=shop.now)
    view = checkout.view(runtime.sessions, runtime.settings, link.code, now=shop.now)
    assert (view.name, view.amount, view.pgs) == ("아침 편지", 9900, ("kakaopay", "payco"))
    param = checkout.agree(
        runtime.sessions,
        runtime.settings,
        link.code,
        wording="terms of 2026-11",
        buyer=Buyer(tel="010-1234-5678"),
        pg_choice="payco",
        callback_urls=CallbackUrls(m_redirect_url="https://shop.example.com/back"),
        now=shop.now,
    )
    imp_uid = pay(shop, param)

    async def complete() -> checkout.Completion:
        gateway = runtime.gateway()
        completion = await checkout.complete(runtime.checkout_context(gateway), link.code, imp_uid=imp_uid)
        await gateway.aclose()
        return completion

    assert asyncio.run(complete()).progress is checkout.Progress.DONE
    assert shop.sql("SELECT status FROM subscriptions") == [("active",)]
