"""Many rows as one parameter: PostgreSQL unpacks a JSON array, so a bulk statement is one round trip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import Any


def as_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows for `jsonb_to_recordset`."""
    return json.dumps(list(rows), default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"no column can hold a {type(value).__name__}")
