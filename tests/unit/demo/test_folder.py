"""A demo deletes what an earlier demo made, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.demo.folder import MARK, empty_folder
from worker.devstack.addresses import NotAvailable


def test_folder_not_made_by_a_demo_is_left_alone(tmp_path: Path):
    thesis = tmp_path / "demo" / "precious" / "thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("important")
    with pytest.raises(NotAvailable, match="left alone: move it away, or set AGAIN_DATA_DIR"):
        empty_folder(tmp_path / "demo")
    assert thesis.read_text() == "important"
    assert not (tmp_path / "demo" / MARK).exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_file_in_place_of_the_folder_is_left_alone(tmp_path: Path, kind: str):
    demo, elsewhere = tmp_path / "demo", tmp_path / "elsewhere"
    if kind == "file":
        demo.write_text("important")
    else:
        demo.symlink_to(elsewhere)
    if kind == "link":
        elsewhere.mkdir()
        (elsewhere / MARK).touch()
        (elsewhere / "book.csv").write_text("important")
    with pytest.raises(NotAvailable):
        empty_folder(demo)
    assert kind != "link" or (elsewhere / "book.csv").read_text() == "important"
    assert kind != "file" or demo.read_text() == "important"


@pytest.mark.parametrize("existing", [True, False])
def test_an_empty_folder_is_taken(tmp_path: Path, existing: bool):
    demo = tmp_path / ".again" / "demo"
    if existing:
        demo.mkdir(parents=True)
    empty_folder(demo)
    assert [path.name for path in demo.iterdir()] == [MARK]
    assert demo.stat().st_mode & 0o777 == 0o700


def test_files_of_an_earlier_demo_are_deleted_and_others_stay(tmp_path: Path):
    demo = tmp_path / "demo"
    empty_folder(demo)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (demo / "logs").mkdir()
    (demo / "logs" / "worker.log").touch()
    (demo / "book.csv").touch()
    (demo / "valkey").symlink_to(elsewhere)
    (demo / "notes.txt").write_text("mine")
    empty_folder(demo)
    assert {path.name for path in demo.iterdir()} == {MARK, "notes.txt"}
    assert (elsewhere / "kept").exists()
