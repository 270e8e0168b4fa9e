"""What one call to PortOne costs in CPU: the gateway's against a bare client's, in one process and one run.

python -m tests.bench.http_call
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from socket import create_connection
from statistics import median
from time import monotonic, process_time, sleep

from tests.bench import bare_client
from worker.config.decline_packs import shipped_rules
from worker.devstack.stack import free_port
from worker.domain.gateway import ChargeRequest
from worker.domain.outcomes import Paid
from worker.portone.adapter import PortOneGateway
from worker.portone.client import PortOneClient
from worker.portone.connection import Connection

WINDOW = 100
CALLS = 1500
ROUNDS = 11
LATENCY_SECONDS = 0.05


def measure_http_call(url: str, *, window: int = WINDOW, calls: int = CALLS, rounds: int = ROUNDS) -> dict[str, float]:
    """Return CPU milliseconds per call of the bare client and of the gateway, medians of rounds, and their ratio."""
    bare, gateway = [], []
    for _ in range(rounds):
        bare.append(asyncio.run(bare_client.measure(url, window, calls))["cpu_ms"])
        gateway.append(asyncio.run(_charge(url, window, calls)))
    ratios = [ours / theirs for ours, theirs in zip(gateway, bare, strict=True)]
    return {"bare_cpu_ms": median(bare), "gateway_cpu_ms": median(gateway), "ratio": median(ratios)}


async def _charge(url: str, window: int, calls: int) -> float:
    """Charge with a fixed number in flight; returns CPU milliseconds per charge."""
    connection = Connection(url, ("key", "secret"), connect_timeout=10, read_timeout=65)
    gateway = PortOneGateway(PortOneClient(connection), deadline=timedelta(seconds=75), rules=shipped_rules())
    left = iter(range(calls))

    async def slot() -> None:
        for number in left:
            assert isinstance(await gateway.charge(_request(number), holds_lease=lambda: True), Paid)

    try:
        assert await gateway.ready() is None
        cpu = process_time()
        await asyncio.gather(*(slot() for _ in range(window)))
        return 1000 * (process_time() - cpu) / calls
    finally:
        await gateway.aclose()


def _request(number: int) -> ChargeRequest:
    return ChargeRequest(
        customer_uid=f"customer-{number}",
        merchant_uid=f"bench{number:035d}",
        amount=9900,
        tax_free=0,
        vat_amount=None,
        currency="KRW",
        name="Bench",
        pg="kakaopay",
    )


def main() -> None:
    port = free_port(9300)
    stub = subprocess.Popen([sys.executable, "-m", "tests.bench.portone_stub", str(port), str(LATENCY_SECONDS)])
    try:
        _wait_for(port)
        result = measure_http_call(f"http://127.0.0.1:{port}")
    finally:
        stub.terminate()
        stub.wait()
    print(f"CPU ms per call: bare aiohttp {result['bare_cpu_ms']:.3f}, gateway {result['gateway_cpu_ms']:.3f}")
    print(f"ratio {result['ratio']:.2f}")


def _wait_for(port: int) -> None:
    deadline = monotonic() + 10
    while monotonic() < deadline:
        try:
            create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            sleep(0.05)
        else:
            return
    raise SystemExit("the stub did not come up within ten seconds")


if __name__ == "__main__":
    main()
