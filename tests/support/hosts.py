"""The example hosts on real servers, beside a shop's worker and sandbox, on the real clock."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import httpx
import pytest
from fastapi import HTTPException, Request

from tests.examples import fastapi_shop
from tests.support.checkout import PATIENCE_SECONDS, Shop
from worker import HostCheckout, SyncHostCheckout
from worker.domain.clock import system_clock
from worker.web.http.server import Server


class Form(HTMLParser):
    """Return the first form of a page with a field, and the values it would send."""

    def __init__(self, page: str, having: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.feed(page)
        self.fields = next(form for form in self.forms if having in form or not having)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and named.get("type") == "hidden":
            self.forms[-1][named["name"]] = named["value"]


@dataclass
class Customer:
    """A customer's browser: reads pages, sends their forms, and does what shop.js does."""

    http: httpx.Client
    shop: Shop

    def begin(self, having: str = "") -> str:
        """Press a button of the account page: the first, or that of a form with this field; gives where it leads."""
        form = Form(self.http.get("/").text, having).fields
        answer = self.http.post("/checkout", data=form)
        assert answer.status_code in {302, 303}, answer.text
        return answer.headers["location"]

    def agree(self, checkout: str, pg: str, **changed: str) -> httpx.Response:
        form = Form(self.http.get(checkout).text, "wording").fields
        filled = {**form, "pg": pg, "tel": "010-1234-5678", "consent": "on", **changed}
        return self.http.post(f"{checkout}/agree", data=filled)

    def pay(self, param: dict[str, Any], decision: str = "approve", *, mobile: bool = False) -> dict[str, Any]:
        """Open the sandbox's window and decide in it; gives what its page is told."""
        admin = self.shop.sandbox.admin
        opened = admin.open_window(param, mobile=mobile, origin=str(self.http.base_url).rstrip("/"))
        return admin.decide(opened["window"]["window_id"], decision)

    def register(self, pg: str = "kakaopay") -> str:
        """Subscribe and register, the window's callback included; gives the checkout's address."""
        checkout = self.begin()
        told = self.pay(self.agree(checkout, pg).json())
        completed = self.complete(checkout, told["callback"]["imp_uid"])
        assert completed.json()["progress"] == "done", completed.text
        return checkout

    def press(self, page: str, having: str = "", *, to: str, **filled: str) -> httpx.Response:
        """Send the form of a page that has a field, filled in; gives the answer, redirections followed."""
        return self.http.post(to, data={**Form(page, having).fields, **filled}, follow_redirects=True)

    def complete(self, checkout: str, imp_uid: str | None) -> httpx.Response:
        form = Form(self.http.get(checkout).text, "wording").fields
        return self.http.post(f"{checkout}/complete", data={**form, "imp_uid": imp_uid or ""})


@dataclass
class Host:
    """A running host application, and the cookies of its logged-in customer."""

    url: str
    shop: Shop
    again: Callable[[], HostCheckout | SyncHostCheckout]
    cookies: Callable[[str], dict[str, str]]

    @contextmanager
    def customer(self, reference: str = "gildong") -> Iterator[Customer]:
        with self.stranger(cookies=self.cookies(reference)) as http:
            yield Customer(http, self.shop)

    def stranger(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, verify=False, timeout=PATIENCE_SECONDS, **options)

    def tick(self) -> None:
        """Run the worker's tasks once, at the current time."""
        self.shop.clock.now = system_clock()
        self.shop.tick()


HOSTS = ("fastapi", "django")


@contextmanager
def running_host(name: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Run an example host with an open plan, configured as the shop's worker is."""
    shop.open_today()  # hosts go by the database's
    shop.book.plan("letter", now=shop.now, name="아침 편지")
    shop.book.plan("letter-plus", now=shop.now, name="아침 편지 플러스", amount="14900")

    def configure(url: str) -> None:
        more = {"AGAIN_DATABASE_URL": shop.runtime.engine.url.render_as_string(hide_password=False)}
        environ = shop.runtime.settings.environment(AGAIN_CHECKOUT_URL=url, **more)
        for variable, value in environ.items():
            if variable.startswith("AGAIN_"):
                monkeypatch.setenv(variable, value)
        monkeypatch.setenv("SHOP_SECRET", "s" * 50)

    run = running_fastapi if name == "fastapi" else running_django
    with run(shop, configure) as host:
        yield host


@contextmanager
def running_fastapi(shop: Shop, configure: Callable[[str], None]) -> Iterator[Host]:
    def logged_in(request: Request) -> str:
        if "customer" not in request.cookies:
            raise HTTPException(401, "Please log in.")
        return request.cookies["customer"]

    server = Server(fastapi_shop.app, host="127.0.0.1", port=0)
    configure(server.url)
    thread = threading.Thread(target=server.serve_until_stopped, name="fastapi", daemon=True)
    thread.start()
    app = fastapi_shop.app
    app.dependency_overrides[fastapi_shop.customer] = logged_in
    yield Host(server.url, shop, lambda: app.state.again, lambda reference: {"customer": reference})
    app.dependency_overrides.clear()
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "the host did not stop"


class Threads(ThreadingMixIn, WSGIServer):
    """A thread per request, as most synchronous servers have."""

    daemon_threads = False


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 - the standard library's name
        pass


@contextmanager
def running_django(shop: Shop, configure: Callable[[str], None]) -> Iterator[Host]:
    with Threads(("127.0.0.1", 0), Quiet) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        configure(url)
        # Its settings are read when it is imported, as Django has it.
        django_shop = importlib.import_module("tests.examples.django_shop")
        server.set_app(django_shop.application)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="django")
        thread.start()
        yield Host(url, shop, django_shop.again, django_login)
        server.shutdown()
        thread.join(PATIENCE_SECONDS)
    with ThreadPoolExecutor(1) as elsewhere:  # this thread may belong to a browser's event loop
        elsewhere.submit(django_shop.again().close).result()
    django_shop._again.cache_clear()


def django_login(reference: str) -> dict[str, str]:
    from django.contrib.sessions.backends.signed_cookies import SessionStore

    session = SessionStore()
    session["customer"] = reference
    session.save()
    return {"sessionid": session.session_key}


def said(answer: httpx.Response) -> str:
    """Return the text of a rejecting answer: a sentence, without markup."""
    assert answer.headers["content-type"].startswith("text/plain")
    assert re.fullmatch(r"[A-Z][^<>{}\n]+[.]", answer.text), answer.text
    return answer.text
