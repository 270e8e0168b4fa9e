"""What a worker process keeps for its whole life, and what it must not keep: the task of an earlier run."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import structlog

from worker.process import Process
from worker.runtime import Runtime


class Gateway:
    async def aclose(self) -> None:
        pass


class OneGateway:
    """The part of a runtime that a process needs here."""

    def gateway(self) -> Gateway:
        return Gateway()

    def close(self) -> None:
        pass


def test_pump_run_logs_under_the_task_that_called_it():
    process = Process(cast("Runtime", OneGateway()))

    async def work(_: Any) -> tuple[str, str]:
        def bound() -> str:
            return str(structlog.contextvars.get_contextvars()["task"])

        return bound(), await asyncio.to_thread(bound)

    said = []
    for task in ("again.sweep", "again.charge", "again.reconcile"):
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(task=task)
        said.append(process.run(work))
    structlog.contextvars.clear_contextvars()
    process.close()
    assert said == [(task, task) for task in ("again.sweep", "again.charge", "again.reconcile")]
