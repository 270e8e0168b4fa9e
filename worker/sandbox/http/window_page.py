"""The page of a payment window: plain HTML, every foreign text escaped, and a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from worker.sandbox.rules import window_texts
from worker.sandbox.rules.answers import as_json
from worker.sandbox.rules.window_requests import Use
from worker.sandbox.rules.windows import State, Window, reasons_of

# Files that a browser loads from the sandbox beside the page: path -> content type.
ASSETS = {
    "iamport.js": "text/javascript; charset=utf-8",
    "window.js": "text/javascript; charset=utf-8",
    "window.css": "text/css; charset=utf-8",
}
LANGUAGES = {"ko": "en", "en": "ko"}  # each with the one to switch to


def asset(name: str) -> bytes:
    """Read one of ASSETS as it is shipped."""
    return files("worker.sandbox").joinpath("pages", name).read_bytes()


def title(window: Window, language: str) -> str:
    return window_texts.TITLES.get(window.pg_provider, window_texts.PLAIN_TITLE)[language].format(pg=window.pg_provider)


def language(wanted: str | None, accept_language: str | None) -> str:
    """Return Korean or English: the link's language, else the browser's first choice; Korean by default."""
    if wanted in LANGUAGES:
        return str(wanted)
    return "en" if (accept_language or "").strip().lower().startswith("en") else "ko"


def headers(window: Window) -> tuple[tuple[str, str], ...]:
    """Return headers that allow the page its own files, and only the page that opened it to frame it."""
    framing = window.host_origin or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {framing}"
    )
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )


def page(window: Window, *, is_expired: bool, language: str, ending: Mapping[str, Any]) -> str:
    """Return the HTML; `ending` is what its script reports to the page that opened it."""
    request, pg_provider = window.request, window.pg_provider
    instruments = window_texts.INSTRUMENTS.get(pg_provider, window_texts.CARD_ONLY)
    state = "expired" if is_expired else window.state.value
    return _template().render(
        language=language,
        other_language=LANGUAGES[language],
        text=window_texts.WORDS[language],
        title=title(window, language),
        pg_provider=pg_provider,
        state=state,
        use=request.use.value,
        window_id=window.window_id,
        host_origin=window.host_origin or "",
        ending=as_json(ending),
        merchant=request.merchant_code,
        order_name=request.name or "-",
        order_number=request.merchant_uid,
        amount=_won(request.amount, language),
        effect=_effect(window, language),
        instruments=[
            (each.value, names[language]) for each, names in instruments.items() if request.instrument in (None, each)
        ],
        reasons=[(name, _reason(window, name, language)) for name in reasons_of(pg_provider)],
        outcome="" if state == State.OPEN else window_texts.OUTCOMES[state][language],
        can_go_on=ending.get("reports", False) and bool(ending["redirect"] or window.host_origin),
    )


@cache
def _template() -> Template:
    loader = PackageLoader("worker.sandbox", "pages")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("window.html")


def _effect(window: Window, language: str) -> str:
    request = window.request
    shown_only = request.use is Use.REGISTRATION and request.amount > 0
    effect = window_texts.SHOWN_ONLY if shown_only else window_texts.EFFECTS[request.use]
    return effect[language].format(amount=_won(request.amount, language))


def _reason(window: Window, name: str, language: str) -> str:
    reason = reasons_of(window.pg_provider)[name]
    return f"{reason.korean if language == 'ko' else reason.english} ({reason.code})"


def _won(amount: int, language: str) -> str:
    return f"{amount:,}원" if language == "ko" else f"KRW {amount:,}"
