"""`again demo`, and commands in a wrong folder, as a newcomer meets them: no settings, an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.system.newcomer import (
    again,
    ours_in,
    press_ctrl_c,
    running,
)


def test_demo_charges_a_second_month_its_records_match_and_nothing_is_left(folder: Path):
    demo = again(folder, "demo", "--subscriptions", "200")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The records agree" in demo.stdout
    assert "The second month, day by day" in demo.stdout
    periods = re.search(r"billing periods that fell due .*?([0-9,]+) ", demo.stdout)
    assert periods is not None
    assert int(periods[1].replace(",", "")) >= 500, "a month's, and two fortnights' after the first"
    assert "charge.paid" in demo.stdout
    assert ours_in(folder) == []


def test_ctrl_c_ends_the_demo_in_order(folder: Path):
    with running(folder, "demo", line="of 1,000 cards") as demo:
        assert "already" in again(folder, "demo").stderr  # and so empties nothing
        said = press_ctrl_c(demo)
    assert demo.returncode == 130, said
    assert "stopping everything" in said
    assert "Traceback" not in said
    assert ours_in(folder) == []


def test_commands_create_no_database_in_a_wrong_folder(folder: Path):
    status = again(folder, "status")
    assert status.returncode == 4
    assert "There is no Again database in" in status.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["up", "demo", "migrate"])
def test_data_folder_that_cannot_be_made_is_reported_without_traceback(folder: Path, command: str):
    (folder / ".again").write_text("a file")
    ended = again(folder, command)
    assert ended.returncode == 4
    assert "cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr
