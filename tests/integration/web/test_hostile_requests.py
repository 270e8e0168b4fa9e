"""Requests that no browser sends: nothing is reflected, nothing waits for ever, every answer has headers."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy.exc import TimeoutError as NoConnection

from tests.integration.web.test_checkout_routes import KO, agree, pay, rows
from tests.support.checkout import Shop
from worker.domain.errors import Refused
from worker.web.checkout_service import CheckoutService
from worker.web.http import connections, rate_limit

Send = Callable[[bytes], bytes]


@pytest.fixture
def send(shop: Shop) -> Send:
    """Send bytes on a connection of their own, and give all that comes until the server hangs up."""

    def sent(data: bytes) -> bytes:
        port = int(shop.pages.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    return sent


def get(path: str, host: str = "127.0.0.1") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


# --- headers --------------------------------------------------------------------------------------------------------

REFUSED_BEFORE_THE_APPLICATION = [
    b"garbage\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",  # without a Host
    b"POST /webhooks/portone HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000,  # a head without end
]


def test_malformed_http_is_refused_with_security_headers(send: Send):
    for data in REFUSED_BEFORE_THE_APPLICATION:
        head, _, body = send(data).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400"), data[:40]
        for header in (b"content-security-policy: default-src 'none'", b"x-content-type-options: nosniff"):
            assert header in head.lower()
        assert b"cache-control: no-store" in head.lower()
        assert b"garbage" not in body


NAMED = {
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "x-robots-tag",
    "cache-control",
}


def test_security_headers_are_on_every_kind_of_answer(shop: Shop, http: httpx.Client, monkeypatch: pytest.MonkeyPatch):
    path = shop.link(shop.pending())
    as_json = {"Content-Type": "application/json"}
    answers = [
        (http.options(path), 405),
        (http.request("TRACE", path), 405),
        (http.head(f"{path}/agree"), 405),
        (http.delete("/static/checkout.js"), 405),
        (http.get("/static/nothing.js"), 404),
        (http.get("/static/../app.py"), 404),
        (http.get("/static/checkout.js", headers={"Range": "bytes=0-10"}), 206),
        (http.get("/static/checkout.js", headers={"Range": "bytes=9999999-"}), 416),
        (http.post(f"{path}/agree", content=b" " * 20_000, headers=as_json), 413),
        (http.post(f"{path}/agree", json=KO, headers={"Sec-Fetch-Site": "cross-site"}), 403),
        (http.get(f"{path}/return"), 303),
    ]
    etag = http.get("/static/checkout.css").headers["etag"]
    answers.append((http.get("/static/checkout.css", headers={"If-None-Match": etag}), 304))
    monkeypatch.setattr(CheckoutService, "view", no_connection)
    answers += [(http.get(path), 503), (agree(http, path), 503)]
    shop.wait(days=4)
    monkeypatch.undo()
    answers.append((http.get(path), 410))
    for answer, status in answers:
        assert answer.status_code == status, answer.request
        assert answer.headers.keys() >= NAMED, answer.request
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert len(answer.headers.get_list("content-security-policy")) == 1


async def no_connection(*_: object) -> None:
    raise NoConnection("QueuePool limit of size 5 overflow 10 reached")


def test_page_without_a_database_connection_says_try_again(
    shop: Shop, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CheckoutService, "view", no_connection)
    answer = http.get(shop.link(shop.pending()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "일시적인 오류입니다" in answer.text
    assert "QueuePool" not in answer.text


# --- addresses ------------------------------------------------------------------------------------------------------

HOSTS = ["evil.example", "[", "a b", "evil.example/x?", "127.0.0.1:1@evil.example", '"><script>']


def test_forged_host_header_redirects_to_no_other_site(shop: Shop, send: Send):
    path = shop.link(shop.pending())
    for host in HOSTS:
        for address, status in ((path, b"200"), (f"{path}/", b"404"), ("/static", b"404"), ("/c/x", b"404")):
            answer = send(get(address, host))
            assert answer.split()[1] == status, (host, address)
            assert b"evil" not in answer
            assert b"<script>" not in answer
            assert b"location:" not in answer.lower()


def test_forged_host_header_changes_no_callback_url(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    param = http.post(f"{path}/agree?lang=ko", json=KO, headers={"Host": "evil.example"}).json()["param"]
    assert param["m_redirect_url"] == f"{shop.pages.url}{path}/return?lang=ko"
    assert param["notice_url"] == f"{shop.pages.url}/webhooks/portone"


def test_return_route_redirects_to_its_own_page_only(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    query = "imp_uid=//evil.example&lang=//evil.example&told=%0d%0aSet-Cookie:a&next=https://evil.example&imp_success=x"
    answer = http.get(f"{path}/return?{query}")
    assert answer.headers["location"] == f"{path}?lang=ko"


# --- bodies ---------------------------------------------------------------------------------------------------------

AGREED = json.dumps(KO)
BODIES: list[tuple[bytes, dict[str, str], int]] = [
    (gzip.compress(AGREED.encode()), {"Content-Encoding": "gzip"}, 415),
    (AGREED.encode(), {"Content-Encoding": "gzip"}, 415),  # it only says so
    (AGREED.encode("utf-16"), {}, 400),
    (AGREED.replace("{", '{"consent": false, ', 1).encode(), {}, 400),  # which of the two was meant?
    (AGREED.replace('"buyer": {}', '"buyer": {"tel": "1", "tel": "2"}').encode(), {}, 400),
    (AGREED.replace("true", "NaN").encode(), {}, 400),
    (AGREED.replace("true", "1e999").encode(), {}, 422),
    (AGREED.replace("true", "9" * 5000).encode(), {}, 400),
    (AGREED.replace("{}", '{"name": "\\ud800"}').encode(), {}, 422),  # half of a letter
    (AGREED.replace("{}", '{"name": "a\\u0000b"}').encode(), {}, 422),
    (AGREED.replace("{}", '{"name": "\\u202ecba"}').encode(), {}, 422),  # would turn the line around
    (AGREED.replace("{}", '{"tel": "call me"}').encode(), {}, 422),
]


def test_ambiguous_bodies_are_refused(shop: Shop, http: httpx.Client, capfd: pytest.CaptureFixture[str]):
    path, before = shop.link(shop.pending()), rows(shop)
    for content, headers, status in BODIES:
        as_json = {"Content-Type": "application/json", **headers}
        answer = http.post(f"{path}/agree?lang=ko", content=content, headers=as_json)
        assert answer.status_code == status, (content[:60], answer.text)
        assert answer.json()["message"].endswith(".")
    assert rows(shop) == before
    assert "call me" not in "".join(capfd.readouterr())


# --- without end ----------------------------------------------------------------------------------------------------


def test_endless_request_head_is_cut_off(send: Send, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    assert send(b"GET /health HTTP/1.1\r\nHo").startswith(b"HTTP/1.1 408")
    assert send(b"") == b""


def test_connection_beyond_the_limit_is_refused_when_none_is_idle(
    shop: Shop, send: Send, monkeypatch: pytest.MonkeyPatch
):
    address = ("127.0.0.1", int(shop.pages.url.rpartition(":")[2]))
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    body = b'{"imp_uid": "imp_1", "merchant_uid": "a", "status": "paid"}'
    head = (
        "POST /webhooks/portone HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(address, timeout=10) as busy:
        busy.sendall(head.encode())
        assert busy.recv(65_536).startswith(b"HTTP/1.1 100"), "its body is waited for"
        assert send(b"").startswith(b"HTTP/1.1 503")
        busy.sendall(body)
        assert busy.recv(65_536).startswith(b"HTTP/1.1 200")


def test_page_that_asks_without_end_is_rate_limited(shop: Shop, http: httpx.Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limit, "BURST", 3)
    monkeypatch.setattr(rate_limit, "SECONDS_PER_LOOKUP", 1e9)
    path = shop.link(shop.pending())
    param = agree(http, path).json()["param"]
    asked = [http.post(f"{path}/complete?lang=ko", json={"success": True}) for _ in range(5)]
    assert [each.status_code for each in asked] == [200, 200, 200, 429, 429]
    assert {each.json()["state"] for each in asked} == {"pending"}  # so the page waits, and asks again
    assert "다시 결제하지" in asked[-1].json()["message"]
    back = http.get(f"{path}/return?lang=ko&imp_uid=imp_1&imp_success=true")
    assert back.headers["location"].endswith("&told=pending")
    # Webhooks and maintenance still look up, and the state in the database costs no look-up.
    pay(shop, param)
    shop.until(lambda: shop.sql("SELECT status FROM checkouts") == [("done",)], "the webhook finished nothing")
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"


# --- logs -----------------------------------------------------------------------------------------------------------


def test_logs_hold_no_link_and_no_buyer(shop: Shop, http: httpx.Client, capfd: pytest.CaptureFixture[str]):
    path = shop.link(shop.pending())
    buyer = {"name": "김하늘", "tel": "010-9876-5432", "email": "sky@example.com"}
    pay(shop, agree(http, path, pg="payco", buyer=buyer).json()["param"])
    agree(http, path, pg="payco", buyer={**buyer, "name": "김하늘" * 9})
    http.post(f"{path}/complete", json={"imp_uid": "imp_of_another"})
    http.post("/webhooks/portone", json={"imp_uid": "imp_1", "merchant_uid": "a", "status": "paid"})
    http.get(f"{path}x")
    shop.sql("ALTER TABLE checkouts RENAME TO hidden")
    with shop.http() as again:
        assert agree(again, path, buyer=buyer).status_code == 500
    said = "".join(capfd.readouterr())
    assert said
    assert not re.search(rf"{re.escape(path.rpartition('/')[2])}|김하늘|9876|sky@", said)


# --- one length, one shape, room for the next -----------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [("Content-Length: 4", "Transfer-Encoding: chunked")])
@pytest.mark.parametrize("turned", [False, True])
def test_request_with_two_lengths_is_refused_and_the_rest_unread(send: Send, lengths, turned):
    both = "\r\n".join(reversed(lengths) if turned else lengths)
    smuggled = "0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = send(f"POST /webhooks/portone HTTP/1.1\r\nHost: a\r\n{both}\r\n\r\n{smuggled}".encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer.lower()


def test_full_server_closes_the_longest_idle_connection(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    address = ("127.0.0.1", int(shop.pages.url.rpartition(":")[2]))
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    with (
        socket.create_connection(address, timeout=10) as answered,
        socket.create_connection(address, timeout=10) as half,
    ):
        answered.sendall(get("/health").replace(b"Connection: close\r\n", b""))
        assert answered.recv(65_536).startswith(b"HTTP/1.1 200")
        half.sendall(b"GET /hea")
        with shop.http() as third, shop.http() as fourth:  # there is room for neither, and each is served and stays
            for another in (third, fourth):
                assert another.get("/health").status_code == 200
        for waiting in (answered, half):
            assert ended(waiting)


def ended(connection: socket.socket) -> bool:
    """Read what is left, and say whether the other side hangs up within the connection's time-out."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("imp_uid", ["..", "../users", "imp_1/2", "imp-1", "imp_%2e", "i" * 81, "imp 1"])
