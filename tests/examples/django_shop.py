"""A shop on Django, with synchronous views, whose own pages register billing keys and take payments. Copy it.

Your login puts your reference of the customer into the session. Run: `python -m tests.examples.django_shop runserver`,
with SHOP_SECRET and AGAIN_CHECKOUT_URL set, the latter to the address that the public reaches.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.static import serve

from worker import Buyer, ChangeKind, Preview, PreviewChanged, Refused, ShownTerms, SyncHostCheckout, customer_sentence

PAGES = Path(__file__).parent / "pages"
PLAN = "letter"
ZONE = ZoneInfo("Asia/Seoul")  # of the dates on the pages
ACTS = {  # what a customer may do, by its address: the kind of change and its parameters are ours, never a browser's
    "cancel": (ChangeKind.CANCEL, {}),
    "plus": (ChangeKind.CHANGE_PLAN, {"plan": "letter-plus"}),
}
WORDING = "shop-2026-11"  # which text pages/checkout.html shows; a new name for each change of it
TERMS = "I agree to pay {amount:,} won for each period from the end of the trial on."  # as pages/account.html shows it
WITHDRAWAL = "You can withdraw until then: cancel here, at any hour."
SHOP_URL = os.environ["AGAIN_CHECKOUT_URL"]

settings.configure(
    ALLOWED_HOSTS=[urlsplit(SHOP_URL).hostname],
    CSRF_TRUSTED_ORIGINS=[SHOP_URL],
    CSRF_COOKIE_SECURE=SHOP_URL.startswith("https:"),
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        f"{__name__}.Sentences",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SHOP_SECRET"],
    # Django's own "same-origin" would cut a payment window off from the page that opened it.
    SECURE_CROSS_ORIGIN_OPENER_POLICY="same-origin-allow-popups",
    SESSION_COOKIE_SECURE=SHOP_URL.startswith("https:"),
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    TEMPLATES=[{"BACKEND": "django.template.backends.jinja2.Jinja2", "DIRS": [PAGES]}],
    USE_TZ=True,
)

one_at_a_time = Lock()


@cache
def _again() -> SyncHostCheckout:
    return SyncHostCheckout.from_env(actor="shop")


def again() -> SyncHostCheckout:
    """Return this process's SyncHostCheckout, made by its first request: after the web server has forked."""
    with one_at_a_time:
        return _again()


class Incomplete(Exception):
    """A form or a webhook that lacks something."""


def customer_of(request: HttpRequest) -> str:
    if (customer := request.session.get("customer")) is None:
        raise PermissionDenied("Please log in.")
    return str(customer)


