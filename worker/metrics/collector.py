"""The collector: reads everything at most every few seconds, however many ask, and hands it over as metric families."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.database import clock
from worker.database.engine import Sessions
from worker.domain.clock import Clock, elapsed_seconds
from worker.metrics.families import CALLS, FAMILIES, Kind
from worker.metrics.readings import KINDS, Census, Readings, read, taken
from worker.metrics.samples import Expected, Sample, buckets, samples

KEPT_SECONDS = 5.0
"""For how long what was read is handed out again."""


class DatabaseCollector(Collector):
    """What `again status` shows, and the running totals, as Prometheus wants them. Safe to be asked by many at once.

    Everything comes out of the database, where each thing is counted in the transaction in which it happens. So no
    process that dies or starts counts anything twice, and every collector says the same.
    """

    def __init__(
        self,
        sessions: Sessions,
        expected: Expected,
        *,
        clock: Clock,
        monotonic: Callable[[], float] = elapsed_seconds,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        self._sessions, self._expected, self._clock = sessions, expected, clock
        self._monotonic, self._kept_seconds = monotonic, kept_seconds
        self._lock = Lock()
        self._censuses: dict[str, Census] = {}
        self._kept: list[Metric] = []
        self._read_at: float | None = None

    def collect(self) -> Iterator[Metric]:
        """Return every family; raises what SQLAlchemy raises while the database does not answer."""
        with self._lock:
            if self._read_at is None or self._monotonic() - self._read_at >= self._kept_seconds:
                self._kept = self._read()
                self._read_at = self._monotonic()
            kept = self._kept
        yield from kept

    def _read(self) -> list[Metric]:
        with self._sessions() as session:
            now = clock.read(session, self._clock)
            for kind in KINDS:
                before = self._censuses.get(kind)
                self._censuses[kind] = taken(session, kind, before, now=now, monotonic=self._monotonic)
            started = self._monotonic()
            readings = read(session, self._censuses, now=now)
            seconds = self._monotonic() - started
        return list(_families(readings, self._expected, seconds))


def registry(collector: Collector) -> CollectorRegistry:
    """Return a registry of this collector alone: the process that serves it is not what is to be watched."""
    made = CollectorRegistry(auto_describe=False)
    made.register(collector)
    return made


def _families(readings: Readings, expected: Expected, seconds: float) -> Iterator[Metric]:
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))
    for sample in (*samples(readings, expected), Sample("again_read_seconds", (), seconds)):
        found[sample.name][sample.labels] += sample.value
    for name, family in FAMILIES.items():
        if family.kind is Kind.HISTOGRAM:
            continue
        if family.kind is Kind.COUNTER and not family.labels:
            found[name][()] += 0  # there from the start: what grows from nothing shows
        make = GaugeMetricFamily if family.kind is Kind.GAUGE else CounterMetricFamily
        made = make(name, family.help, labels=family.labels)
        for labels, value in sorted(found[name].items()):
            made.add_metric(labels, value)
        yield made
    for name, family in CALLS.items():
        histogram = HistogramMetricFamily(name, family.help, labels=family.labels)
        for total in readings.calls:
            histogram.add_metric((total.pg, total.outcome), buckets(total), total.seconds)
        yield histogram
