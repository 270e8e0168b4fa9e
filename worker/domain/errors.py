"""How a use case says no: one exception, whose text is the sentence that a person reads."""

from __future__ import annotations


class Refused(ValueError):
    """What was asked for cannot be done, and nothing was changed. The text says what, where and what to do."""


class RateLimited(Refused):
    """PortOne was asked about a checkout so often that it is asked no more for a moment; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("PortOne was asked about this a moment ago. Try again in a few seconds.")