def test_webhook_without_a_payment_id_is_refused(http: httpx.Client, imp_uid: str):
    sent = http.post("/webhooks/portone", json={"imp_uid": imp_uid, "merchant_uid": "a", "status": "paid"})
    assert sent.status_code == 400


def test_repeated_refusals_are_logged_in_samples(
    shop: Shop, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(rate_limit, "BURST", 2)
    monkeypatch.setattr(rate_limit, "SECONDS_PER_LOOKUP", 1e9)

    async def refuse(*_args: object, **_more: object) -> None:
        raise Refused("not today")

    monkeypatch.setattr(CheckoutService, "agree", refuse)
    path = shop.link(shop.pending())
    capfd.readouterr()
    assert [agree(http, path).status_code for _ in range(6)] == [409] * 6
    assert "".join(capfd.readouterr()).count("a payment window was refused") == 2


def test_long_expired_link_shows_no_plan(shop: Shop, http: httpx.Client):
    path = shop.link(shop.pending())
    pay(shop, agree(http, path, pg="payco").json()["param"])
    assert http.post(f"{path}/complete", json={}).json()["state"] == "done"
    shop.wait(days=4)  # a day after the link has expired
    shown = http.get(path, headers={"accept": "text/html"})
    assert (shown.status_code, "아침 편지" in shown.text) == (200, True)
    shop.wait(days=2)
    shown = http.get(path, headers={"accept": "text/html"})
    assert (shown.status_code, "아침 편지" in shown.text) == (410, False)
