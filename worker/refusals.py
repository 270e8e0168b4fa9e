"""How a use case says no: one exception, whose text is the sentence that a person reads."""

from __future__ import annotations


class Refused(ValueError):
    """What was asked for cannot be done, and nothing was changed. The text says what, where and what to do."""
