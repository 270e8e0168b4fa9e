"""`again archive`: answers of long ago."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.cli.conftest import Again, Tables


def test_old_answers_are_counted_then_archived_and_shown_as_before(again: Again, subscription: str, tables: Tables):
    long_ago = tables.now - timedelta(days=300)
    charge = tables.charge(subscription, "paid", months_ago=10)
    answer = {"http_status": 200, "code": "0", "raw": '{"status": "paid"}', "settled_at": long_ago}
    tables.attempt(charge, "paid", **answer)
    before = again("charge", "show", charge, "--json").document["attempts"]
    month = f"{tables.now - timedelta(days=100):%Y-%m}"
    assert again("archive", "--before", month, "--dry-run", "--json").document["attempts"] == 1
    assert "About 1 answers" in again("archive", "--before", month, "--dry-run").said
    assert again("archive", "--before", month, "--reason", "disk", "--json").document == {"archived": 1}
    assert "0 answers were archived." in again("archive", "--before", month).said
    assert again("charge", "show", charge, "--json").document["attempts"] == before
    (act,) = again("audit", "archive", "--json").document
    assert act["reason"] == f"settled before {month}; disk"


@pytest.mark.parametrize("month", ["2999-01", "2026", "yesterday"])
def test_what_is_new_or_no_month_is_refused(again: Again, month: str):
    again("archive", "--before", month, code=2)
