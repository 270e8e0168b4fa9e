"""The network between a worker and the sandbox, in steps: a request leaves, arrives, is answered, and returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import aiohttp
import httpx
from aiohttp.client_reqrep import ConnectionKey

from tests.simulation.engine.faults import ANSWER_UNDER_WAY, ANSWERED, NOT_SENT, SENT, Kind
from worker.portone.transport import _as_httpx_errors
from worker.sandbox.charging import TURN_SECONDS
from worker.sandbox.http.endpoints import handle
from worker.sandbox.rules.answers import Answer, Delivery, Pause, Steps
from worker.sandbox.rules.calls import Call

if TYPE_CHECKING:
    from tests.simulation.engine.worker_process import WorkerProcess

TRAVEL_SECONDS = 0.05
PATIENT_TURN_SECONDS = 5.0
"""Seconds between the checks of a serialized request; fifty a second would be most of a history."""

_KEY = ConnectionKey("portone.invalid", 443, True, True, None, None, None)


class Wire(httpx.AsyncBaseTransport):
    """One worker's connections. The errors go through the real transport's table."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx_errors():
            answer = await self._exchange(request)
            if answer.delivery is Delivery.DROP:
                raise aiohttp.ServerDisconnectedError
            if answer.delivery is Delivery.RESET:
                raise aiohttp.ClientOSError(104, "Connection reset by peer")
        return httpx.Response(answer.status, stream=_Body(answer), request=request)

    async def _exchange(self, request: httpx.Request) -> Answer:
        worker, name = self._worker, _name(request)
        fault = await worker.point(f"{name}: {NOT_SENT}")
        if fault is not None and fault.kind is Kind.REFUSE:
            raise aiohttp.ClientConnectorError(_KEY, ConnectionRefusedError("refused"))
        home: asyncio.Future[Answer] = worker.loop.create_future()
        if fault is None or fault.kind is not Kind.LOSE_REQUEST:
            call = _call(request)
            worker.world.after(TRAVEL_SECONDS, lambda: self._serve(handle(worker.world.sandbox, call), name, home))
        await worker.point(f"{name}: {SENT}")
        try:
            async with asyncio.timeout(request.extensions["timeout"]["read"]):
                answer = await home
        except TimeoutError:
            raise aiohttp.SocketTimeoutError from None
        await worker.point(f"{name}: {ANSWERED}")
        return answer

    def _serve(self, steps: Steps, name: str, home: asyncio.Future[Answer]) -> None:
        """Take the sandbox's next step. It does not depend on its client being alive."""
        step = next(steps)
        world, worker = self._worker.world, self._worker
        if isinstance(step, Pause):
            seconds = PATIENT_TURN_SECONDS if step.seconds == TURN_SECONDS else step.seconds
            world.after(seconds, lambda: self._serve(steps, name, home))
            return
        worker.point_on_the_way(f"{name}: {ANSWER_UNDER_WAY}")
        if step.delivery is not Delivery.HANG:
            world.after(TRAVEL_SECONDS, lambda: worker.loop.call_soon(_arrive, home, step))


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._answer.body
        if self._answer.delivery is not Delivery.CUT:
            yield body
            return
        yield body[: len(body) // 2]
        with _as_httpx_errors():
            raise aiohttp.ClientPayloadError("the connection was closed")


def _arrive(home: asyncio.Future[Answer], answer: Answer) -> None:
    if not home.done():
        home.set_result(answer)


def _name(request: httpx.Request) -> str:
    path = request.url.path
    return {"/users/getToken": "getToken", "/subscribe/payments/again": "again"}.get(path) or path.split("/")[2]


def _call(request: httpx.Request) -> Call:
    path, _, query = request.url.raw_path.decode().partition("?")
    return Call(
        method=request.method,
        path=path,
        query=parse_qs(query),
        fields=json.loads(request.content) if request.content else {},
        authorization=request.headers.get("authorization"),
    )
