"""Signed, expiring links: the holder of one may see and finish one checkout, and nothing else.

A token is a checkout's code, its last second and a signature. It carries no cookie and no name, so there is nothing
that another site could make a browser send along.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime

from worker.checkout import CheckoutLink
from worker.config.settings import Settings
from worker.web.link_secret import link_secret

_PURPOSE = b"again checkout link 1"
"""Domain separation: what the derived key signs. The same secret signs nothing else with it, now or later."""

_TOKEN = re.compile(r"([0-9A-Za-z_-]{1,64})\.([0-9a-f]{1,10})\.([0-9A-Za-z_-]{32})")


class InvalidLink(ValueError):
    """A link that was not made with this secret, or was changed on its way."""


class LinkSigner:
    """Makes and reads links with one secret."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")

    def token(self, link: CheckoutLink) -> str:
        """Return the token of a link, as it stands in its URL; the expiry is rounded to whole seconds."""
        signed = f"{link.code}.{int(link.expires_at.timestamp()):x}"
        token = f"{signed}.{self._signature(signed)}"
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("the code of a link takes 1 to 64 letters, digits, - and _")
        return token

    def read(self, token: str) -> CheckoutLink:
        """Return the link of a token. Raises InvalidLink, without telling a forger what is wrong with the signature."""
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(self._signature(f"{found[1]}.{found[2]}"), found[3]):
            raise InvalidLink("this is no link of ours")
        return CheckoutLink(found[1], datetime.fromtimestamp(int(found[2], 16), UTC))

    def _signature(self, signed: str) -> str:
        """Return 192 bits of HMAC-SHA256, which is 32 characters."""
        return urlsafe_b64encode(hmac.digest(self._key, signed.encode(), "sha256")[:24]).decode()


def link_url(settings: Settings, link: CheckoutLink) -> str:
    """Return a link's URL. Raises InvalidSettings when real money moves and AGAIN_CHECKOUT_URL is not set."""
    return f"{settings.pages_url}/c/{LinkSigner(link_secret(settings)).token(link)}"
