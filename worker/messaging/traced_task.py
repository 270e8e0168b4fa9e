"""What Celery makes our tasks of: each run of one is a span, in which what it does has its own."""

from __future__ import annotations

from typing import Any

from celery import Task

from worker.config import tracing


class TracedTask(Task):  # type: ignore[misc]  # Celery's has no types
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with tracing.span(self.name, {"task_id": self.request.id or ""}):
            return super().__call__(*args, **kwargs)
