"""References of refunds: by one, a refund is found in PortOne's history, whatever became of its answer."""

from __future__ import annotations

from worker.domain.identifiers import new_code

LENGTH = 8
"""Digits of 5 random bits: no two refunds of one payment have the same."""


def new_reference() -> str:
    """Return a reference that was never used: PortOne's console shows it behind the reason."""
    return f"again-{new_code()[:LENGTH]}"
