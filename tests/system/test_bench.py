"""The benchmark measures what it says, in a form that takes seconds. Its figures are not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench import report

ROOT = Path(__file__).parents[2]


def test_benchmark_leaves_figures_and_charts_of_its_parts(tmp_path: Path):
    parts = ["catch_up", "opening", "claim"]
    command = [sys.executable, "-m", "tests.bench", "--tiny", "--into", str(tmp_path), *parts]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    results = report.kept_results(tmp_path)
    assert list(results) == parts
    assert all(result.figures for result in results.values())
    assert sorted(path.stem for path in tmp_path.glob("*.svg")) == ["catch-up", "claim-against-rows"]
