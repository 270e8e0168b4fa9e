"""`again metrics`: what a monitoring system reads, printed once or served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli import console

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from worker.runtime import Runtime

app = typer.Typer(help="Metrics for Prometheus: what `again status` shows, and running totals.", no_args_is_help=True)

ACTOR = "metrics"
PORT = 9103


@app.command("show")
def show() -> None:
    """Print every metric once, in the text format of Prometheus."""
    from prometheus_client import generate_latest

    from worker.cli.context import command_runtime

    with command_runtime(as_json=True, actor_name=ACTOR, same_mode=False) as runtime:
        console.output().out(generate_latest(_registry(runtime)).decode(), end="", highlight=False)


@app.command("serve")
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than this machine's own is for a closed network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free port.")] = PORT,
) -> None:
    """Serve /metrics for Prometheus until Ctrl-C, on a port of its own: the customers' pages have none of it."""
    from worker.cli.context import command_runtime
    from worker.config.logs import configure_logs
    from worker.metrics.server import MetricsServer

    with command_runtime(as_json=False, actor_name=ACTOR, same_mode=False) as runtime:
        configure_logs(runtime.settings.log_level)
        server = MetricsServer(_registry(runtime), host=host, port=port)
        console.note(f"metrics on {server.url}/metrics; Ctrl-C ends it")
        server.serve_until_stopped()


def _registry(runtime: Runtime) -> CollectorRegistry:
    from worker.config.task_limits import task_time_limit
    from worker.metrics.collector import DatabaseCollector, registry
    from worker.metrics.expected import expected_of

    expected = expected_of(runtime.settings, task_time_limit=task_time_limit(runtime.settings))
    return registry(DatabaseCollector(runtime.sessions, expected, clock=runtime.clock))
