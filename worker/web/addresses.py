"""Where a link leads: its public address, with its signature."""

from __future__ import annotations

from worker import checkout
from worker.config.settings import DEFAULT_CHECKOUT_URL, InvalidSettings, Settings
from worker.web.link_secret import link_secret
from worker.web.link_signing import Link, Signer


def link_url(settings: Settings, link: checkout.Link) -> str:
    """Write a link's whole address. Raises InvalidSettings when real money moves and the pages have no address."""
    if settings.live and settings.checkout_url is None:
        raise InvalidSettings("Set AGAIN_CHECKOUT_URL, the https:// address of the pages. See .env.example.")
    token = Signer(link_secret(settings)).token(Link(link.code, link.expires_at))
    return f"{settings.checkout_url or DEFAULT_CHECKOUT_URL}/c/{token}"
