"""How a use case refuses: one exception, whose text is the sentence for the operator or customer."""

from __future__ import annotations


class Refused(ValueError):
    """What was asked for cannot be done, and nothing was changed. The text says what, where and what to do."""


class RateLimited(Refused):
    """A checkout was looked up at PortOne too often, so it waits for a moment; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("PortOne was asked about this a moment ago. Try again in a few seconds.")
