"""What docs/getting-started.md promises: both PGs' keys are registered, and two periods charged within the hour."""

from __future__ import annotations

import re
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World

PAGE = (Path(__file__).parents[3] / "docs" / "getting-started.md").read_text()
PLAN = re.findall(r"^again (plan add today .*\\\n.*)$", PAGE, re.MULTILINE)[0]


def time_zone(now: datetime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the page's line for finding a time zone, at another time."""
    line = re.findall(r"'(import time; .*)'\)", PLAN)[0]
    with monkeypatch.context() as patched:
        patched.setattr(time, "gmtime", now.timetuple)
        exec(line, {})  # the line is ours
    return capsys.readouterr().out.strip()


def test_some_time_zones_day_ends_at_every_hour(capsys, monkeypatch: pytest.MonkeyPatch):
    for hour in range(24):
        now = datetime(2026, 11, 22, hour, 17, tzinfo=UTC)
        assert now.astimezone(ZoneInfo(time_zone(now, capsys, monkeypatch))).hour == 23, hour


def test_customer_of_each_pg_is_charged_for_both_periods_of_the_page(
    world: World, capsys, monkeypatch: pytest.MonkeyPatch
):
    words = shlex.split(re.sub(r'"\$\(.*\)"', "ZONE", PLAN.replace("\\\n", "")))
    options = dict(zip(words[3::2], words[4::2], strict=True))
    terms = {name.removeprefix("--").replace("-", "_"): value for name, value in options.items()}
    till = Till(world)
    world.wait(minutes=40)
    world.plan("today", **terms | {"time_zone": time_zone(world.now, capsys, monkeypatch)})
    for customer, pg in {"haneul": "kakaopay", "narae": "payco"}.items():
        assert f"again subscribe {customer} --plan today" in PAGE
        assert f"again checkout link CODE --pg {pg} " in PAGE
        code = till.link(till.pending("today", customer), pg=pg)
        till.complete(code, till.approve(till.open(code)))
    world.wait(minutes=1)
    world.tick()
    assert world.statuses() == {"paid": 2}
    world.wait(minutes=18)
    world.tick()
    assert world.statuses() == {"paid": 2}, "it is a minute to the full hour"
    world.wait(minutes=2)
    world.tick()
    assert world.statuses() == {"paid": 4}
    starts = {charge.period_start for charge in world.charges()}
    assert max(starts) - min(starts) == timedelta(days=1)
    world.assert_books_agree()
