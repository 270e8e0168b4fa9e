"""Connections live in one loop, whatever loop asks: that of a host's whole life, or one that lasts for a call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from worker.web.http.background_loop import BackgroundLoop


@pytest.fixture
def own() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop("test loop")
    yield loop
    asyncio.run(loop.stop())


async def where() -> int:
    return id(asyncio.get_running_loop())


def test_callers_in_short_lived_loops_share_one_background_loop(own: BackgroundLoop):
    asked_in, answered_in = set(), set()

    async def ask() -> None:
        asked_in.add(asyncio.get_running_loop())
        answered_in.add(await own.run(where))

    asyncio.run(ask())
    asyncio.run(ask())
    for _ in range(3):
        thread = threading.Thread(target=lambda: asyncio.run(ask()))
        thread.start()
        thread.join()
    assert (len(asked_in), len(answered_in)) == (5, 1)


def test_exception_in_the_background_is_raised_in_the_caller(own: BackgroundLoop):
    async def refuse(sentence: str) -> None:
        raise LookupError(sentence)

    with pytest.raises(LookupError, match="no such thing"):
        asyncio.run(own.run(refuse, "no such thing"))


def test_cancelled_caller_cancels_the_background_call(own: BackgroundLoop):
    begun, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def ask_and_leave() -> None:
        asked = asyncio.create_task(own.run(wait))
        await asyncio.to_thread(begun.wait, 10)
        asked.cancel()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(ask_and_leave())


def test_stopped_loop_has_no_thread_and_refuses_with_a_sentence():
    own = BackgroundLoop("test loop")
    asyncio.run(own.run(where))
    asyncio.run(own.stop())
    asyncio.run(own.stop())  # again does no harm
    assert all(thread.name != "test loop" for thread in threading.enumerate())
    with pytest.raises(RuntimeError, match="The test loop is closed"):
        asyncio.run(own.run(where))


def test_unused_loop_stops_without_having_started():
    asyncio.run(BackgroundLoop("test loop").stop())


FORKED = """
import asyncio, os
from worker.web.http.background_loop import BackgroundLoop
own = BackgroundLoop("loop")
asyncio.run(own.run(asyncio.sleep, 0))
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
try:
    asyncio.run(own.run(asyncio.sleep, 0))
except RuntimeError as error:
    os._exit(7 if "forked" in str(error) else 8)
os._exit(9)
"""


def test_loop_used_before_a_fork_raises_in_the_child():
    forked = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=120, check=False)
    assert forked.returncode == 7
