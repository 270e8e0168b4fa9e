"""The payment window endpoints: opening one from a merchant's page, showing it, and deciding in it."""

from __future__ import annotations

from typing import Any

from worker.sandbox import deciding, opening
from worker.sandbox.http import window_page
from worker.sandbox.rules import callbacks, texts
from worker.sandbox.rules.answers import JSON_TYPE, Answer, Pause, Steps, as_json
from worker.sandbox.rules.calls import Call
from worker.sandbox.rules.window_requests import WindowRefused
from worker.sandbox.rules.windows import State, Window, read_decision
from worker.sandbox.sandbox import Sandbox

# Any page may open windows, as with PortOne's own script; no cookie and no token is involved.
ANY_PAGE = (("Access-Control-Allow-Origin", "*"), ("Cache-Control", "no-store"))
PREFLIGHT = (
    *ANY_PAGE,
    ("Access-Control-Allow-Methods", "POST"),
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Allow-Private-Network", "true"),
    ("Access-Control-Max-Age", "600"),
)
SAME_PAGE = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


def preflight(sandbox: Sandbox, call: Call) -> Answer:
    """Allow a browser to send `open_window` from another origin's page."""
    del sandbox, call
    return Answer(204, headers=PREFLIGHT)


def open_window(sandbox: Sandbox, call: Call) -> Answer:
    """Open a window for the script; a rejection is returned as the callback's fields, not as an HTTP error."""
    try:
        window = opening.opened(sandbox, call)
    except WindowRefused as refused:
        param = call.fields.get("param")
        merchant_uid = param.get("merchant_uid") if isinstance(param, dict) else None
        return _told({"refused": callbacks.refused(merchant_uid, refused)}, ANY_PAGE, "refused")
    opened = {
        "window_id": window.window_id,
        "imp_uid": window.imp_uid,
        "path": window.path,
        "title": window_page.title(window, "ko"),
        "redirects": window.request.redirects,
    }
    return _told({"window": opened}, ANY_PAGE, "opened")


def show_window(sandbox: Sandbox, call: Call) -> Answer:
    """Return the window's page, whether it is open, decided or expired."""
    window = deciding.found(sandbox, call.in_path["window_id"])
    language = window_page.language(call.query_text("lang"), call.accept_language)
    page = window_page.page(
        window,
        is_expired=_is_expired(sandbox, window),
        language=language,
        ending=ending(sandbox, window),
    )
    headers = window_page.headers(window)
    return Answer(200, page.encode(), "text/html; charset=utf-8", headers, result="shown")


def decide(sandbox: Sandbox, call: Call) -> Steps:
    """Approve, decline or close, and return how the window ended; a second decision returns the same."""
    window_id = call.in_path["window_id"]
    window = deciding.found(sandbox, window_id)
    decision = read_decision(call, window)
    yield from deciding.decide(sandbox, window_id, decision)
    window = deciding.found(sandbox, window_id)
    if _is_expired(sandbox, window):
        yield _told({"state": "expired", "message": texts.WINDOW_EXPIRED}, SAME_PAGE, "expired")
        return
    seconds = sandbox.switches.window_callback_seconds
    if seconds:
        yield Pause(seconds)
    yield _told(ending(sandbox, window), SAME_PAGE, window.state.value)


def ending(sandbox: Sandbox, window: Window) -> dict[str, Any]:
    """Return how a window ended, for its page: callback and redirect address, or neither if the tab is gone."""
    told: dict[str, Any] = {"state": window.state.value}
    if window.state is State.OPEN or window.result is None:
        return told
    redirect_url = window.request.redirect_url if window.request.redirects else None
    # On a phone the merchant's page is gone: without an address to come back to, the result is lost [documented].
    is_lost = window.request.redirects and not redirect_url
    if is_lost or not sandbox.switches.window_reports:
        return {**told, "reports": False}
    redirect = callbacks.redirect_address(redirect_url, window.result) if redirect_url else None
    return {**told, "reports": True, "callback": dict(window.result), "redirect": redirect}


def _is_expired(sandbox: Sandbox, window: Window) -> bool:
    return window.is_expired(sandbox.now(), life_seconds=sandbox.switches.window_life_seconds)


def _told(value: dict[str, Any], headers: tuple[tuple[str, str], ...], result: str) -> Answer:
    return Answer(200, as_json(value).encode(), JSON_TYPE, headers, result=result)
