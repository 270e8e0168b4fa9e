"""What the settings of the checkout pages must look like: addresses of the web and of machines. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from worker.pg.window.values import is_link

PORTONE_ADDRESSES = ("52.78.100.19", "52.78.48.223", "52.78.5.241")
"""Where PortOne sends webhooks from (documented; they have changed before, in June 2023)."""

LIVE_SDK_URL = "https://cdn.iamport.kr/v1/iamport.js"  # documented

MIN_DISTINCT = 8  # different characters
MIN_PERIOD = 16  # characters before it repeats

MIN_SECRET = 32  # characters: what `openssl rand -hex 16` prints


URL_IS_MISSING = "Set AGAIN_CHECKOUT_URL, the https:// address of the pages. See .env.example."
LINKS_CANNOT_BE_SIGNED = (
    "Set AGAIN_CHECKOUT_SECRET, the same wherever links are made and pages are served; "
    "`openssl rand -hex 32` makes one. See .env.example."
)


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    """Validate addresses and networks such as 10.0.0.0/8. Raises ValueError."""
    for value in values:
        try:
            ip_network(value)
        except ValueError:
            raise ValueError("must be IP addresses or networks such as 10.0.0.0/8, with commas between them") from None
    return values


def base_address(value: str) -> str:
    """Validate a public URL and strip the slash off its end. Raises ValueError."""
    parts = urlsplit(value)
    if not is_link(value) or parts.query or parts.fragment:
        raise ValueError("must be https:// and a host, with a path if need be (http:// only for this machine)")
    # With such a path, a redirect to "//evil.example/..." would lead to another host.
    if {"", ".", ".."} & set(parts.path.rstrip("/").split("/")[1:]) or parts.path.startswith("//"):
        raise ValueError("must have a path without // and dots, or none")
    return value.rstrip("/")


def script_address(value: str) -> str:
    """Validate the URL of a script: any host of the sandbox's, in plain HTTP too. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isascii() or set(value) & set(" ;,'\""):
        raise ValueError("must be the http:// or https:// address of a script")
    return value


def secret_problems(secret: str) -> Iterator[str]:
    """Yield why a secret could be guessed."""
    if len(secret) < MIN_SECRET:
        yield f"AGAIN_CHECKOUT_SECRET must have at least {MIN_SECRET} characters; `openssl rand -hex 32` makes one."
    elif len(set(secret)) < MIN_DISTINCT or (secret + secret).find(secret, 1) < MIN_PERIOD:
        yield "AGAIN_CHECKOUT_SECRET could be guessed, as it repeats itself; `openssl rand -hex 32` makes one."


def missing_for_pages(*, checkout_url: str | None, imp_code: str, has_secret: bool, signs_links: bool) -> Iterator[str]:
    """Yield a sentence for each setting that pages need when real money moves, and that is not set."""
    if checkout_url is None:
        yield URL_IS_MISSING
    if not imp_code:
        yield "Set AGAIN_IMP_CODE, PortOne's merchant code. See .env.example."
    if signs_links and not has_secret:
        yield LINKS_CANNOT_BE_SIGNED


def sdk_problems(sdk_url: str | None, *, live: bool) -> Iterator[str]:
    """Yield what would let an attacker's script, or the sandbox's, ask a customer for money."""
    if live and sdk_url is not None and sdk_url != LIVE_SDK_URL:
        yield f"AGAIN_SDK_URL must be empty or {LIVE_SDK_URL} when AGAIN_PORTONE_KEY is set: it is PortOne's script."
