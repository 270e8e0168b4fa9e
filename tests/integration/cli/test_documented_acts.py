"""Every command that the pages on acts show is run as it stands there, on a database with such a subscription."""

from __future__ import annotations

import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.integration.cli.conftest import NOBODY, Again, Tables
from worker.cli.commands import app
from worker.cli.exits import ExitCode

DOCS = Path(__file__).parents[3] / "docs"
PAGES = (
    *(
        "bulk",
        "changes",
        "consent-gate",
        "declines",
        "discounts",
        "dunning",
        "end-of-dunning",
        "forecast",
        "one-charge",
        "plan-changes",
        "price-changes",
        "refunds",
    ),
)
OWN_RULES = str(DOCS.parent / "tests" / "support" / "decline_rules.toml")
CODE, CHARGE = "7ZK3M9QX2VB4C", "17"

WRITTEN_ON = date(2026, 11, 30)
"""The pages' dates lie ahead of this day. They are moved to lie as far ahead of today."""

DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")

ANSWERED = {ExitCode.DONE, ExitCode.REFUSED, ExitCode.NOT_REACHABLE}
"""What an example may end with: it needs a state, or a PortOne, that this database may not have. No usage error."""


def commands(page: str) -> list[str]:
    """Return the commands that a page shows at a prompt."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    return re.findall(r"^\$ (again .+)$", text, re.MULTILINE)


def ahead(line: str, today: date) -> str:
    """Return a command whose dates lie as far ahead of today as the page's lay when it was written."""
    return DATE.sub(lambda found: str(date.fromisoformat(found[0]) + (today - WRITTEN_ON)), line)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("gold")
def test_commands_of_a_page_are_understood(
    again: Again, key: str, tables: Tables, database_url: str, tmp_path: Path, page: str
):
    for code, amount in (("letter", 9900), ("yearly", 99000)):
        again("plan", "add", code, "--name", code, "--amount", amount, "--cadence", "month")
    today = tables.now.date()
    starts = str(today + timedelta(days=1))
    subscribed = again("subscribe", "gildong", "--plan", "letter", "--key", key, "--start", starts, "--json")
    subscription = subscribed.document["code"]
    (tmp_path / "goodwill.csv").write_text(f"subscription\n{subscription}\n", "utf-8")
    charge = str(tables.charge(subscription, "past_due"))
    shown = commands(page)
    assert shown
    ended: dict[str, int] = {}
    for line in shown:
        arguments = [
            {
                CODE: subscription,
                CHARGE: charge,
                "goodwill.csv": str(tmp_path / "goodwill.csv"),
                "charges.csv": str(tmp_path / "charges.csv"),
                "rules.toml": OWN_RULES,
            }.get(each, each)
            for each in shlex.split(ahead(line, today))[1:]
        ]
        environment = {"AGAIN_DATABASE_URL": database_url, "AGAIN_SANDBOX_URL": NOBODY, "COLUMNS": "200"}
        result = CliRunner().invoke(app, arguments, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), (line, result.output)
        assert result.exit_code in ANSWERED, (line, result.output)
        ended[line] = result.exit_code
    assert ExitCode.DONE in ended.values() or page == "refunds", ended
