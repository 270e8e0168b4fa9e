"""Reading request bodies with limits on their size, their duration and their form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MAX_BODY_BYTES = 16_384  # bytes; a webhook has 200, a buyer's name, telephone and e-mail 300
BODY_SECONDS = 10.0
MAX_FIELDS = 50


async def read_object(request: Request, *, form: bool = False) -> Mapping[str, Any]:
    """Return a JSON object, or with `form` also a form. Raises HTTPException 400, 408, 413 or 415 with a sentence."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "Send it uncompressed.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _json_object(await read_body(request))
    if form and kind == "application/x-www-form-urlencoded":
        return _form(await read_body(request))
    raise HTTPException(415, "Send application/json." if not form else "Send application/json or a form.")


async def read_body(request: Request) -> bytes:
    """Return the body, and stop reading where it is too large, whatever its Content-Length says."""
    announced = request.headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit() or len(announced) > 15 or int(announced) > MAX_BODY_BYTES:
        raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {BODY_SECONDS:g} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body broke off.") from None
    return bytes(body)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise HTTPException(400, "The body is not a JSON object.")
    return value


def _form(body: bytes) -> Mapping[str, Any]:
    try:
        return _object(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(400, "The body is not a form.") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated name: a proxy that checked the request may have read the other value."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name comes twice")
    return read


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
