"""What an imp_uid, PortOne's own id of a payment, may look like when a client sends one. Pure."""

from __future__ import annotations

import re

LONGEST = 80
"""PortOne's own have 32 characters at most (documented)."""

_SHAPE = re.compile(rf"[A-Za-z0-9_]{{1,{LONGEST}}}")


def is_imp_uid(text: str) -> bool:
    """Return whether a text can be one: `imp_` or `imps_` and digits (seen). No other, like `..`, gets into a path."""
    return _SHAPE.fullmatch(text) is not None
