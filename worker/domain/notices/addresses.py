"""E-mail addresses to which notices are sent. Pure; no sentence quotes one."""

from __future__ import annotations

import re

from worker.domain.errors import Refused

LONGEST = 254  # characters (documented: RFC 5321)
LANGUAGES = ("ko", "en")

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@({_LABEL}\.)+{_LABEL}")


def read_address(text: str) -> str:
    """Return an e-mail address, as one recipient. Raises Refused for anything else, without quoting it."""
    address = text.strip()
    if len(address) > LONGEST or len(address.partition("@")[0]) > 64 or _ADDRESS.fullmatch(address) is None:
        raise Refused(
            "That is no e-mail address that a notice could be sent to: give one such as name@example.com, in ASCII "
            f"(a domain of other letters as xn--...), of at most {LONGEST} characters."
        )
    return address


def read_language(text: str) -> str:
    """Return the language in which notices are sent. Raises Refused."""
    if text not in LANGUAGES:
        raise Refused(f"The language is {text!r:.20} but must be ko or en.")
    return text
