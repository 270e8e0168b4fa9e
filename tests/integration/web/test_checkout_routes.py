"""The pages over HTTP: links that are valid, expired, altered or used, and requests of attackers."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import psycopg
from sqlalchemy import text

from tests.browser.story import LOST, overdue
from tests.support import acts
from tests.support.checkout import Shop
from worker.devstack.addresses import Postgres
from worker.domain.states import CheckoutPurpose
from worker.sandbox.rules.behaviours import misrecorded
from worker.web.pages.wording import Language, wording_version

KO = {"wording": wording_version(Language.KOREAN), "consent": True, "pg": "kakaopay", "buyer": {}}


def agree(http: httpx.Client, path: str, **changed: Any) -> httpx.Response:
    return http.post(f"{path}/agree?lang=ko", json={**KO, **changed})


def rows(shop: Shop) -> list[Any]:
    """Everything that a visit could have changed."""
    tables = ("checkouts", "subscriptions", "billing_keys", "charges", "attempts")
    return [shop.sql(f"SELECT count(*), count(DISTINCT status), max(status_at) FROM {table}") for table in tables]


# --- what every answer carries --------------------------------------------------------------------------------------


def test_security_headers_are_on_every_answer(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    answers = [
        http.get(path),
        http.get(f"{path}x"),  # 404
        http.get("/nothing"),
        http.get("/health"),
        http.get("/static/checkout.js"),
        http.post("/webhooks/portone", content=b"{}"),  # 415
        http.post(f"{path}/agree", json={}),  # 422
        http.put(path),  # 405
    ]
    assert [each.status_code for each in answers] == [200, 404, 404, 200, 200, 415, 422, 405]
    for answer in answers:
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "strict-origin"  # a link's path is no other site's business
        assert headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
        assert headers["cache-control"] == "no-store"
        assert "noindex" in headers["x-robots-tag"]
        assert "server" not in headers
        assert "set-cookie" not in headers


def test_content_security_policy_allows_nothing_inline(shop: Shop, http: httpx.Client):
    answer = http.get(shop.link(shop.pending()))
    sandbox = shop.sandbox.base_url
    policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'self' {sandbox}",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' {sandbox}",
        "frame-src": sandbox,
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    page = answer.text
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"\s(on\w+|style)=", page) == []
    assert set(re.findall(r'(?:src|href)="(http[^"]+)"', page)) == {f"{sandbox}/v1/iamport.js"}


def test_pages_hold_no_secret_and_no_key(shop: Shop, http: httpx.Client):
    code = shop.book.subscribe(now=shop.now).code
    page = http.get(shop.link(code)).text
    for secret in (shop.one("SELECT customer_uid FROM billing_keys"), "key-1", shop.signer._key.hex()):
        assert secret not in page


# --- links ----------------------------------------------------------------------------------------------------------


def test_altered_link_answers_404_to_browsers_and_programs(shop: Shop, http: httpx.Client):
    path, before = shop.link(shop.pending()), rows(shop)
    bent = path[:-1] + ("A" if path[-1] != "A" else "B")
    answers = [
        http.get(bent),
        agree(http, bent),
        http.post(f"{bent}/complete", json={"imp_uid": "imp_1"}),
        http.get(f"{bent}/return?imp_uid=imp_1&imp_success=true"),
    ]
    assert [each.status_code for each in answers] == [404] * 4
    assert rows(shop) == before


def test_expired_link_is_gone(shop: Shop, http: httpx.Client):
    path, before = shop.link(shop.pending()), rows(shop)
    shop.wait(days=3)  # the last second of it is over
    answer = http.get(path)
    assert answer.status_code == 410
    assert "링크가 만료되었습니다" in answer.text
    refused = agree(http, path)
    assert (refused.status_code, refused.json()) == (409, {"state": "expired"})
    assert rows(shop) == before


def test_window_opened_in_time_is_completed_after_the_link_expired(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    param = agree(http, path).json()["param"]
    pay(shop, param)
    shop.wait(days=4)
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    assert http.get(path).status_code == 200


def test_pending_result_is_shown_even_after_the_link_expired(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    imp_uid = pay(shop, agree(http, path).json()["param"], decision="close")
    shop.sandbox.admin.switch(outage="unavailable")
    shop.wait(days=4)
    back = http.get(f"{path}/return?lang=ko&imp_uid={imp_uid}&imp_success=true")
    assert back.headers["location"] == f"{path}?lang=ko&told=pending"
    assert "결제 결과를 확인하고 있습니다" in http.get(back.headers["location"]).text


def test_used_link_stays_done(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    pay(shop, agree(http, path).json()["param"])
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    before = rows(shop)
    assert "등록이 완료되었습니다" in http.get(path).text
    assert agree(http, path).json() == {"state": "done"}
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    back = http.get(f"{path}/return?imp_uid=imp_1&imp_success=true")
    assert (back.status_code, back.headers["location"]) == (303, f"{path}?lang=ko")
    assert rows(shop) == before


def test_older_link_says_that_the_subscription_has_its_key(shop: Shop, http: httpx.Client):
    code = shop.pending()
    used, older, opened = shop.link(code), shop.link(code), shop.link(code)
    agree(http, opened, pg="payco", buyer={"tel": "010-1234-5678"})
    pay(shop, agree(http, used).json()["param"])
    assert http.post(f"{used}/complete", json={}).json()["state"] == "done"
    before = rows(shop)
    for path in (older, opened):  # in the window of the second one nothing has happened
        assert_says(http, path, "이미 결제 수단이 등록되어 있습니다", "A payment method is registered already")
        assert agree(http, path).json() == {"state": "has_key"}
    assert rows(shop) == before
    shop.wait(days=4)
    assert_says(http, older, "이미 결제 수단이 등록되어 있습니다")  # more to the point than that it has expired


def test_link_says_that_its_subscription_is_over(shop: Shop, http: httpx.Client):
    code = shop.pending()
    path = shop.link(code)
    acts.cancel(shop.runtime.sessions, code, reason="test", now=shop.now)
    assert_says(http, path, "종료된 구독입니다", "This subscription is over")
    assert agree(http, path).json() == {"state": "over"}


def test_link_says_that_its_charge_was_paid_by_another(shop: Shop, http: httpx.Client):
    _, charge = overdue(shop)
    used, other = shop.link(charge=charge), shop.link(charge=charge)
    pay(shop, agree(http, used).json()["param"])
    assert http.post(f"{used}/complete", json={}).json()["state"] == "done"
    assert_says(http, other, "결제할 금액이 없습니다", "There is nothing left to pay here")
    assert agree(http, other).json() == {"state": "settled"}


def test_window_settled_by_reconciliation_ends_as_done(shop: Shop, http: httpx.Client):
    path = paid_without_a_webhook(shop, http)
    shop.tick()  # reconciliation looks the window's attempt up
    assert shop.sql("SELECT status FROM charges") == [("paid",)]
    assert shop.sql("SELECT count(*) FROM webhooks") == [(0,)]
    assert_says(http, path, "결제가 완료되었습니다")


def paid_without_a_webhook(shop: Shop, http: httpx.Client) -> str:
    """Pay an overdue charge in a window, and wait until its attempt is looked up; returns the link's path.

    The sandbox sends webhooks by the same clock: one that came by then would settle the attempt beside the tick.
    """
    shop.sandbox.admin.switch(webhook_delay_seconds=86_400)
    _, charge = overdue(shop)
    path = shop.link(charge=charge)
    pay(shop, agree(http, path).json()["param"])
    shop.wait(hours=2)
    return path


def test_attempt_that_a_page_is_settling_waits_for_the_next_look_up(shop: Shop, http: httpx.Client):
    """A look-up takes what no other process has locked, and waits for none."""
    path = paid_without_a_webhook(shop, http)
    with shop.runtime.sessions.begin() as page:
        for table in ("checkouts", "attempts"):
            page.execute(text(f"SELECT FROM {table} FOR UPDATE"))
        shop.tick()
        assert shop.sql("SELECT status FROM charges") == [("charging",)]
    shop.tick()
    assert shop.sql("SELECT status FROM charges") == [("paid",)]
    assert_says(http, path, "결제가 완료되었습니다")


def test_charge_that_portone_corrected_to_paid_opens_no_window(shop: Shop, http: httpx.Client):
    _, charge = overdue(shop, misrecorded())
    path = shop.link(charge=charge)
    (payment,) = shop.sandbox.admin.payments()
    shop.sandbox.admin.correct(payment["imp_uid"])
    answer = agree(http, path)
    assert (answer.status_code, answer.json()) == (409, {"state": "settled"})
    assert_says(http, path, "결제할 금액이 없습니다", "There is nothing left to pay here")
    assert shop.sandbox.admin.windows() == []
    assert len(shop.paid_on_the_ledger()) == 1


def test_repeated_agreement_is_rate_limited(shop: Shop, http: httpx.Client):
    _, charge = overdue(shop)
    path = shop.link(charge=charge)
    before = len(shop.sandbox.admin.requests())
    answers = [agree(http, path).status_code for _ in range(60)]
    asked = len(shop.sandbox.admin.requests()) - before
    assert 429 in answers
    assert asked < 60


def assert_says(http: httpx.Client, path: str, korean: str, english: str = "") -> None:
    """Read a page that has no form in both languages."""
    for language, title in (("ko", korean), ("en", english)):
        answer = http.get(f"{path}?lang={language}")
        assert (answer.status_code, "<form" in answer.text) == (200, False)
        assert title in answer.text


# --- what is paid ---------------------------------------------------------------------------------------------------


def test_payment_by_hand_without_a_working_key_asks_for_one(shop: Shop, http: httpx.Client):
    code, charge = overdue(shop, LOST)
    path = shop.link(charge=charge)
    page = http.get(path).text
    assert "그대로 이어집니다" not in page
    assert "다음 결제를 위해 결제 수단을 새로 등록해 주세요" in page
    assert "simply goes on" not in http.get(f"{path}?lang=en").text
    pay(shop, agree(http, path).json()["param"])
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    assert "다음 결제 전에 구독을 신청한 서비스에서 결제 수단을 새로 등록해 주세요" in http.get(path).text
    assert "please register another one where you signed up" in http.get(f"{path}?lang=en").text
    acts.cancel(shop.runtime.sessions, code, reason="test", now=shop.now)  # then there is no next payment
    assert "등록해 주세요" not in http.get(path).text


def test_done_page_of_a_replacement_names_what_is_charged_at_once(shop: Shop, http: httpx.Client):
    code, _ = overdue(shop, LOST)
    path = shop.link(code, pg="kakaopay", purpose=CheckoutPurpose.REPLACE)
    pay(shop, agree(http, path).json()["param"])
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    assert "미납 요금 9,900원이 곧 새 결제 수단으로 결제되고" in http.get(path).text
    assert "The overdue ₩9,900 is charged to it in a moment" in http.get(f"{path}?lang=en").text
    shop.tick()
    assert "미납 요금" not in http.get(path).text  # it is paid


def test_payment_by_hand_with_a_working_key_says_that_it_goes_on(shop: Shop, http: httpx.Client):
    _, charge = overdue(shop)
    assert "지금 결제하면 구독이 그대로 이어집니다" in http.get(shop.link(charge=charge)).text


def test_done_page_names_what_the_registering_window_paid(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending(), pg="kakaopay", with_payment=True)
    pay(shop, agree(http, path).json()["param"])
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    assert "첫 요금 9,900원 결제가 확인되었고 정기결제가 시작되었습니다." in http.get(path).text
    assert "Your first payment of ₩9,900 has been confirmed" in http.get(f"{path}?lang=en").text


def pay(shop: Shop, param: dict[str, Any], decision: str = "approve") -> str:
    """Open the sandbox's window without a browser and decide in it; gives its imp_uid."""
    with httpx.Client(base_url=shop.sandbox.base_url, trust_env=False) as sandbox:
        asked = {"code": "imp00000000", "mobile": False, "param": param}
        window = sandbox.post("/v1/windows", json=asked).json()["window"]
        sandbox.post(f"{window['path']}/decision", json={"decision": decision}).raise_for_status()
    return str(window["imp_uid"])


# --- agreeing -------------------------------------------------------------------------------------------------------


NO_CONSENT: list[tuple[dict[str, Any], int]] = [
    ({"consent": False}, 422),
    ({"consent": "yes"}, 422),  # JSON's true is meant
    ({"wording": "2020-01-ko"}, 409),  # something else was read
    ({"wording": None}, 409),
    ({"pg": "naverpay"}, 422),  # not offered
    ({"pg": None}, 422),
    ({"pg": "payco", "buyer": {"tel": "<script>alert(1)</script>"}}, 422),
    ({"buyer": None}, 422),
    ({"buyer": []}, 422),
    ({"buyer": {"name": {"$ne": 1}}}, 422),
]


def test_missing_consent_opens_no_window(shop: Shop, http: httpx.Client):
    path, before = shop.link(shop.pending()), rows(shop)
    for changed, status in NO_CONSENT:
        answer = agree(http, path, **changed)
        assert answer.status_code == status, (changed, answer.text)
        assert set(answer.json()) <= {"message", "fields"}
        assert "script" not in answer.text
        assert rows(shop) == before, changed


def test_consent_is_recorded_with_time_and_wording(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    param = agree(http, path, buyer={"name": "김하늘", "tel": "010-9876-5432", "email": "sky@example.com"}).json()[
        "param"
    ]
    assert shop.sql("SELECT agreed_at, wording FROM checkouts") == [(shop.now, KO["wording"])]
    assert param["amount"] == 0
    assert param["m_redirect_url"].startswith(f"{shop.pages.url}{path}/return")
    # who pays is passed through to the window and kept nowhere
    assert (param["buyer_name"], param["buyer_tel"]) == ("김하늘", "010-9876-5432")
    for table in ("checkouts", "billing_keys", "attempts", "audit", "subscriptions"):
        stored = json.dumps([list(row) for row in shop.sql(f"SELECT * FROM {table}")], default=str, ensure_ascii=False)
        assert not re.search(r"김하늘|010-9876|sky@", stored), table


OTHER_SITES: list[tuple[dict[str, str], int]] = [
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 200),
]


