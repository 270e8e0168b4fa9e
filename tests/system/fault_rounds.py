"""Fault runs for as long as there is time, each in another order. Only `make torture` names this file to pytest."""

from __future__ import annotations

import secrets
import tempfile
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from tests.system.faults_run import tell_run

REPLAY = "pytest tests/simulation tests/system/test_faults.py -k every_fault --seed {seed}"
"""The folder of the simulation defines the option."""


def test_fault_rounds(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]):
    if not request.config.getoption("--thorough", default=False):
        pytest.skip("only with --thorough, for --torture-seconds: use `make torture`")
    ends = monotonic() + float(request.config.getoption("--torture-seconds"))
    for seed in count(secrets.randbelow(1_000_000_000)):
        with capsys.disabled():
            print(f"\nfault round, seed {seed}; once more: {REPLAY.format(seed=seed)}")
            with tempfile.TemporaryDirectory(prefix="again-faults-") as folder:
                Path(folder).chmod(0o711)
                print(tell_run(Path(folder), seed))
        if monotonic() > ends:
            break
