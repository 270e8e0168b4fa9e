"""The excerpts of docs/opening-a-feature.md are in the example worker, and its rule is what the page says."""

from __future__ import annotations

import importlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXCERPTS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "opening-a-feature.md").read_text(), re.DOTALL)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
BEFORE, AFTER = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("SHOP_BROKER_URL", "memory://")
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.sqlite"))
    return importlib.import_module("tests.examples.shop_worker")


def event(position: int, status: str = "active", until: str | None = AFTER, **more: Any) -> dict[str, Any]:
    subscription = {"code": "7ZK3M9QX2VB4C", "status": status, "access_until": until}
    return {
        "id": f"evt_{position}",
        "position": position,
        "timestamp": NOW.isoformat(),
        "data": {"subscription": subscription},
        **more,
    }


@pytest.mark.parametrize("excerpt", EXCERPTS)
def test_excerpt_of_the_page_is_in_the_example_worker(excerpt: str):
    assert excerpt in (ROOT / "tests" / "examples" / "shop_worker.py").read_text()


@pytest.mark.parametrize(
    ("status", "until", "is_open"),
    [
        ("active", None, False),
        ("active", AFTER, True),
        ("trialing", AFTER, True),
        ("past_due", AFTER, False),
        ("canceled", AFTER, True),
        ("canceled", BEFORE, False),
        ("ended", BEFORE, False),
        ("pending", None, False),
    ],
)
def test_feature_is_open_as_the_page_says(worker: Any, status: str, until: str | None, is_open: bool):
    worker.on_event(**event(1, status, until))
    assert worker.is_open("7ZK3M9QX2VB4C") is is_open


def test_late_event_and_doubled_event_change_nothing(worker: Any):
    worker.on_event(**event(2))
    worker.on_event(**event(1, "past_due"))
    assert worker.is_open("7ZK3M9QX2VB4C")
    worker.on_event(**event(3, "past_due"))
    worker.on_event(**{**event(4), "id": "evt_2"})
    assert not worker.is_open("7ZK3M9QX2VB4C")


def test_event_of_no_subscription_is_worked_off(worker: Any):
    worker.on_event(**event(1, data={"pg": "kakaopay"}))
    assert not worker.is_open("7ZK3M9QX2VB4C")
