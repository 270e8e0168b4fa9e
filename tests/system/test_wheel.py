"""The wheel in an environment of its own: it has the types, and a host's code passes strict checks against it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.attempts import RULES

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in {"MYPYPATH", "PYTHONPATH"}}
    ended = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment that finds the dependencies, but not the sources, of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(
        Path(sys.executable).with_name("uv"),
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        str(python),
        str(wheel),
        cwd=folder,
    )
    # Read as a plain folder: the file in it that leads to the sources of this checkout has no effect there.
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_installed_package_is_the_wheels_and_has_its_types(python: Path, tmp_path: Path):
    code = "import worker, schedules; print(worker.__file__, schedules.__file__); print(worker.HostCheckout.__name__)"
    where, name = run(python, "-c", code, cwd=tmp_path).splitlines()
    for package in map(Path, where.split()):
        assert package.is_relative_to(python.parents[1])
        assert (package.parent / "py.typed").is_file()
    assert name == "HostCheckout"


def test_host_example_passes_strict_mypy_against_the_wheel(python: Path, tmp_path: Path):
    shutil.copy(ROOT / "tests" / "examples" / "fastapi_shop.py", tmp_path / "shop.py")
    (tmp_path / "mypy.ini").write_text("[mypy]\n")  # none of this project's relaxations
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python))
    assert "no issues found in 1 source file" in run(*mypy, "shop.py", cwd=tmp_path)
    (tmp_path / "wrong.py").write_text("from worker import HostCheckout\n\nHostCheckout.from_env(actor=1)\n")
    wrong = subprocess.run((*mypy, "wrong.py"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 'has incompatible type "int"; expected "str"' in wrong.stdout


def test_installed_package_has_the_packs_of_decline_rules(python: Path, tmp_path: Path):
    code = (
        "from worker.config.decline_packs import shipped_rules\n"
        "print(*sorted(f'{pack.file}:{len(pack.codes) + len(pack.states)}' for pack in shipped_rules().packs))"
    )
    here = sorted(f"{pack.file}:{len(pack.codes) + len(pack.states)}" for pack in RULES.packs)
    assert run(python, "-c", code, cwd=tmp_path).split() == here
