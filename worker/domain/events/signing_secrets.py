"""The secrets that webhooks are signed with, as Standard Webhooks writes them: `whsec_` and base64. Pure."""

from __future__ import annotations

import base64
import binascii

from worker.domain.errors import Refused

PREFIX = "whsec_"
BYTES = 32  # of one that is made here
SHORTEST, LONGEST = 24, 64  # bytes (documented by Standard Webhooks)
LEAST_DISTINCT = 8  # different bytes: one that repeats itself could be guessed


def written(secret: bytes) -> str:
    """Return random bytes as a secret is written."""
    return PREFIX + base64.b64encode(secret).decode()


def read(text: str) -> str:
    """Return a secret that an operator gives, as it is stored. Raises Refused, without quoting it."""
    expected = f"{PREFIX} and then {SHORTEST} to {LONGEST} random bytes in base64; leave it out, and one is made"
    encoded = text.strip()
    if not encoded.startswith(PREFIX):
        raise Refused(f"The secret does not begin with {PREFIX}; give {expected}.")
    encoded = encoded.removeprefix(PREFIX)
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"The secret is no base64; give {expected}.") from None
    if not SHORTEST <= len(secret) <= LONGEST:
        raise Refused(f"The secret has {len(secret)} bytes; give {expected}.")
    if len(set(secret)) < LEAST_DISTINCT:
        raise Refused(f"The secret could be guessed, as it repeats itself; give {expected}.")
    return written(secret)
