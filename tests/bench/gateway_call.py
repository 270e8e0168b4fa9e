"""What one call to PortOne costs the process that makes it, against a bare client's (`http_call.py`)."""

from __future__ import annotations

from tests.bench.figures import Figure, Measured
from tests.bench.http_call import LATENCY_SECONDS, measure_http_call
from tests.bench.servers import Bench

TITLE = "A call to PortOne"


def measure(bench: Bench) -> Measured:
    """Measure rounds of our gateway and of a bare aiohttp client in turn, in this process."""
    with bench.portone(latency=LATENCY_SECONDS) as url:
        cost = measure_http_call(url, rounds=bench.sizes.call_rounds)
    note = (
        f"{cost['gateway_cpu_ms']:.3f} ms and {cost['bare_cpu_ms']:.3f} ms of CPU, median of {bench.sizes.call_rounds}"
    )
    return Measured(figures=(Figure(name="CPU, of the bare client's", value=cost["ratio"], unit="times", note=note),))
