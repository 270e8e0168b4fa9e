"""Spans by OpenTelemetry, once `start` was called in this process; until then they cost next to nothing, and are none.

Where they go and how many are kept, say the variables of OpenTelemetry itself (OTEL_EXPORTER_OTLP_ENDPOINT, ...). No
span holds an exception's text: it may name what is secret.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import Context, copy_context
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

import structlog
from structlog.typing import EventDict

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE = "again"
"""The service that spans are of, unless OTEL_SERVICE_NAME says another."""

CLOSE_WITHIN_SECONDS = 3.0
"""How long a process that ends waits for its last spans to be taken."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The span in which something was started that ends in another one."""

    trace_id: int
    span_id: int


_provider: TracerProvider | None = None


def traces_to(value: str) -> str:
    """Validate where spans are sent: by OTLP, if what sends them is installed. Raises ValueError."""
    if value != "otlp":
        raise ValueError("must be otlp, or empty for no traces")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise ValueError(
            "is otlp, and what sends traces is not installed: install again-billing[otel], or leave it empty"
        )
    return value


def start() -> None:
    """Send this process's spans by OTLP over HTTP from now on; after a fork, for a thread sends them."""
    global _provider  # noqa: PLW0603 - one per process, as OpenTelemetry wants it
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({SERVICE_NAME: SERVICE, "service.version": version("again-billing")})
    provider = TracerProvider(resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _provider = provider


def stop() -> None:
    """Send what is left, for some seconds at most, and trace nothing more."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        # Of its own accord it would try a collector that is gone for half a minute.
        closing = Thread(target=_provider.shutdown, name="again-traces", daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN_SECONDS)
        _provider = None


def span(
    name: str,
    attributes: Mapping[str, str | int] | None = None,
    *,
    origins: Collection[Origin] = (),
    root: bool = False,
) -> AbstractContextManager[None]:
    """Return a span around a block: a child of the one around it, or with `root` of none, linked to its origins."""
    return nullcontext() if _provider is None else _span(_provider, name, attributes or {}, origins, root=root)


@contextmanager
def _span(
    provider: TracerProvider,
    name: str,
    attributes: Mapping[str, str | int],
    origins: Collection[Origin],
    *,
    root: bool,
) -> Iterator[None]:
    from opentelemetry import context, trace

    links = [trace.Link(trace.SpanContext(each.trace_id, each.span_id, is_remote=False)) for each in origins]
    with provider.get_tracer("again").start_as_current_span(
        name,
        context=context.Context() if root else None,
        attributes={f"again.{key}": value for key, value in attributes.items()},
        links=links,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield
        except BaseException as error:
            opened.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def note(**attributes: str | int) -> None:
    """Add to the current span what became known in it."""
    if _provider is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes({f"again.{key}": value for key, value in attributes.items()})


def origin() -> Origin | None:
    """Return the current span, for one that takes up later what was started in it; None if there is none."""
    if _provider is None:
        return None
    from opentelemetry import trace

    current = trace.get_current_span().get_span_context()
    return Origin(current.trace_id, current.span_id) if current.is_valid else None


def outliving() -> Context:
    """Return a context for what outlives the task that starts it: its lines name the task, and no run of it."""
    kept = copy_context()
    kept.run(structlog.contextvars.unbind_contextvars, "task_id")
    if _provider is not None:
        from opentelemetry import context

        kept.run(context.attach, context.Context())
    return kept


def add_trace_id(_: object, __: str, event: EventDict) -> EventDict:
    """Add the ids of the trace and the span in which a line is logged, as OpenTelemetry names them."""
    if _provider is not None and (current := origin()) is not None:
        event["trace_id"], event["span_id"] = f"{current.trace_id:032x}", f"{current.span_id:016x}"
    return event
