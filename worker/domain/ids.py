"""Ids as people type them."""

from __future__ import annotations

LONGEST = 18  # digits; every such number fits into a bigint


def read_id(text: str) -> int | None:
    """Read an id written as 17 or #17; None for what is none."""
    digits = text.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST else None