# --- pages ------------------------------------------------------------------------------------------------------------


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    customer = customer_of(request)
    history = {each.code: each for each in again().history(customer)}
    shown = {"subscriptions": again().subscriptions_of(customer), "history": history, "zone": ZONE}
    return render(request, "account.html", shown)


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Subscribe; register a card; pay what is overdue: whatever the form is about, it leads to a checkout."""
    customer, charge = customer_of(request), request.POST.get("charge", "")
    subscription = request.POST.get("subscription")
    new = subscription is None and not charge
    if new:
        subscription = again().subscribe(customer, plan=PLAN)
    code = again().create_checkout(
        customer, subscription=subscription, charge=int(charge) if charge.isdecimal() else None, with_payment=new
    )
    return redirect(f"/checkout/{code}")


@require_safe
def show(request: HttpRequest, code: str) -> HttpResponse:
    view = again().view(customer_of(request), code)
    shown = {"script_url": again().script_url, "merchant_code": again().merchant_code, "wording": WORDING}
    return render(request, "checkout.html", {"view": view, "zone": ZONE, **shown})


# --- changes ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, code: str, act: str) -> HttpResponse:
    """Show what it comes to, and do what was shown; pressed twice, it is done once."""
    customer = customer_of(request)
    if act not in ACTS:
        raise Http404
    kind, parameters = ACTS[act]
    if request.method != "POST":
        return ask(request, act, again().preview(customer, kind, subscription=code, parameters=parameters))
    try:
        again().request(
            customer,
            kind,
            subscription=code,
            parameters=parameters,
            reason="on the account page",
            fingerprint=request.POST.get("fingerprint", ""),
            idempotency_key=request.POST.get("key", ""),
        )
    except PreviewChanged as changed:
        return ask(request, act, changed.preview)
    return redirect("/")


@require_POST
def undo(request: HttpRequest, change: int) -> HttpResponse:
    again().undo(customer_of(request), change, reason="on the account page")
    return redirect("/")


@require_POST
def agree_to_change(request: HttpRequest, change: int) -> HttpResponse:
    customer, form = customer_of(request), request.POST
    if form.get("consent") != "on":
        raise Incomplete("Please fill in the whole form, and agree.")
    again().agree_to_change(customer, change, wording=WORDING, fingerprint=form.get("fingerprint", ""))
    return redirect("/")


@require_POST
def agree_to_terms(request: HttpRequest, code: str) -> HttpResponse:
    """Before a trial becomes paid: what the page has shown is kept with the consent."""
    customer, form = customer_of(request), request.POST
    if form.get("consent") != "on" or not form.get("amount", "").isdecimal():
        raise Incomplete("Please fill in the whole form, and agree.")
    terms = ShownTerms(TERMS.format(amount=int(form["amount"])), WITHDRAWAL)
    again().agree_to_terms(customer, code, wording=WORDING, amount=int(form["amount"]), terms=terms)
    return redirect("/")


def ask(request: HttpRequest, act: str, preview: Preview) -> HttpResponse:
    """Show what a change comes to. The key makes two presses of its button one change."""
    shown = {"act": act, "preview": preview, "key": token_urlsafe(), "zone": ZONE}
    return render(request, "change.html", shown)


# --- the payment window -----------------------------------------------------------------------------------------------


@require_POST
def agree(request: HttpRequest, code: str) -> HttpResponse:
    """Return what the page calls `IMP.request_pay` with. `owed` and `given_up` are the sums that it has shown."""
    form = request.POST
    if not form.get("owed", "").isdecimal() or not form.get("given_up", "").isdecimal():
        raise Incomplete("Please load the page again.")
    if form.get("consent") != "on" or form.get("wording") != WORDING or not form.get("pg") or not form.get("tel"):
        raise Incomplete("Please fill in the whole form, and agree.")
    parameters = again().agree(
        customer_of(request),
        code,
        wording=WORDING,
        pg=form["pg"],
        buyer=Buyer(tel=form["tel"]),
        return_path=f"/checkout/{code}/return",
        owed=int(form["owed"]),
        given_up=int(form["given_up"]),
    )
    return JsonResponse(parameters)


@require_POST
def complete(request: HttpRequest, code: str) -> HttpResponse:
    """The window has called back."""
    completion = again().complete(code, imp_uid=request.POST.get("imp_uid") or None)
    return JsonResponse({"progress": completion.progress, "message": completion.message})


@require_safe
def come_back(request: HttpRequest, code: str) -> HttpResponse:
    """A phone was redirected here. It may be in another browser than before, so this asks for no login."""
    with suppress(Refused):  # the page says how it stands
        again().complete(code, imp_uid=request.GET.get("imp_uid") or None)
    return redirect(f"/checkout/{code}")


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    try:
        sent = json.loads(request.body) if request.content_type == "application/json" else request.POST.dict()
    except (ValueError, RecursionError):
        raise Incomplete("The body is not JSON.") from None
    forwarded = request.headers.get("x-forwarded-for")
    taken = again().receive_webhook(
        sent, peer=request.META["REMOTE_ADDR"], forwarded_for=[forwarded] if forwarded else []
    )
    return HttpResponse(status=200 if taken else 503)


# --- errors, as sentences ---------------------------------------------------------------------------------------------


class Sentences:
    """Middleware that says why something was refused."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, _: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, Refused):  # its text is for operators: better left to your log
            said = customer_sentence(error)
            return HttpResponse(f"{said.en} {said.ko}", status=409, content_type="text/plain; charset=utf-8")
        if not isinstance(error, Incomplete | PermissionDenied):
            return None
        return HttpResponse(str(error), status=409 if isinstance(error, Incomplete) else 401, content_type="text/plain")


urlpatterns = [
    path("", account),
    path("checkout", begin),
    path("checkout/<code>", show),
    path("checkout/<code>/agree", agree),
    path("checkout/<code>/complete", complete),
    path("checkout/<code>/return", come_back),
    path("subscriptions/<code>/<act>", change),
    path("changes/<int:change>/undo", undo),
    path("changes/<int:change>/agree", agree_to_change),
    path("consents/<code>", agree_to_terms),
    path("webhooks/portone", webhook),
    re_path(r"^static/(?P<path>shop\.js)$", serve, {"document_root": PAGES}),  # better left to your web server
]

application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
