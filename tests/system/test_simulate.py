"""`again simulate`, as a newcomer runs it: no settings, an empty folder, the book and the command of its page."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.system.newcomer import environment

PAGE = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()


def test_comparison_of_the_page_agrees_and_leaves_its_files_and_nothing_else(folder: Path):
    (book,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (folder / "book.toml").write_text(book, encoding="utf-8")
    (command,) = re.findall(r"^again simulate --book .*$", PAGE, re.MULTILINE)
    (temporary := folder / "temporary").mkdir()
    settings = environment(
        TMPDIR=str(temporary),
        AGAIN_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",  # neither is asked
        AGAIN_PORTONE_KEY="live",
    )
    ended = subprocess.run(
        [*shlex.split(command), "--months", "1"],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("to the won") == 2
    assert (folder / "year.png").read_bytes().startswith(b"\x89PNG")
    with (folder / "year.csv").open(encoding="utf-8") as file:
        assert [row["dunning"] for row in csv.DictReader(file)] == ["1,3,5,7", "1,3,payday,payday"]
    assert os.listdir(temporary) == []  # noqa: PTH208
    assert {path.name for path in folder.iterdir()} == {"book.toml", "year.png", "year.csv", "temporary"}
