"""Carrying out over HTTP what the rules decided: waiting, answering, hanging, breaking connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from worker.sandbox.rules.answers import Answer, Delivery, Steps, dropped
from worker.sandbox.rules.calls import Call

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST


class UnreadableBody(ValueError):
    """A body is neither a JSON object nor a form."""


class Courier:
    """Carries steps out for as long as the server runs; `stop` ends every wait and every hanging connection."""

    def __init__(self) -> None:
        self._stopping: asyncio.Event | None = None

    async def carry_out(self, steps: Steps) -> Answer:
        """Go through the steps, whether or not the client stays: uvicorn does not end a request with its client."""
        for step in steps:
            if isinstance(step, Answer):
                return step
            if await self._stopped_within(step.seconds):
                break
        return dropped()

    async def hang(self, request: Request) -> None:
        """Wait until the client gives up or the server stops."""
        leaving = asyncio.ensure_future(_client_gone(request))
        stopping = asyncio.ensure_future(self._event().wait())
        await asyncio.wait([leaving, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (leaving, stopping):
            task.cancel()
        await asyncio.gather(leaving, stopping, return_exceptions=True)

    def stop(self) -> None:
        """End all waits; to be called on the event loop."""
        self._event().set()

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event().wait()
        return self._event().is_set()

    def _event(self) -> asyncio.Event:
        if self._stopping is None:
            self._stopping = asyncio.Event()
        return self._stopping


class BrokenResponse(Response):
    """A response that ends its connection instead of, or in the middle of, being sent."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body, answer.status, media_type=None)
        self._delivery = answer.delivery

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        if self._delivery is Delivery.CUT:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            half = bytes(self.body)[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        if self._delivery is Delivery.RESET and not transport.is_closing():
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.close()
        await _client_gone(Request(scope, receive))


async def deliver(answer: Answer, request: Request, courier: Courier) -> Response:
    """Turn an answer into a response; a hanging one first keeps the client waiting."""
    if answer.delivery is Delivery.HANG:
        await courier.hang(request)
        return BrokenResponse(dropped())
    if answer.delivery is not Delivery.WHOLE:
        return BrokenResponse(answer)
    headers = dict(answer.headers)
    return Response(answer.body, answer.status, headers=headers, media_type=answer.content_type)


async def read_call(request: Request) -> Call:
    """Read an HTTP request into a Call; raises UnreadableBody."""
    headers = request.headers
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return Call(
        method=request.method,
        path=raw_path.decode("latin-1"),
        query=parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True),
        fields=await _fields(request) if request.method not in ("GET", "HEAD") else {},
        authorization=headers.get("authorization"),
        legacy_token=headers.get("x-imptokenheader"),
        user_agent=headers.get("user-agent"),
        origin=headers.get("origin"),
        accept_language=headers.get("accept-language"),
    )


async def _fields(request: Request) -> dict[str, Any]:
    """Read the body as JSON or as a form, by its content type [documented: both]."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        async with request.form() as form:
            return _texts(form)
    body = await request.body()
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise UnreadableBody from error
    if not isinstance(fields, dict) or _has_lone_surrogate(body, fields):
        raise UnreadableBody
    return fields


def _texts(form: FormData) -> dict[str, Any]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _has_lone_surrogate(body: bytes, fields: dict[str, Any]) -> bool:
    if b"\\u" not in body:
        return False
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


async def _client_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
