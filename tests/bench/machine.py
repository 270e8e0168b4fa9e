"""The machine that a measurement ran on, how busy it was, and what processes have used, by the operating system."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, text

ROOT = Path(__file__).parents[2]


def load() -> list[float]:
    """Return how many processes were running or ready, on average over 1, 5 and 15 minutes."""
    return [round(average, 2) for average in os.getloadavg()]


def described(engine: Engine) -> dict[str, Any]:
    """Return when and where this is measured, and of which commit."""
    with engine.connect() as connection:
        postgres = str(connection.scalar(text("SHOW server_version"))).split(" ", maxsplit=1)[0]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": psutil.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": postgres,
        "commit": _commit(),
        "load_before": load(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=9"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


class Usage:
    """CPU seconds and peak memory of processes and all their descendants, those that have ended included."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self.peak_mib = 0.0

    def cpu_seconds(self) -> float:
        """Return what they have used; a process counts what its ended children have used once it has reaped them."""
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def sample_memory(self) -> None:
        """Note the proportional share of memory (PSS) if it is more than ever before."""
        memory = 0.0
        for process in self._processes():
            try:
                memory += process.memory_full_info().pss / 2**20
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        self.peak_mib = max(self.peak_mib, memory)

    def _processes(self) -> list[psutil.Process]:
        found = []
        for root in self._roots:
            try:
                found += [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found
