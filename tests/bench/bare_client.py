"""A bare aiohttp client against the same server with the same concurrency: the upper bound of the comparison."""

from __future__ import annotations

import asyncio
import json
import sys
from time import monotonic, process_time

import aiohttp


async def measure(url: str, window: int, requests: int) -> dict[str, float]:
    """Send requests with a fixed number in flight; returns the rate per second and CPU milliseconds per request."""
    left = iter(range(requests))
    connector = aiohttp.TCPConnector(limit=window)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def slot() -> None:
            for number in left:
                body = {"customer_uid": "c", "merchant_uid": f"bench{number:035d}", "amount": 9900, "name": "Bench"}
                async with session.post(f"{url}/subscribe/payments/again", json=body) as response:
                    assert (await response.json())["response"]["status"] == "paid"

        started, cpu = monotonic(), process_time()
        await asyncio.gather(*(slot() for _ in range(window)))
        seconds = monotonic() - started
    return {"rate": requests / seconds, "cpu_ms": 1000 * (process_time() - cpu) / requests}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
