"""A shop on FastAPI whose own pages register billing keys and take payments. Copy it; put your login into `customer`.

Run: `uvicorn tests.examples.fastapi_shop:app`, with AGAIN_CHECKOUT_URL set to the address that the public reaches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException

from worker import (
    Buyer,
    ChangeKind,
    HostCheckout,
    Preview,
    PreviewChanged,
    Refused,
    ShownTerms,
    customer_sentence,
    read_object,
)

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

templates = Jinja2Templates(PAGES)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.again = HostCheckout.from_env(actor="shop")
    yield
    await app.state.again.close()


app = FastAPI(lifespan=lifespan, openapi_url=None)
app.mount("/static", StaticFiles(directory=PAGES))


def again_of(request: Request) -> HostCheckout:
    again: HostCheckout = request.app.state.again
    return again


def customer() -> str:
    """Your login: give your own reference of who is logged in."""
    raise HTTPException(401, "Please log in.")


def from_own_page(request: Request) -> None:
    """Refuse what another site's page makes a customer's browser send; it would come with their login."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "This was asked for by another site's page.")


Again = Annotated[HostCheckout, Depends(again_of)]
Customer = Annotated[str, Depends(customer)]
OWN_PAGE = [Depends(from_own_page)]


# --- pages ------------------------------------------------------------------------------------------------------------


@app.get("/")
async def account(request: Request, again: Again, customer: Customer) -> Response:
    subscriptions = await again.subscriptions_of(customer)
    history = {each.code: each for each in await again.history(customer)}
    shown = {"subscriptions": subscriptions, "history": history, "zone": ZONE}
    return templates.TemplateResponse(request, "account.html", shown)


@app.post("/checkout", dependencies=OWN_PAGE)
async def begin(
    again: Again,
    customer: Customer,
    subscription: Annotated[str | None, Form()] = None,
    charge: Annotated[int | None, Form()] = None,
) -> Response:
    """Subscribe; register a card; pay what is overdue: whatever the form is about, it leads to a checkout."""
    new = subscription is None and charge is None
    if new:
        subscription = await again.subscribe(customer, plan=PLAN)
    code = await again.create_checkout(customer, subscription=subscription, charge=charge, with_payment=new)
    return RedirectResponse(f"/checkout/{code}", 303)


@app.get("/checkout/{code}")
async def show(request: Request, again: Again, customer: Customer, code: str) -> Response:
    view = await again.view(customer, code)
    shown = {"script_url": again.script_url, "merchant_code": again.merchant_code, "wording": WORDING}
    return templates.TemplateResponse(request, "checkout.html", {"view": view, "zone": ZONE, **shown})


# --- changes ----------------------------------------------------------------------------------------------------------


@app.get("/subscriptions/{code}/{act}")
async def consider(request: Request, again: Again, customer: Customer, code: str, act: str) -> Response:
    kind, parameters = wanted(act)
    preview = await again.preview(customer, kind, subscription=code, parameters=parameters)
    return ask(request, act, preview)


@app.post("/subscriptions/{code}/{act}", dependencies=OWN_PAGE)
async def change(
    request: Request,
    again: Again,
    customer: Customer,
    code: str,
    act: str,
    fingerprint: Annotated[str, Form()],
    key: Annotated[str, Form()],
) -> Response:
    """What was shown is what is done; pressed twice, it is done once."""
    kind, parameters = wanted(act)
    try:
        await again.request(
            customer,
            kind,
            subscription=code,
            parameters=parameters,
            reason="on the account page",
            fingerprint=fingerprint,
            idempotency_key=key,
        )
    except PreviewChanged as changed:
        return ask(request, act, changed.preview)
    return RedirectResponse("/", 303)


@app.post("/changes/{change}/undo", dependencies=OWN_PAGE)
async def undo(again: Again, customer: Customer, change: int) -> Response:
    await again.undo(customer, change, reason="on the account page")
    return RedirectResponse("/", 303)


