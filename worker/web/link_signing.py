"""Signed, expiring links: who holds one may see and finish one checkout, and nothing else.

A link is its code, its last second and a signature. It carries no cookie and no name, so there is nothing that another
site could make a browser send along.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

_PURPOSE = b"again checkout link 1"
"""Names what the key is for: the same secret signs nothing else with it, now or later."""

_TOKEN = re.compile(r"([0-9A-Za-z_-]{1,64})\.([0-9a-f]{1,10})\.([0-9A-Za-z_-]{32})")


class InvalidLink(ValueError):
    """A link that we did not make, or that was changed on its way."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says once its signature is known to be ours. From `expires_at` on nothing new is begun with it."""

    code: str
    expires_at: datetime

    def has_expired(self, now: datetime) -> bool:
        return now >= self.expires_at


class Signer:
    """Makes and reads links with one secret."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")

    def token(self, link: Link) -> str:
        """Write a link down for an address; it is rounded to whole seconds."""
        signed = f"{link.code}.{int(link.expires_at.timestamp()):x}"
        token = f"{signed}.{self._signature(signed)}"
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("the code of a link takes 1 to 64 letters, digits, - and _")
        return token

    def read(self, token: str) -> Link:
        """Raises InvalidLink, and says no more: how a signature is wrong is nobody's business."""
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(self._signature(f"{found[1]}.{found[2]}"), found[3]):
            raise InvalidLink("this is no link of ours")
        return Link(found[1], datetime.fromtimestamp(int(found[2], 16), UTC))

    def _signature(self, signed: str) -> str:
        """Give 192 bits of HMAC-SHA256, which is 32 characters."""
        return urlsafe_b64encode(hmac.digest(self._key, signed.encode(), "sha256")[:24]).decode()