def test_other_sites_pages_cannot_agree(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    for headers, status in OTHER_SITES:
        answer = http.post(f"{path}/agree?lang=ko", json=KO, headers=headers)
        assert answer.status_code == status, headers
        assert shop.one("SELECT windows FROM checkouts") == (1 if status == 200 else 0)


BODIES = [
    (b"consent=true", "application/x-www-form-urlencoded", 415),  # what a form of another site could send
    (b"{}", "text/plain", 415),
    (b"{", "application/json", 400),
    (b"[1]", "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b"[" * 10_000, "application/json", 400),
    (b" " * 20_000, "application/json", 413),
]


def test_bodies_unlike_our_pages_are_refused(shop: Shop, http: httpx.Client):
    path, before = shop.link(shop.pending()), rows(shop)
    for content, kind, status in BODIES:
        answer = http.post(f"{path}/agree", content=content, headers={"Content-Type": kind})
        assert answer.status_code == status, (content[:20], answer.text)
        assert answer.json()["message"].endswith(".")
    assert rows(shop) == before


# --- coming back ----------------------------------------------------------------------------------------------------


def test_payment_of_another_checkout_completes_nothing(shop: Shop, http: httpx.Client):
    shop.sandbox.admin.switch(webhook_delay_seconds=3600)
    mine, other = shop.link(shop.pending()), shop.link(shop.pending(customer="customer-2"))
    imp_uid = pay(shop, agree(http, other).json()["param"])
    agree(http, mine)
    before = rows(shop)
    answer = http.post(f"{mine}/complete?lang=ko", json={"imp_uid": imp_uid, "success": True})
    assert answer.status_code == 409
    assert answer.json()["state"] == "mismatch"
    back = http.get(f"{mine}/return?lang=ko&imp_uid={imp_uid}&imp_success=true")
    assert back.headers["location"] == f"{mine}?lang=ko&told=mismatch"
    assert rows(shop) == before


def test_browsers_claim_of_payment_is_not_believed(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    agree(http, path)
    for imp_uid in ("imp_999", "", None, "x" * 5000, "imp_1'--", "<script>", 17, {"a": 1}):
        answer = http.post(f"{path}/complete?lang=ko", json={"imp_uid": imp_uid, "success": True})
        assert answer.json()["state"] == "pending", imp_uid
    assert shop.one("SELECT status FROM subscriptions") == "pending"


def test_completion_before_consent_does_nothing(shop: Shop, http: httpx.Client):
    path, before = shop.link(shop.pending()), rows(shop)
    assert http.post(f"{path}/complete", json={"imp_uid": "imp_1"}).json()["state"] == "open"
    assert rows(shop) == before


def test_query_values_are_not_reflected(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    bad = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    for address in (f"{path}?lang={bad}&told={bad}", f"{path}?told={bad}", f"/c/{bad}", f"/{bad}"):
        answer = http.get(address)
        assert "alert(1)" not in answer.text
        assert "<script>" not in answer.text


def test_scripts_in_names_are_escaped(shop: Shop, http: httpx.Client):
    name = "<script>alert(1)</script>&\"'"
    page = http.get(shop.link(shop.pending(name=name))).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#34;&#39;" in page


# --- addresses of nothing -------------------------------------------------------------------------------------------

AS_A_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_unknown_url_is_a_page_for_browsers_and_json_for_programs(http: httpx.Client):
    for address in ("/", "/nothing", "/static/nothing.js"):
        page = http.get(address, headers=AS_A_BROWSER)
        assert page.status_code == 404
        assert "페이지를 찾을 수 없습니다" in page.text
        english = http.get(address, headers=AS_A_BROWSER | {"Accept-Language": "en"})
        assert "There is no page at this address" in english.text
        assert http.get(address).json() == {"message": "Not Found"}
    assert http.get("/webhooks/portone", headers=AS_A_BROWSER).json() == {"message": "Method Not Allowed"}
    assert http.post("/nothing", json={}, headers=AS_A_BROWSER).json() == {"message": "Not Found"}


# --- other things ---------------------------------------------------------------------------------------------------


def test_head_is_answered_for_pages_and_health(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    for address in ("/health", path):
        answer = http.head(address)
        assert (answer.status_code, answer.content) == (200, b"")


def test_page_is_in_the_readers_language(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    assert '<html lang="ko">' in http.get(path).text
    english = http.get(path, headers={"Accept-Language": "en-GB,en;q=0.9,ko;q=0.5"}).text
    assert '<html lang="en">' in english
    assert "including ₩900 VAT" in english
    assert '<html lang="ko">' in http.get(f"{path}?lang=ko", headers={"Accept-Language": "en"}).text


def test_unhandled_error_shows_no_traceback(shop: Shop):
    path = shop.link(shop.pending())
    shop.sql("ALTER TABLE checkouts RENAME TO hidden")
    for method, address in (("GET", path), ("POST", f"{path}/complete")):
        with shop.http() as http:  # after a bug the server closes the connection
            answer = http.request(method, address, json={})
        assert answer.status_code == 500
        assert "Traceback" not in answer.text
        assert "checkouts" not in answer.text
        assert answer.headers["x-frame-options"] == "DENY"


def test_unreachable_database_is_answered_503(shop: Shop, http: httpx.Client, postgres: Postgres):
    path = shop.link(shop.pending())
    name = shop.one("SELECT current_database()")
    shop.runtime.engine.dispose()
    with psycopg.connect(postgres.url.replace("/again?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        for answer in (http.get(path), agree(http, path)):
            assert answer.status_code == 503
            assert name not in answer.text
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