@app.post("/changes/{change}/agree", dependencies=OWN_PAGE)
async def agree_to_change(
    again: Again,
    customer: Customer,
    change: int,
    consent: Annotated[Literal["on"], Form()],
    fingerprint: Annotated[str, Form()],
) -> Response:
    await again.agree_to_change(customer, change, wording=WORDING, fingerprint=fingerprint)
    return RedirectResponse("/", 303)


@app.post("/consents/{code}", dependencies=OWN_PAGE)
async def agree_to_terms(
    again: Again,
    customer: Customer,
    code: str,
    consent: Annotated[Literal["on"], Form()],
    amount: Annotated[int, Form()],
) -> Response:
    """Before a trial becomes paid: what the page has shown is kept with the consent."""
    terms = ShownTerms(TERMS.format(amount=amount), WITHDRAWAL)
    await again.agree_to_terms(customer, code, wording=WORDING, amount=amount, terms=terms)
    return RedirectResponse("/", 303)


def wanted(act: str) -> tuple[ChangeKind, dict[str, str]]:
    if act not in ACTS:
        raise HTTPException(404, "There is no such page.")
    return ACTS[act]


def ask(request: Request, act: str, preview: Preview) -> Response:
    """Show what a change comes to. The key makes two presses of its button one change."""
    shown = {"act": act, "preview": preview, "key": token_urlsafe(), "zone": ZONE}
    return templates.TemplateResponse(request, "change.html", shown)


# --- the payment window -----------------------------------------------------------------------------------------------


@app.post("/checkout/{code}/agree", dependencies=OWN_PAGE)
async def agree(
    again: Again,
    customer: Customer,
    code: str,
    pg: Annotated[str, Form()],
    tel: Annotated[str, Form()],
    consent: Annotated[Literal["on"], Form()],
    wording: Annotated[Literal["shop-2026-11"], Form()],
    owed: Annotated[int, Form()],
    given_up: Annotated[int, Form()],
) -> dict[str, Any]:
    """Return what the page calls `IMP.request_pay` with. `owed` and `given_up` are the sums that it has shown."""
    return await again.agree(
        customer,
        code,
        wording=WORDING,
        pg=pg,
        buyer=Buyer(tel=tel),
        return_path=f"/checkout/{code}/return",
        owed=owed,
        given_up=given_up,
    )


@app.post("/checkout/{code}/complete", dependencies=OWN_PAGE)
async def complete(again: Again, code: str, imp_uid: Annotated[str, Form()] = "") -> dict[str, str]:
    """The window has called back."""
    completion = await again.complete(code, imp_uid=imp_uid or None)
    return {"progress": completion.progress, "message": completion.message}


@app.get("/checkout/{code}/return")
async def come_back(again: Again, code: str, imp_uid: str = "") -> Response:
    """A phone was redirected here. It may be in another browser than before, so this asks for no login."""
    with suppress(Refused):  # the page says how it stands
        await again.complete(code, imp_uid=imp_uid or None)
    return RedirectResponse(f"/checkout/{code}", 303)


@app.post("/webhooks/portone")
async def webhook(request: Request, again: Again) -> Response:
    peer = request.client.host if request.client else None
    sent = await read_object(request, form=True)
    taken = await again.receive_webhook(sent, peer=peer, forwarded_for=request.headers.getlist("x-forwarded-for"))
    return Response(status_code=200 if taken else 503)


# --- errors, as sentences ---------------------------------------------------------------------------------------------


@app.exception_handler(Refused)
async def refused(_: Request, error: Refused) -> Response:
    said = customer_sentence(error)  # `str(error)` is for operators: better left to your log
    return PlainTextResponse(f"{said.en} {said.ko}", 409)


@app.exception_handler(HTTPException)
async def http_error(_: Request, error: HTTPException) -> Response:
    return PlainTextResponse(error.detail, error.status_code)


@app.exception_handler(RequestValidationError)
async def incomplete(_: Request, error: RequestValidationError) -> Response:
    del error  # it quotes what was typed
    return PlainTextResponse("Please fill in the whole form, and agree.", 422)
