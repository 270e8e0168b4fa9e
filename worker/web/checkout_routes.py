"""Routes under /c/: a customer reads a checkout, agrees to it, and comes back from the payment window."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from worker.checkout import CheckoutLink, CheckoutView, OwedAmountChanged, Progress
from worker.domain.clock import Clock
from worker.domain.errors import RateLimited, Refused
from worker.domain.identifiers import is_imp_uid
from worker.domain.states import CheckoutStatus, ConsentSource
from worker.pg.window.request import NO_BUYER
from worker.web.checkout_service import CheckoutService
from worker.web.http.bodies import read_object
from worker.web.http.rate_limit import SECONDS_PER_LOOKUP, RateLimit
from worker.web.http.same_origin import SameOrigin
from worker.web.link_signing import InvalidLink, LinkSigner
from worker.web.pages import render
from worker.web.pages.forms import (
    consent_problem,
    error_response,
    invalid_buyer_parameters,
    invalid_fields,
    read_buyer,
    stripped_text,
)
from worker.web.pages.wording import WORDS, Language, choose_language, wording_version

TOLD_STATES = frozenset({"pending", "mismatch"})
"""Values of the query parameter `told`, which says how a window ended; others are ignored."""

TOO_OFTEN = "too often"

DONE_SHOWN_FOR = timedelta(days=2)
"""How long past its expiry a link shows that its checkout is done: a window opened in time may be paid a day later."""

log = structlog.get_logger()


class CheckoutRoutes:
    """Handlers of the routes. The signed link is the only credential: there are no cookies."""

    def __init__(
        self, service: CheckoutService, signer: LinkSigner, site: render.Site, clock: Clock, public_url: str | None
    ) -> None:
        self._service = service
        self._signer = signer
        self._site = site
        self._clock = clock
        self._same_origin = SameOrigin(public_url)
        self._log_limit = RateLimit()

    async def show(self, request: Request) -> Response:
        """Show what is to be agreed to, or the state of the checkout."""
        link, language = self._link(request), language_of(request)
        token, view = request.path_params["token"], await self._view(link)
        if view.superseded and view.status is CheckoutStatus.OPENED:
            await self._ask(link, None, hopeful=False)  # perhaps by its own window
            view = await self._view(link)
        state, status = self._state(link, view), 200
        if view.status is CheckoutStatus.OPENED and (told := request.query_params.get("told")) in TOLD_STATES:
            state = str(told)  # also when the link has expired meanwhile: an opened window is completed
        match state:
            case "done":
                page = render.done(self._site, view, token, language)
            case "open":
                notice = "" if view.decline_message is None else render.declined(view, language)
                page = render.agreement(self._site, view, token, language, notice=notice)
            case "pending":
                page = render.result(self._site, language, state, token=token, check=True)
            case _:
                status = 410 if state == "expired" else 200
                page = render.result(self._site, language, state)
        return HTMLResponse(page, status)

    async def agree(self, request: Request) -> Response:
        """Record the consent and return the parameters of the payment window."""
        self._same_origin.require(request)
        link, language = self._link(request), language_of(request)
        given = await read_object(request)
        view = await self._view(link)
        if (state := self._state(link, view)) != "open":
            return JSONResponse({"state": state}, 409)
        if (objected := consent_problem(given, view, language)) is not None:
            return objected
        try:
            param = await self._service.agree(
                link.code,
                wording=wording_version(language),
                buyer=read_buyer(given["buyer"]) or NO_BUYER,
                pg=given["pg"],
                callback_urls=self._same_origin.callback_urls(request, language),
                owed=view.owed,
                given_up=view.given_up,
                terms=render.shown_terms(self._site, view, language),
                source=ConsentSource.CHECKOUT,
            )
        except Refused as refused:
            return await self._refused(link, language, refused)
        return JSONResponse({"param": param})

    async def _refused(self, link: CheckoutLink, language: Language, refused: Refused) -> Response:
        """Answer a consent that opens no window: what is wrong with it, or the state of the link by now."""
        if isinstance(refused, RateLimited):
            return error_response(WORDS[language]["not_possible"], 429)
        if (state := self._state(link, await self._view(link))) != "open":
            return JSONResponse({"state": state}, 409)  # it was paid meanwhile, or before
        if isinstance(refused, OwedAmountChanged):
            return error_response(WORDS[language]["reload"], 409)
        if wrong := invalid_buyer_parameters(refused):
            return invalid_fields(wrong, language)
        if self._log_limit.allow(link.code):  # the holder of a link could fill the disk with refusals
            log.warning("a payment window was refused", reason=str(refused))
        return error_response(WORDS[language]["not_possible"], 409)

    async def complete(self, request: Request) -> Response:
        """Ask PortOne what became of the window. What the browser says of it only tells where to look."""
        self._same_origin.require(request)
        link, language = self._link(request), language_of(request)
        given = await read_object(request)
        state = await self._ask(link, given.get("imp_uid"), hopeful=given.get("success") is True)
        view = await self._view(link)
        message = {"open": render.declined(view, language), "mismatch": WORDS[language]["mismatch"]}.get(state, "")
        if state == TOO_OFTEN:
            again = {"Retry-After": f"{SECONDS_PER_LOOKUP:.0f}"}
            return JSONResponse({"state": "pending", "message": WORDS[language]["pending"]}, 429, again)
        return JSONResponse({"state": state, "message": message}, 409 if state == "mismatch" else 200)

    async def come_back(self, request: Request) -> Response:
        """Receive a phone that a window has redirected (documented: imp_uid, merchant_uid, imp_success)."""
        link, language = self._link(request), language_of(request)
        query = request.query_params
        hopeful = query.get("imp_success") != "false" and "error_code" not in query
        state = await self._ask(link, query.get("imp_uid"), hopeful=hopeful)
        state = "pending" if state == TOO_OFTEN else state
        told = f"&told={state}" if state in TOLD_STATES else ""
        return RedirectResponse(f"{self._site.base}/c/{request.path_params['token']}?lang={language}{told}", 303)

    async def _ask(self, link: CheckoutLink, imp_uid: Any, *, hopeful: bool) -> str:
        """Complete the checkout and return its state. `hopeful`: the browser says that it was paid or registered."""
        view, text = await self._view(link), stripped_text(imp_uid)
        if view.status in {CheckoutStatus.CREATED, CheckoutStatus.DONE}:
            return self._state(link, view)
        try:
            known = text if text and is_imp_uid(text) else None
            completion = await self._service.complete(link.code, imp_uid=known)
        except RateLimited:
            return TOO_OFTEN
        except Refused as refused:
            log.warning("a checkout was not completed", reason=str(refused))
            return "mismatch"
        match completion.progress:
            case Progress.WAITING:
                return "pending" if hopeful else "open"
            case Progress.DECLINED:
                return "open"
            case ended:
                return ended.value

    async def _view(self, link: CheckoutLink) -> CheckoutView:
        try:
            return await self._service.view(link.code)
        except Refused:
            raise HTTPException(404, "There is no such checkout.") from None

    def _link(self, request: Request) -> CheckoutLink:
        try:
            return self._signer.read(request.path_params["token"])
        except InvalidLink as invalid:
            raise HTTPException(404, str(invalid)) from None

    def _state(self, link: CheckoutLink, view: CheckoutView) -> str:
        """Return the state that the page shows."""
        now = self._clock()
        if view.status is CheckoutStatus.DONE:
            return "expired" if now >= link.expires_at + DONE_SHOWN_FOR else "done"
        if view.superseded is not None:
            return view.superseded.value
        return "expired" if view.expired or link.has_expired(now) else "open"


def language_of(request: Request) -> Language:
    return choose_language(request.query_params.get("lang"), request.headers.get("accept-language"))
