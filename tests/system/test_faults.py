"""2,000 charges while every part is killed, frozen or emptied in turn; nothing is repaired by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.faults_run import tell_run

SEED = 1


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own folder: that is closed to the user that PostgreSQL runs as under root."""
    with tempfile.TemporaryDirectory(prefix="again-faults-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--seed", default=None)
        metafunc.parametrize("seed", [SEED if asked is None else asked])


def test_subscriptions_are_charged_exactly_once_through_every_fault(
    folder: Path, seed: int, capsys: pytest.CaptureFixture[str]
):
    report = tell_run(folder, seed)
    with capsys.disabled():
        print(report)
